"""From probabilities to masks. Volumes are in RPI: the third axis runs from inferior to superior."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spineseg_cli.core.centerline import LONGEST_GAP_MM, SHORTEST_END_MM
from spineseg_cli.core.volume import nominal_mm

# What continues the cord beyond a gap has at least this share of its mean area.
THICK_SHARE = 0.5

# A slice of less than this share of the area below it is torn.
TORN_SHARE = 0.5


def keep_cord(mask: np.ndarray, slice_mm: float) -> np.ndarray:
    """Return the largest object of a mask, shape (nx, ny, nz), and what continues it above and below.

    Voxels that share a face, an edge or a corner are one object, also across one or two slices without them: a slice that
    was missed does not cost the slices beyond it. Beyond a gap of up to 15 mm, where the signal is lost, say, the cord goes on
    if what lies there is as long, and at least half as thick: roots below the conus are thin.

    Parameters
    ----------
    mask : ndarray
    slice_mm : float
        Distance of the slices.
    """
    slice_mm = nominal_mm(slice_mm)
    across_slices = np.ones((1, 1, 3), bool)
    labels, count = ndimage.label(ndimage.binary_dilation(mask, across_slices), structure=np.ones((3, 3, 3)))
    if count <= 1:
        return mask.astype(bool)
    labels *= mask > 0
    sizes = np.bincount(labels[mask > 0], minlength=count + 1)
    extents = {label: part[2] for label, part in enumerate(ndimage.find_objects(labels), start=1) if part}
    kept = np.zeros(count + 1, bool)
    kept[sizes.argmax()] = True
    first, end = extents[sizes.argmax()].start, extents[sizes.argmax()].stop
    least_area = THICK_SHARE * sizes.max() / (end - first)
    for label, part in sorted(extents.items(), key=lambda item: max(item[1].start - end, first - item[1].stop)):
        gap, length = max(part.start - end, first - part.stop), part.stop - part.start
        near, long = 0 <= gap * slice_mm <= LONGEST_GAP_MM, length * slice_mm >= SHORTEST_END_MM
        if near and long and sizes[label] >= least_area * length:
            kept[label] = True
            first, end = min(first, part.start), max(end, part.stop)
    return kept[labels]


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """Return a mask, shape (nx, ny, nz), with the holes of each axial slice filled."""
    filled = mask.astype(bool)
    for k in np.flatnonzero(filled.any(axis=(0, 1))):
        filled[:, :, k] = ndimage.binary_fill_holes(filled[:, :, k])
    return filled


def clean_cord(mask: np.ndarray, slice_mm: float) -> np.ndarray:
    """Return a cord mask as anatomy has it: one object that continues from slice to slice, `slice_mm` apart, without holes."""
    return fill_holes(keep_cord(mask, slice_mm))


def without_torn_top(cord: np.ndarray) -> np.ndarray:
    """Return a cord mask without topmost slices that have less than half of the area of the one below.

    Towards the brain the cord only grows: such a slice is brainstem, which the network half refuses.
    """
    areas = cord.sum(axis=(0, 1))
    filled = np.flatnonzero(areas)
    if len(filled) == 0:
        return cord
    top = filled[-1]
    while top > filled[0] and areas[top] < TORN_SHARE * areas[top - 1]:
        top -= 1
    kept = cord.copy()
    kept[:, :, top + 1 :] = 0
    return kept


def keep_inside(values: np.ndarray, cord: np.ndarray) -> np.ndarray:
    """Return `values` (a mask or probabilities) in the cord, 0 elsewhere."""
    return np.where(cord, values, np.zeros((), values.dtype))


def without_specks(probability: np.ndarray, level: float = 0.25, least_share: float = 0.2) -> np.ndarray:
    """Return probabilities, shape (nx, ny, nz), without the objects of an axial slice that are small beside its largest.

    What is left is one object a slice, or a few of about one size: the halves of gray matter whose commissure is too thin to
    be seen. Objects are told apart at `level`, not at the threshold of a mask, so that a higher threshold never shows more.
    """
    kept = probability.copy()
    for k in np.flatnonzero((probability > level).any(axis=(0, 1))):
        labels, count = ndimage.label(probability[:, :, k] > level, structure=np.ones((3, 3)))
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        small = sizes < least_share * sizes[1:].max()
        small[0] = False
        kept[:, :, k][small[labels]] = 0
    return kept
