"""Nerve roots about the conus, where they leave no gap between them and the cord."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

# Angles from the cord's side, degrees, at which a bundle of ventral or of dorsal roots lies against it, front positive.
BUNDLES_DEG = ((-5.0, 60.0), (-80.0, -15.0))

# Roots of a bundle; their radii, how far the bundle reaches from the cord, and how far its roots stray from a line, in mm.
ROOTS = (5, 16)
RADIUS_MM = (0.4, 0.9)
REACH_MM = (0.5, 4.5)
STRAY_MM = 0.4

# Left and right are alike, but for this, in degrees and mm.
ASYMMETRY_DEG, ASYMMETRY_MM = 8.0, 0.4


def roots_about(cord: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return where the roots beside a section of the conus are: bundles on each side, that begin at its surface.

    Parameters
    ----------
    cord : ndarray of bool, shape (n, n)
        First axis right to left, second back to front, as RPI has them; without cord there are no roots.
    spacing_mm : float
        The voxel size.
    rng : numpy Generator
        The source of every random number.

    Returns
    -------
    ndarray of bool, shape (n, n)
        The cord itself is left out.
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
    """Return where a ray from the center leaves the cord, in samples."""
    steps = np.arange(max(distance_mm.shape))
    path = center + steps[:, None] * direction
    seen = ndimage.map_coordinates(distance_mm, path.T, order=0, mode="nearest")
    return path[int(np.argmax(seen > 0))]


def _disc(shape: tuple[int, int], center: np.ndarray, radius: float) -> np.ndarray:
    x, y = np.ogrid[: shape[0], : shape[1]]
    return (x - center[0]) ** 2 + (y - center[1]) ** 2 <= radius**2
