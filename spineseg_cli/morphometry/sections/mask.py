"""The cord's share of each voxel, from a binary, soft or label mask, cleaned slice by slice."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.bounds import bounding_box
from spineseg_cli.core.image.mask_check import LABEL_TOLERANCE, check_is_mask
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.ranges import listed_ranges
from spineseg_cli.errors import InputError
from spineseg_cli.morphometry.sections.frame import SliceGrid
from spineseg_cli.morphometry.sections.moments import measure_sections
from spineseg_cli.morphometry.smoothing import fit_smooth

log = logging.getLogger(__name__)

# Least fraction of a voxel in the cord at which it counts as cord.
HALF = 0.5

# Largest fraction that is accepted, since resampled masks may slightly exceed 1.
MOST_FRACTION = 1.3

IN_PLANE = np.zeros((3, 3, 3), bool)
IN_PLANE[:, :, 1] = True
IN_PLANE_CROSS = IN_PLANE & ndimage.generate_binary_structure(3, 1)

# Largest plausible slope (63 degrees): larger ones are noise in short or fragmented masks.
MOST_SLOPE = 2.0


@dataclass(frozen=True)
class CordMask:
    """The cord's share of each voxel of the slices between the first and the last with cord, in RPI.

    Attributes
    ----------
    fractions : ndarray of float32, shape (nx, ny, n)
        Share of each voxel, 0 to 1, cropped to the cord with a margin of empty voxels in the plane.
    first_vx : ndarray of int, shape (3,)
        Index in the RPI volume of the first voxel of `fractions`; may be below 0 in the plane.
    slices : ndarray of int, shape (n,)
        Indices of the axial slices, 0 for the most inferior one of the volume.
    pieces : ndarray of int, shape (n,)
        Number of separate pieces in each slice; all but the largest are left out.
    filled_vx : ndarray of int, shape (n,)
        Number of voxels in holes that were filled.
    at_border : ndarray of bool, shape (n,)
        Whether the cord touches the edge of the slice, where it may be cut.
    soft : bool
        Whether any voxel is partly filled.
    volume : Volume
        The whole mask in RPI.
    """

    fractions: np.ndarray
    first_vx: np.ndarray
    slices: np.ndarray
    pieces: np.ndarray
    filled_vx: np.ndarray
    at_border: np.ndarray
    soft: bool
    volume: Volume

    def of_slices(self, kept: np.ndarray) -> CordMask:
        """Return the slices that are True in `kept`, shape (n,)."""
        columns = {name: getattr(self, name)[kept] for name in ("slices", "pieces", "filled_vx", "at_border")}
        return replace(self, fractions=self.fractions[:, :, kept], **columns)


def read_fractions(volume: Volume, name: str) -> Volume:
    """Return a mask in RPI with the share of each voxel that it fills, 0 to 1 except for overshoot of resampling.

    In a mask of integers, every voxel above 0 is inside, whatever its label, and a warning names several labels; fractions are
    kept.

    Raises
    ------
    InputError
        If it is a scan, or holds fractions beyond 1.
    """
    check_is_mask(volume, name)
    turned = to_rpi(volume, copy=False)  # not copied: the cord is less than a hundredth of a whole spine
    data = turned.data
    most = float(data.max())
    if most <= 1:
        return turned
    inside = data[data > 0]
    if np.abs(inside - np.round(inside)).max() <= LABEL_TOLERANCE:
        labels = np.unique(np.round(inside)).astype(int).tolist()
        if len(labels) > 1:
            log.warning("%s holds the labels %s: all are measured as one", name, listed_ranges(labels))
        return turned.with_data(data > HALF)
    if most > MOST_FRACTION:
        raise InputError(f"expected a mask of 0 to 1, or of labels; {name} holds fractions up to {most:g}: divide by that")
    return turned


def clean_cord(fractions: Volume) -> CordMask | None:
    """Return the cord in each slice of an RPI mask from `read_fractions`; None if no voxel is at least half filled.

    In each slice, the largest connected piece (including corners) is kept, and its holes are filled. Voxels are partly filled
    only near its outline: those further inside than partial volume reaches become 1, those further outside 0, so that a network's
    faint halo, or its probability of 0.97 inside, has no effect.
    """
    box = bounding_box(fractions.data >= HALF)
    if not box[0].stop:
        return None
    grid = SliceGrid.of(fractions.affine)
    margin = 1
    window = _cropped(fractions.data, box, margin)
    core, pieces, others = _largest_pieces(window >= HALF)
    solid = _without_holes(core)
    slices = np.arange(box[2].start, box[2].stop)
    filled = (solid & ~core).sum(axis=(0, 1))
    border = _at_border(core, box, fractions.shape)
    soft = bool(((window > 0) & (window < 1)).any())
    if soft:
        reach = _partial_volume_reach(solid, slices, grid)
        margin = max(reach) + 1
        window = _cropped(fractions.data, box, margin)
        solid, core, others = (
            np.pad(part, ((margin - 1, margin - 1), (margin - 1, margin - 1), (0, 0))) for part in (solid, core, others)
        )
        size = (2 * reach[0] + 1, 2 * reach[1] + 1, 1)
        grown = ndimage.maximum_filter(solid, size, mode="constant") & ~others
        inner = ndimage.minimum_filter(solid, size, mode="constant") | (solid & ~core)
        window = np.where(inner, 1, np.where(grown, window, 0)).astype(np.float32)
    else:
        window = solid.astype(np.float32)
    first = np.array([box[0].start - margin, box[1].start - margin, box[2].start])
    return CordMask(window, first, slices, pieces, filled, border, soft, fractions)


def _cropped(data: np.ndarray, box: tuple[slice, ...], margin: int) -> np.ndarray:
    """Return the voxels in a box, clipped to 0 to 1, with a margin in the plane that is 0 beyond the image."""
    x, y = (slice(max(side.start - margin, 0), min(side.stop + margin, n)) for side, n in zip(box, data.shape[:2], strict=False))
    part = data[x, y, box[2]]
    pads = [
        (margin - (side.start - wide.start), margin - (wide.stop - side.stop)) for wide, side in zip((x, y), box, strict=False)
    ]
    return np.pad(np.clip(part, 0, 1, dtype=np.float32), [*pads, (0, 0)])


def _largest_pieces(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the largest piece of each slice, the number of pieces in each slice, and the other pieces."""
    labels, count = ndimage.label(inside, IN_PLANE)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    where = np.zeros(count + 1, int)
    where[labels] = np.arange(inside.shape[2])
    by_size = 1 + np.argsort(-sizes[1:], kind="stable")
    keep = np.zeros(count + 1, bool)
    keep[by_size[np.unique(where[by_size], return_index=True)[1]]] = True  # the first, so largest, of each slice
    kept = keep[labels]
    return kept, np.bincount(where[1:], minlength=inside.shape[2]), inside & ~kept


