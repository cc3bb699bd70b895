"""Windows around the cord on a finer in-plane grid, one per slice, and their exact mapping back to the scan.

Only the rows of the resampling matrices that belong to the window are multiplied, so that memory and time depend on the size of
the window, not of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np

from spineseg_cli.core.image.bounds import true_range
from spineseg_cli.core.image.resampling import resampled_length, resampling_matrix
from spineseg_cli.core.image.slabs import PART_SLICES, slabs
from spineseg_cli.core.image.volume import Volume

Indices: TypeAlias = "Sequence[int] | np.ndarray"

# All voxels of a plane.
WHOLE_PLANE = (slice(None), slice(None))

# Number of cached window matrices, for both axes together.
KEPT_MATRICES = 8


def batches(slices: Indices) -> list[np.ndarray]:
    """Divide slices into parts of similar length, whose windows are extracted and predicted at a time."""
    return [np.asarray(slices[first:end]) for first, end in slabs(len(slices), PART_SLICES)]


@dataclass(frozen=True)
class SliceWindows:
    """Square windows of the same size, one for each axial slice of an RPI volume, as `windows_around` returns them.

    Samples of a window outside the image repeat its edge, and are ignored when windows are mapped back.
    """

    starts: np.ndarray  # int, shape (nz, 2): the first fine sample of each slice's window along x and y; may be negative
    size: tuple[int, int]  # the number of fine samples of a window along x and y
    fine_shape: tuple[int, int]  # the number of fine samples that cover the whole image along x and y
    forward: tuple[np.ndarray, np.ndarray]  # resampling matrices along x and y, (fine, native)
    backward: tuple[np.ndarray, np.ndarray]  # (native, fine)

    def extract(self, data: np.ndarray, slices: Indices) -> np.ndarray:
        """Return the windows of `slices` from `data`, shape (nx, ny, nz), as (len(slices), *size) float32."""
        windows = np.empty((len(slices), *self.size), np.float32)
        for window, k in zip(windows, slices, strict=True):
            (x, forward_x), (y, forward_y) = (self._forward_of(axis, int(self.starts[k, axis])) for axis in (0, 1))
            window[:] = forward_x @ data[x, y, k] @ forward_y.T
        return windows

    def extract_labels(self, data: np.ndarray, slices: Indices) -> np.ndarray:
        """Return the windows of `slices` from labels, shape (nx, ny, nz); each sample has the value of its voxel."""
        nearest = [matrix.argmax(axis=1) for matrix in self.forward]
        voxels = [[nearest[axis][self._repeated(self.starts[k, axis], axis)] for axis in (0, 1)] for k in slices]
        return np.stack([data[:, :, k][np.ix_(x, y)] for k, (x, y) in zip(slices, voxels, strict=True)])

    def inside(self, slices: Indices) -> np.ndarray:
        """Return whether each sample of the windows lies inside the image, bool, shape (len(slices), *size)."""
        x, y = (self._inside(self.starts[slices, axis, None], axis) for axis in (0, 1))
        return x[:, :, None] & y[:, None, :]

    def voxel_positions(self, axis: int, slices: Indices) -> np.ndarray:
        """Return the voxel coordinate along x (0) or y (1) of the windows' samples, shape (len(slices), size along the axis)."""
        matrix = self.forward[axis]
        return (matrix @ np.arange(matrix.shape[1]))[self._repeated(self.starts[slices, axis, None], axis)]

    def restore(
        self,
        windows: np.ndarray,
        slices: Indices,
        box: tuple[slice, slice] = WHOLE_PLANE,
        part: tuple[slice, slice] = WHOLE_PLANE,
    ) -> np.ndarray:
        """Return values, such as predictions, in the `windows` of n slices on the native grid, shape (nx, ny, n), float32.

        They are 0 outside the windows. `windows` has shape (n, *size), or only the samples of a `part` of each window along x and
        y; the others are taken as 0. Only the voxels of a `box` along x and y are returned, all by default.
        """
        sides = [side.indices(n)[:2] for side, n in zip(box, (len(matrix) for matrix in self.backward), strict=True)]
        restored = np.empty((len(windows), *(end - first for first, end in sides)), np.float32)
        for image, k, window in zip(restored, slices, windows, strict=True):
            x, y = (self._backward_of(axis, int(self.starts[k, axis]), *sides[axis])[:, part[axis]] for axis in (0, 1))
            np.matmul(x @ window, y.T, out=image)
        return np.moveaxis(restored, 0, -1)

    def native_box(self, slices: Indices) -> list[list[int]]:
        """Return [first, last + 1] of the native voxels that the windows of increasing `slices` read, along x, y and z."""
        box = []
        for axis in (0, 1):
            starts = self.starts[slices, axis, None]
            samples = np.unique(np.clip(starts + np.arange(self.size[axis]), 0, self.fine_shape[axis] - 1))
            read = true_range(self.forward[axis][samples].any(axis=0))
            box.append([read.start, read.stop])
        return [*box, [int(slices[0]), int(slices[-1]) + 1]]

    def voxels_of(self, part: tuple[slice, slice], slices: Indices) -> tuple[slice, slice]:
        """Return a range of native voxels along x and y that includes all that depend on a part of the windows of `slices`."""
        sides = []
        for axis, side in enumerate(part):
            starts = self.starts[slices, axis]
            first, end = max(int(starts.min()) + side.start, 0), max(int(starts.max()) + side.stop, 0)
            end = end if side.start < side.stop else first
            sides.append(true_range(self.backward[axis][:, first:end].any(axis=1)))
        return sides[0], sides[1]

    def _samples(self, start: int | np.ndarray, axis: int) -> np.ndarray:
        return start + np.arange(self.size[axis])

    def _inside(self, start: int | np.ndarray, axis: int) -> np.ndarray:
        samples = self._samples(start, axis)
        return (samples >= 0) & (samples < self.fine_shape[axis])

    def _repeated(self, start: int | np.ndarray, axis: int) -> np.ndarray:
        """Return the indices of a window's fine samples along an axis, clipped to the image."""
        return np.clip(self._samples(start, axis), 0, self.fine_shape[axis] - 1)

    @cached_property
    def _forward_of(self) -> Callable[[int, int], tuple[slice, np.ndarray]]:
        """The function from an axis and a window's first sample to the voxels that it reads and their resampling matrix.

        Its last results are cached, since the windows of neighboring slices often begin at the same sample.
        """

        def forward_of(axis: int, start: int) -> tuple[slice, np.ndarray]:
            matrix = self.forward[axis][self._repeated(start, axis)]
            voxels = true_range(matrix.any(axis=0))
            return voxels, matrix[:, voxels].copy()

        return lru_cache(KEPT_MATRICES)(forward_of)

    @cached_property
    def _backward_of(self) -> Callable[[int, int, int, int], np.ndarray]:
        """The function from an axis, a window's first sample and a range of voxels to the matrix that maps it back; cached."""

        def backward_of(axis: int, start: int, first: int, end: int) -> np.ndarray:
            rows = self.backward[axis][first:end]
            matrix = np.zeros((len(rows), self.size[axis]), np.float32)
            inside = self._inside(start, axis)
            matrix[:, inside] = rows[:, self._samples(start, axis)[inside]]
            return matrix

        return lru_cache(KEPT_MATRICES)(backward_of)


