"""Voxels in the type of their file, which for 16 bits take half of the memory of float32, and for 8 bits a quarter."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import nibabel as nib
import numpy as np


class LazyVoxels(ABC):
    """The values of an image, float32, which are computed when they are accessed.

    They can be indexed and iterated like an array. NumPy's functions accept them, too, and compute all values at once.

    `shape` is the number of voxels along each axis.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, shape: tuple[int, ...]):
        self.shape, self.ndim, self.size = shape, len(shape), math.prod(shape)

    @abstractmethod
    def __getitem__(self, key: Any) -> np.ndarray:
        """Return the values of some voxels as a new array."""

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(len(self)))

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return all values; see NumPy's array protocol."""
        return self[(slice(None),) * self.ndim].astype(self.dtype if dtype is None else dtype, copy=False)


class StoredVoxels(LazyVoxels):
    """The values of an image, which are computed from the stored voxels.

    The stored voxels, of any type and axis order, must not change. A value is ``slope * stored + intercept``.
    """

    def __init__(self, stored: np.ndarray, slope: float = 1.0, intercept: float = 0.0):
        super().__init__(stored.shape)
        self.stored, self.slope, self.intercept = stored, slope, intercept

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return the values of some voxels as a new array."""
        return self._values(self.stored[key])

    def min(self) -> np.float32:
        """Return the least value."""
        return self._extremes.min()

    def max(self) -> np.float32:
        """Return the largest value."""
        return self._extremes.max()

    def any(self) -> bool:
        """Return whether a value is not 0."""
        return any(plane.any() for plane in self)

    def reshape(self, *shape: Any, order: Any = "C") -> StoredVoxels:
        """Return the same voxels in another shape."""
        return StoredVoxels(self.stored.reshape(*shape, order=order), self.slope, self.intercept)

    def part(self, key: Any) -> StoredVoxels:
        """Return some of the voxels, which are selected by slices; nothing is copied."""
        return StoredVoxels(self.stored[key], self.slope, self.intercept)

    def turned(self, orientation: np.ndarray) -> StoredVoxels:
        """Return the same voxels with axes permuted and flipped, as `nibabel.apply_orientation` does; nothing is copied."""
        return StoredVoxels(nib.apply_orientation(self.stored, orientation), self.slope, self.intercept)

    @cached_property
    def _extremes(self) -> np.ndarray:
        return self._values(np.array([self.stored.min(), self.stored.max()]))

    def _values(self, stored: np.ndarray) -> np.ndarray:
        if (self.slope, self.intercept) != (1.0, 0.0):
            stored = nib.volumeutils.apply_read_scaling(stored, np.float64(self.slope), np.float64(self.intercept))
        return np.asarray(stored).astype(self.dtype)