def _without_holes(inside: np.ndarray) -> np.ndarray:
    """Return `inside` with its holes in the plane filled; the border of each slice must be outside."""
    labels, count = ndimage.label(~inside, IN_PLANE_CROSS)
    outside = np.zeros(count + 1, bool)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        outside[edge] = True
    return inside | ~outside[labels]


def _at_border(inside: np.ndarray, box: tuple[slice, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Return whether the cord reaches the edge of each slice; `inside` is cropped to the box with a margin of one voxel."""
    border = np.zeros(inside.shape[2], bool)
    for axis in (0, 1):
        if box[axis].start == 0:
            border |= inside.take(1, axis).any(axis=0)
        if box[axis].stop == shape[axis]:
            border |= inside.take(-2, axis).any(axis=0)
    return border


def _partial_volume_reach(inside: np.ndarray, slices: np.ndarray, grid: SliceGrid) -> tuple[int, int]:
    """Return the distance from the outline along x and y, in voxels, up to which voxels may be partly filled.

    With a plane boundary, each partly filled voxel has a half-filled neighbor, corners included. This holds for a smear of up to
    half a voxel to either side; an oblique cord has more. A part of the cord that fills less than half of long voxels, as a side
    of a bean does, is assumed to be at most as long as it is wide.
    """
    sections = measure_sections(inside, np.zeros(3), grid)
    used = (sections.area_mm2 > 0).astype(float)
    slopes = fit_smooth(slices * grid.step_mm, sections.centers_mm, used).slopes
    most = min(float(np.abs(slopes).max()), MOST_SLOPE)
    x_mm, y_mm = float(grid.matrix[0, 0]), float(grid.matrix[1, 1])
    smeared = 1 + max(0, int(np.ceil(0.5 * most * grid.step_mm / min(x_mm, y_mm) - 0.5)))
    return max(smeared, int(np.ceil(0.5 * y_mm / x_mm))), max(smeared, int(np.ceil(0.5 * x_mm / y_mm)))
