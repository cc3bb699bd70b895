"""The range of indices along an axis, and the box of voxels, in which a mask is true."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def true_range(flags: ArrayLike) -> slice:
    """Return the range from the first to the last True of `flags`, bool, shape (n,); an empty range at 0 if there is none."""
    indices = np.flatnonzero(flags)
    return slice(int(indices[0]), int(indices[-1]) + 1) if len(indices) else slice(0, 0)


def bounding_box(mask: ArrayLike) -> tuple[slice, ...]:
    """Return the smallest box around all True of a mask of any shape, a range for each axis; empty ranges if there is none."""
    voxels = np.asarray(mask)
    others = (tuple(other for other in range(voxels.ndim) if other != axis) for axis in range(voxels.ndim))
    return tuple(true_range(voxels.any(axis=axes)) for axes in others)
