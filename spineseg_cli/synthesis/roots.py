"""Nerve roots around the conus that lie directly against the cord."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

# Ranges of the angle at which a bundle of ventral and of dorsal roots touches the cord, from its lateral side; positive is
# anterior.
BUNDLES_DEG = ((-5.0, 60.0), (-80.0, -15.0))

# The number of roots in a bundle, their radius, the distance that a bundle extends from the cord, and the standard deviation of
# the roots about its axis.
ROOTS = (5, 16)
RADIUS_MM = (0.4, 0.9)
REACH_MM = (0.5, 4.5)
STRAY_MM = 0.4

# Standard deviations of the differences between left and right.
ASYMMETRY_DEG, ASYMMETRY_MM = 8.0, 0.4


def roots_about(cord: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return a mask of random nerve roots beside a section of the conus: bundles on each side that start at its surface.

    `cord` and the result are bool, shape (n, n); the first axis runs from right to left, the second from posterior to
    anterior. The roots lie outside the cord; without cord there are none.
    """
    roots = np.zeros_like(cord)
    if not cord.any():
        return roots
    center = np.argwhere(cord).mean(axis=0)
    distance_mm = ndimage.distance_transform_edt(~cord) * spacing_mm
    for low, high in BUNDLES_DEG:
        angle, reach_mm = rng.uniform(low, high), rng.uniform(*REACH_MM)
        for side in (-1, 1):
            turned = np.deg2rad(angle + rng.normal(0, ASYMMETRY_DEG))
            direction = np.array([side * np.cos(turned), np.sin(turned)])
            surface = _surface(distance_mm, center, direction)
            for along in rng.uniform(0, max(reach_mm + rng.normal(0, ASYMMETRY_MM), 0.2), size=rng.integers(*ROOTS)):
                position = surface + (direction * along + rng.normal(0, STRAY_MM, 2)) / spacing_mm
                roots |= _disc(cord.shape, position, rng.uniform(*RADIUS_MM) / spacing_mm)
    return roots & ~cord


def _surface(distance_mm: np.ndarray, center: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Return the point where a ray from the center leaves the cord, in samples."""
    steps = np.arange(max(distance_mm.shape))
    path = center + steps[:, None] * direction
    seen = ndimage.map_coordinates(distance_mm, path.T, order=0, mode="nearest")
    return path[int(np.argmax(seen > 0))]


def _disc(shape: tuple[int, int], center: np.ndarray, radius: float) -> np.ndarray:
    x, y = np.ogrid[: shape[0], : shape[1]]
    return (x - center[0]) ** 2 + (y - center[1]) ** 2 <= radius**2
