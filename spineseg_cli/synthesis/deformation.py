"""Random in-plane deformations, affine and elastic, that are applied to an image and its labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class DeformationRange:
    """The largest values of the parameters of a random deformation; `elastic_grid` is the number of bumps per side."""

    rotation_deg: float = 20.0
    log_scale: float = 0.25
    log_aspect: float = 0.15
    shear: float = 0.1
    shift_mm: float = 4.0
    elastic_mm: float = 1.0
    elastic_grid: int = 6


def random_coordinates(
    shape: tuple[int, int], size: tuple[int, int], limits: DeformationRange, rng: np.random.Generator, spacing_mm: float
) -> np.ndarray:
    """Return the coordinates at which an image is read to give a randomly deformed window of it.

    The window of shape `size` is centered on the image of shape `shape`; both have voxels of `spacing_mm`. The result, shape
    (2, *size), float32, is for `scipy.ndimage.map_coordinates`.
    """
    angle = np.deg2rad(rng.uniform(-1, 1) * limits.rotation_deg)
    scale = np.exp(rng.uniform(-1, 1) * limits.log_scale)
    aspect = np.exp(rng.uniform(-1, 1) * limits.log_aspect / 2)
    shear = rng.uniform(-1, 1) * limits.shear
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = rotation @ np.array([[1, shear], [0, 1]]) @ np.diag([aspect / scale, 1 / (aspect * scale)])
    if rng.random() < 0.5:
        matrix[:, 0] *= -1  # left-right flip: the first axis runs from right to left
    shift = rng.uniform(-1, 1, 2) * limits.shift_mm / spacing_mm
    grid = np.stack(np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in size], indexing="ij")).astype(np.float32)
    center = (np.array(shape) - 1) / 2 + shift
    coordinates = np.tensordot(matrix, grid, axes=1) + center[:, None, None]
    if limits.elastic_mm > 0:
        coordinates += smooth_field((2, *size), limits.elastic_grid, rng) * (limits.elastic_mm / spacing_mm * rng.random())
    return coordinates.astype(np.float32)


def smooth_field(shape: tuple[int, int, int], grid: int, rng: np.random.Generator) -> np.ndarray:
    """Return smooth random fields, float32, of the given shape (count, height, width).

    Each has mean 0, a standard deviation of about 1, and roughly `grid` bumps per side.
    """
    coarse = rng.standard_normal((shape[0], grid + 3, grid + 3), dtype=np.float32)
    return _spline_basis(shape[1], grid) @ coarse @ _spline_basis(shape[2], grid).T


@lru_cache(maxsize=256)
def _spline_basis(n: int, grid: int) -> np.ndarray:
    """Return cubic B-splines at `n` samples, shape (n, grid + 3), scaled such that white noise keeps its mean variance."""
    position = np.linspace(0, grid, n, endpoint=False)[:, None] - (np.arange(grid + 3)[None, :] - 1)
    distance = np.abs(position)
    spline = np.where(distance < 1, 2 / 3 - distance**2 + distance**3 / 2, np.clip(2 - distance, 0, None) ** 3 / 6)
    return (spline / np.sqrt(np.mean(np.sum(spline**2, axis=1)))).astype(np.float32)


def sample(image: np.ndarray, coordinates: np.ndarray, fill: str = "nearest") -> np.ndarray:
    """Return an image of shape (height, width), interpolated linearly at `coordinates`, as float32."""
    return ndimage.map_coordinates(image.astype(np.float32, copy=False), coordinates, order=1, mode=fill)
