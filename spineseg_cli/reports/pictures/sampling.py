"""Interpolation of images along one axis after the other, for pictures."""

from __future__ import annotations

import numpy as np


def linear(data: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return data of shape (n, ...) interpolated linearly at m positions along the first axis, shape (m, ...), float64.

    Beyond the ends, the end values are repeated.
    """
    low, weight = _neighbors(len(data), positions)
    weight = weight.reshape(-1, *(1,) * (data.ndim - 1))
    return data[low] * (1 - weight) + data[np.minimum(low + 1, len(data) - 1)] * weight


def nearest(data: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the voxels of data of shape (n, ...) that contain positions along the first axis; end voxels are repeated."""
    return data[nearest_index(len(data), positions)]


def nearest_index(n: int, positions: np.ndarray) -> np.ndarray:
    """Return the index, among n voxels, of the voxel that contains each position along an axis."""
    return np.clip(np.floor(positions + 0.5).astype(int), 0, n - 1)


def is_within(n: int, positions: np.ndarray) -> np.ndarray:
    """Return which positions lie within n voxels along an axis."""
    return (positions >= -0.5) & (positions < n - 0.5)


def linear_curtain(data: np.ndarray, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return data of shape (nx, ny, nz) on the lines along y through m points (x, z), shape (m, ny), float64."""
    low_x, weight_x = _neighbors(data.shape[0], x)
    low_z, weight_z = _neighbors(data.shape[2], z)
    high_x, high_z = np.minimum(low_x + 1, data.shape[0] - 1), np.minimum(low_z + 1, data.shape[2] - 1)
    weight_x, weight_z = weight_x[:, None], weight_z[:, None]
    below, above = (data[low_x, :, k] * (1 - weight_x) + data[high_x, :, k] * weight_x for k in (low_z, high_z))
    return below * (1 - weight_z) + above * weight_z


def _neighbors(n: int, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the voxel below each position, and the distance to it (0 to 1)."""
    clipped = np.clip(positions, 0, n - 1)
    low = np.minimum(np.floor(clipped).astype(int), max(n - 2, 0))
    return low, clipped - low
