"""From probabilities to masks. Volumes are in RPI: the third axis runs from inferior to superior."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def keep_largest_object(mask: np.ndarray) -> np.ndarray:
    """Return the largest object of a mask, shape (nx, ny, nz), voxels that share a face, an edge or a corner being one object."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    if count <= 1:
        return mask.astype(bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return labels == sizes.argmax()


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """Return a mask, shape (nx, ny, nz), with the holes of each axial slice filled."""
    filled = mask.astype(bool)
    for k in np.flatnonzero(filled.any(axis=(0, 1))):
        filled[:, :, k] = ndimage.binary_fill_holes(filled[:, :, k])
    return filled


def clean_cord(mask: np.ndarray) -> np.ndarray:
    """Return a cord mask as anatomy has it: one object that continues from slice to slice, without holes."""
    return fill_holes(keep_largest_object(mask))


def keep_inside(mask: np.ndarray, cord: np.ndarray, margin_vx: int = 1) -> np.ndarray:
    """Return the part of a gray-matter mask whose in-plane objects touch the cord, at most `margin_vx` voxels outside it."""
    in_plane = ndimage.generate_binary_structure(2, 1)[:, :, None]
    return mask & (ndimage.binary_dilation(cord, in_plane, iterations=margin_vx) if margin_vx else cord)
