"""The center of a mask in each axial slice, and points between those of other slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.mask_check import LABEL_TOLERANCE
from spineseg_cli.core.image.slabs import slabs
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import InputError


def centers_from_mask(mask: Volume) -> tuple[np.ndarray, range]:
    """Return the center of mass of each axial slice of an RPI mask of the cord or of its centerline.

    In a mask of integers, all voxels above 0 count equally, whatever their labels. In a blurred or resampled mask, voxels with at
    least half of the highest value count by their value: its faint ends are not cord. Empty slices between others are
    interpolated. Beyond the first and the last slice of the mask there is no cord, and nothing is extrapolated.

    Returns the centers as voxel coordinates along x and y, shape (nz, 2), float, and the range of slices from the first to
    the last one with mask. Raises InputError if the mask is empty.
    """
    highest = mask.data.max()
    is_integer = highest >= 0.5 and all(np.abs(part - np.round(part)).max() < LABEL_TOLERANCE for part in _parts(mask.data))
    parts = [_sums(part, highest, is_integer) for part in _parts(mask.data)]
    mass, along_x, along_y = (np.concatenate(sums) for sums in zip(*parts, strict=True))
    filled = np.flatnonzero(mass > 0)
    if len(filled) == 0:
        raise InputError("the centerline is empty: expected at least one voxel above 0 in a centerline or a cord mask")
    x, y = along_x @ np.arange(mask.shape[0]), along_y @ np.arange(mask.shape[1])
    points = np.stack([axis[filled] / mass[filled] for axis in (x, y)], axis=-1)
    return in_all_slices(points, filled, mask.shape[2]), range(int(filled[0]), int(filled[-1]) + 1)


def centers_from_slices(mask: np.ndarray, slices: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return the center of mass of some slices of a mask, bool, shape (nx, ny, nz), and interpolated ones of the others.

    `slices` are one or more in increasing order, none of which is empty. The result holds voxel coordinates, shape (nz, 2).
    """
    return in_all_slices(np.array([ndimage.center_of_mass(mask[:, :, k]) for k in slices]), slices, mask.shape[2])


def in_all_slices(points: np.ndarray, slices: Sequence[int] | np.ndarray, count: int) -> np.ndarray:
    """Return points, shape (n, 2), of n increasing slices, interpolated linearly to all of `count` slices, shape (count, 2).

    Below the first and above the last of the n slices, their points are repeated.
    """
    return np.stack([np.interp(np.arange(count), slices, axis) for axis in points.T], axis=-1)


def _parts(data: np.ndarray) -> Iterator[np.ndarray]:
    """Yield a volume in slabs of axial slices."""
    return (np.ascontiguousarray(data[:, :, first:end]) for first, end in slabs(data.shape[2]))


def _sums(mask: np.ndarray, highest: float, is_integer: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the sums of the weights of each of n slices, shape (n,), and of its lines, shapes (n, nx) and (n, ny)."""
    inside = mask >= (0.5 if is_integer else highest / 2)
    weights = np.where(inside, 1 if is_integer else np.clip(mask, 0, None), 0).astype(float)
    return weights.sum(axis=(0, 1)), weights.sum(axis=1).T, weights.sum(axis=0).T