def windows_around(
    volume: Volume,
    centers_vx: np.ndarray | None,
    spacing_mm: float,
    size: int,
    align: str = "edges",
    reduce: str = "mean",
    pad: bool = True,
) -> SliceWindows:
    """Return square windows of `size` samples of `spacing_mm`, centered on a point of each slice.

    Parameters
    ----------
    volume : Volume
        An RPI volume, shape (nx, ny, nz).
    centers_vx : ndarray, shape (nz, 2), or None
        Center of each slice's window in native voxel coordinates (integers are voxel centers); None for the image's center.
    spacing_mm : float
        In-plane sample spacing of the windows.
    size : int
        Number of samples along x and y.
    align, reduce : str
        The options of `core.image.resampling.resampling_matrix`.
    pad : bool
        Whether windows may extend beyond the image. If not, they are shifted inside, and an image with a side of `size`
        samples or less is used whole.

    Returns
    -------
    SliceWindows
    """
    shift = 0.5 if align == "edges" else 0.0
    native, native_mm = volume.shape[:2], volume.spacing_mm[:2]
    fine = resampled_length(native[0], native_mm[0], spacing_mm), resampled_length(native[1], native_mm[1], spacing_mm)
    axes = list(zip(native, native_mm, fine, strict=True))
    forward_x, forward_y = (resampling_matrix(n, s, m, spacing_mm, align, reduce) for n, s, m in axes)
    backward_x, backward_y = (resampling_matrix(m, spacing_mm, n, s, align, reduce) for n, s, m in axes)
    if centers_vx is None:
        starts = np.tile(np.array(fine) // 2 - size // 2, (volume.shape[2], 1))
    else:
        centers_fine = (np.asarray(centers_vx, float) + shift) * np.array(native_mm) / spacing_mm - shift
        starts = np.floor(centers_fine - (size - 1) / 2 + 0.5).astype(int)
    window = (size, size)
    if not pad:
        whole = min(fine) <= size
        window = fine if whole else window
        starts = np.zeros_like(starts) if whole else np.clip(starts, 0, np.array(fine) - size)
    return SliceWindows(starts, window, fine, (forward_x, forward_y), (backward_x, backward_y))
