"""From probabilities to masks. Volumes are in RPI: the third axis runs from inferior to superior."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def keep_largest_object(mask: np.ndarray) -> np.ndarray:
    """Return the largest object of a mask, shape (nx, ny, nz).

    Voxels that share a face, an edge or a corner are one object, also across one or two slices without them: a slice that
    was missed does not cost the slices beyond it.
    """
    across_slices = np.ones((1, 1, 3), bool)
    labels, count = ndimage.label(ndimage.binary_dilation(mask, across_slices), structure=np.ones((3, 3, 3)))
    if count <= 1:
        return mask.astype(bool)
    sizes = np.bincount(labels[mask > 0], minlength=count + 1)
    return (labels == sizes.argmax()) & (mask > 0)


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """Return a mask, shape (nx, ny, nz), with the holes of each axial slice filled."""
    filled = mask.astype(bool)
    for k in np.flatnonzero(filled.any(axis=(0, 1))):
        filled[:, :, k] = ndimage.binary_fill_holes(filled[:, :, k])
    return filled


def clean_cord(mask: np.ndarray) -> np.ndarray:
    """Return a cord mask as anatomy has it: one object that continues from slice to slice, without holes."""
    return fill_holes(keep_largest_object(mask))


def keep_inside(values: np.ndarray, cord: np.ndarray, margin_vx: int = 1) -> np.ndarray:
    """Return `values` (a mask or probabilities) in the cord and at most `margin_vx` voxels in plane outside it, 0 elsewhere."""
    in_plane = ndimage.generate_binary_structure(2, 1)[:, :, None]
    near = ndimage.binary_dilation(cord, in_plane, iterations=margin_vx) if margin_vx else cord
    return np.where(near, values, np.zeros((), values.dtype))
