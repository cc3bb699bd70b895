"""Subdivision of voxels into equal parts along x and y, for structures that are finer than a scan's voxels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spineseg_cli.core.image.resampling import resampling_matrix
from spineseg_cli.core.image.slice_windows import SliceWindows

# Longest side of a part.
LONGEST_PART_MM = 1.25


@dataclass(frozen=True)
class SplitVoxels:
    """A subdivision of voxels along x and y."""

    counts: tuple[int, int]  # the number of parts of a voxel along x and y; (1, 1) if voxels are not split

    @classmethod
    def of(cls, spacing_mm: tuple[float, ...]) -> SplitVoxels:
        """Return the subdivision for a voxel size: large in-plane sides, as in sagittal scans, are split into several parts."""
        x, y = (max(1, int(np.ceil(side / LONGEST_PART_MM - 1e-6))) for side in spacing_mm[:2])
        return cls((x, y))

    @property
    def are_several(self) -> bool:
        """Whether voxels are split at all."""
        return self.counts != (1, 1)

    def spacing_mm(self, spacing_mm: tuple[float, float, float]) -> tuple[float, float, float]:
        """Return the size of a part along x, y and z, for voxels of `spacing_mm`."""
        return spacing_mm[0] / self.counts[0], spacing_mm[1] / self.counts[1], spacing_mm[2]

    def box(self, box: tuple[slice, slice]) -> tuple[slice, slice]:
        """Convert a box along x and y from voxels to parts."""
        x, y = (slice(side.start * count, side.stop * count) for side, count in zip(box, self.counts, strict=True))
        return x, y

    def points(self, points_vx: np.ndarray) -> np.ndarray:
        """Convert points, shape (n, 2), from voxel coordinates to those of parts; integers are centers in both."""
        return (points_vx + 0.5) * self.counts - 0.5

    def image(self, image: np.ndarray) -> np.ndarray:
        """Return the intensity of the parts, interpolated between the centers of voxels along x and y; shape (nx, ny, n)."""
        for axis, (n, count) in enumerate(zip(image.shape, self.counts, strict=False)):
            if count > 1:
                matrix = resampling_matrix(n, 1.0, n * count, 1.0 / count)
                image = np.moveaxis(np.tensordot(matrix, image, (1, axis)), 0, axis)
        return image

    def windows(self, windows: SliceWindows, voxel_mm: tuple[float, ...], sample_mm: float, align: str = "edges") -> SliceWindows:
        """Return windows that are mapped back to the parts instead of the voxels.

        `voxel_mm` is the scan's voxel size, `sample_mm` the windows' sample spacing, and `align` the alignment of the two grids;
        see `core.image.resampling.resampling_matrix`.
        """
        if not self.are_several:
            return windows
        x, y = (
            resampling_matrix(matrix.shape[1], sample_mm, len(matrix) * count, side / count, align)
            for matrix, count, side in zip(windows.backward, self.counts, voxel_mm, strict=False)
        )
        return replace(windows, backward=(x, y))

    def mean(self, parts: np.ndarray) -> np.ndarray:
        """Return the mean over the parts of each voxel, shape (nx, ny, ...)."""
        if not self.are_several:
            return parts
        nx, ny = (n // count for n, count in zip(parts.shape, self.counts, strict=False))
        return parts.reshape(nx, self.counts[0], ny, self.counts[1], *parts.shape[2:]).mean(axis=(1, 3))
