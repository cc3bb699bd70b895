"""A frozen 3-D image on its voxel grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from spineseg_cli.core.image.stored import LazyVoxels

T = TypeVar("T")


@dataclass(frozen=True)
class Volume:
    """A 3-D image with its affine, and with the header of its file, which is written back unchanged.

    Raises ValueError if `data` is not 3-D or `affine` is not 4x4.
    """

    # Values, shape (nx, ny, nz), or `LazyVoxels`, which are indexed in the same way. They are read-only, so that no step of a
    # pipeline can change another's input.
    data: np.ndarray
    affine: np.ndarray  # from voxel indices to world millimeters (NIfTI's RAS+ convention)
    # What the reader of the file passes to the writers of results: its header, and its NaN and infinite voxels if it had any.
    meta: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False, compare=False)
    _made: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.data.ndim != 3:
            raise ValueError(f"a Volume holds 3-D data; got shape {self.data.shape}")
        if self.affine.shape != (4, 4):
            raise ValueError(f"a Volume's affine is 4x4; got shape {self.affine.shape}")
        for name in ("data", "affine"):
            if isinstance(getattr(self, name), LazyVoxels):
                continue
            view = np.asarray(getattr(self, name)).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along each axis."""
        return self.data.shape

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size along each axis, mm: the lengths of the affine's columns, to a nanometer.

        Smaller differences are rounding errors of affines stored as quaternions, which depend on the order of the axes.
        """
        x, y, z = (round(float(s), 6) for s in np.linalg.norm(self.affine[:3, :3], axis=0))
        return x, y, z

    @property
    def volume_mm3(self) -> float:
        """Sum of the voxel values times the volume of a voxel: the volume of a mask, mm3."""
        return float(self.data.sum(dtype=float) * abs(np.linalg.det(self.affine[:3, :3])))

    def planes(self, first: int, end: int) -> np.ndarray:
        """Return planes across the third axis, shape (nx, ny, end - first)."""
        return self.data[:, :, first:end]

    def cached(self, name: str, make: Callable[[], T]) -> T:
        """Return the cached value of a name, which is computed by `make` the first time, as the image does not change."""
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made

    def with_data(self, data: np.ndarray) -> Volume:
        """Return a volume on the same grid with other voxel values, shape (nx, ny, nz)."""
        if data.shape != self.shape:
            raise ValueError(f"new data must have the volume's shape {self.shape}; got {data.shape}")
        return Volume(data, self.affine, self.meta)

    def with_voxels_scaled(self, factor: float) -> Volume:
        """Return a volume with the same voxel values, in which voxels are `factor` times as large along each axis."""
        return Volume(self.data, self.affine @ np.diag([factor, factor, factor, 1.0]), self.meta)


def nominal_mm(spacing_mm: float) -> float:
    """Return a slice distance without the rounding of headers, such as 4.999998 for 5, for comparison with a limit."""
    return round(spacing_mm, 3)
