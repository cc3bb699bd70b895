"""Reorientation of volumes to RPI, and of results back to the stored orientation.

The Spinal Cord Toolbox names an orientation by the corner of the first voxel. "RPI" (first voxel right, posterior, inferior) is
`LAS` in nibabel's `aff2axcodes`: indices increase to the left, anterior and superior. Slices `data[:, :, k]` are then axial,
whatever the order of the axes on disk.
"""

from __future__ import annotations

import nibabel as nib
import numpy as np

from spineseg_cli.core.image.stored import StoredVoxels
from spineseg_cli.core.image.volume import Volume

RPI = nib.orientations.axcodes2ornt(("L", "A", "S"))


def to_rpi(volume: Volume, copy: bool = True) -> Volume:
    """Return `volume` with its axes permuted and flipped to RPI; no voxel value changes.

    An oblique volume is mapped to the closest axes. Without `copy`, the result is a view of `volume`, which is slow to process
    as a whole.
    """
    data = view_in_rpi(volume.data, volume)
    affine = volume.affine @ nib.orientations.inv_ornt_aff(_turns_to_rpi(volume), volume.shape)
    return Volume(np.ascontiguousarray(data) if copy else data, affine)


def turned_to(volume: Volume, grid: Volume) -> Volume:
    """Return `volume` with its axes permuted and flipped to the order and directions of the axes of `grid`.

    No voxel value changes, and a volume whose axes are those of `grid` is returned as it is. Of others, the header of the file is
    left out, since it describes the axes of before.
    """
    turns = nib.io_orientation(np.linalg.inv(grid.affine) @ volume.affine)
    if np.array_equal(turns, [[0, 1], [1, 1], [2, 1]]):
        return volume
    affine = volume.affine @ nib.orientations.inv_ornt_aff(turns, volume.shape)
    meta = {name: value for name, value in volume.meta.items() if name != "header"}
    return Volume(np.ascontiguousarray(nib.apply_orientation(volume.data, turns)), affine, meta)


def view_in_rpi(data: np.ndarray, grid: Volume) -> np.ndarray:
    """Return a view in RPI of voxels that are stored in the orientation of `grid`."""
    turns = _turns_to_rpi(grid)
    return data.turned(turns) if isinstance(data, StoredVoxels) else nib.apply_orientation(data, turns)


def _turns_to_rpi(volume: Volume) -> np.ndarray:
    """Return the permutation and flips of axes from the stored orientation to RPI, as nibabel represents them."""
    return nib.orientations.ornt_transform(nib.io_orientation(volume.affine), RPI)


def turns_from_rpi(volume: Volume) -> np.ndarray:
    """Return the permutation and flips of axes from RPI to the stored orientation, for `nibabel.apply_orientation`."""
    return nib.orientations.ornt_transform(RPI, nib.io_orientation(volume.affine))


def box_from_rpi(box: list[list[int]], original: Volume) -> list[list[int]]:
    """Convert a box of voxels, [first, last + 1] along each axis of RPI, to the stored axes of `original`."""
    turns = zip(original.shape, _turns_to_rpi(original), strict=True)
    sides = [(n, box[int(axis)], direction > 0) for n, (axis, direction) in turns]
    return [[first, end] if forwards else [n - end, n - first] for n, (first, end), forwards in sides]


def from_rpi(data: np.ndarray, original: Volume) -> Volume:
    """Return RPI `data` in the orientation and on the grid of `original`, the inverse of `to_rpi`."""
    return original.with_data(np.ascontiguousarray(nib.apply_orientation(data, turns_from_rpi(original))))
