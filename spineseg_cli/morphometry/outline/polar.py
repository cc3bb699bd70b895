"""The cord's outline in polar coordinates perpendicular to the cord, and its shape measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from spineseg_cli.morphometry.sections.frame import CordFrame, SliceGrid
from spineseg_cli.morphometry.sections.mask import HALF, CordMask

# Number of rays; they start at half a step, so that they are divided evenly among quadrants and mirror onto each other.
RAYS = 72
STEP_RAD = 2 * np.pi / RAYS
ANGLES_RAD = (np.arange(RAYS) + 0.5) * STEP_RAD
DIRECTIONS = np.stack([np.cos(ANGLES_RAD), np.sin(ANGLES_RAD)])

# Distance of the samples on a ray, in voxels; the crossing between two is interpolated.
SAMPLE_VX = 0.5

# Number of slices that are sampled at once; more exceed the CPU's caches.
SLICES_AT_ONCE = 32

QUADRANTS = ("anterior_left", "anterior_right", "posterior_right", "posterior_left")


@dataclass(frozen=True)
class Rays:
    """The map from polar coordinates around the cord, perpendicular to it, to voxels of the volume in RPI.

    Attributes
    ----------
    origins_vx : ndarray, shape (n, 2)
        Indices of the center along x and y in each slice.
    steps_vx : ndarray, shape (n, RAYS, 2)
        Change of the indices per mm of radius. Angles increase from the cord's left to anterior and rotate with the cord.
    """

    origins_vx: np.ndarray
    steps_vx: np.ndarray

    def at(self, radius_mm: np.ndarray) -> np.ndarray:
        """Return indices along x and y, shape (2, n, RAYS, m), of radii of a shape that broadcasts to (n, RAYS, m)."""
        points = self.origins_vx[:, None, None] + radius_mm[..., None] * self.steps_vx[:, :, None]
        return np.moveaxis(points, -1, 0)


def make_rays(grid: SliceGrid, frame: CordFrame, centers_mm: np.ndarray, orientation_deg: np.ndarray, slices: np.ndarray) -> Rays:
    """Return rays from `centers_mm`, shape (n, 2), whose first axis is rotated from left by the orientation, shape (n,)."""
    angles = np.deg2rad(orientation_deg)[:, None] + ANGLES_RAD
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=-1)  # (n, rays, 2), in the section
    plane_inverse = np.linalg.inv(grid.matrix[:2, :2])
    to_voxels = plane_inverse @ np.linalg.inv(frame.to_section)
    heights = slices[:, None] * grid.matrix[:2, 2]
    return Rays((centers_mm - heights) @ plane_inverse.T, directions @ to_voxels.swapaxes(1, 2))


def trace_outline(mask: CordMask, rays: Rays) -> np.ndarray:
    """Return the radius, mm, at which each ray last leaves the cord, shape (n, RAYS); nan for rays that never enter it.

    The outline is where the fraction, linear between voxel centers, falls through one half.
    """
    origins = rays.origins_vx - mask.first_vx[:2]
    step_mm = SAMPLE_VX / np.abs(rays.steps_vx).max()
    inside = mask.fractions >= HALF
    i, j, k = np.nonzero(inside)
    furthest_vx = np.hypot(i - origins[k, 0], j - origins[k, 1]).max()
    reach_mm = (furthest_vx + 1) / np.linalg.norm(rays.steps_vx, axis=-1).min() + 2 * step_mm
    radii = np.arange(0, reach_mm, step_mm)
    out = np.empty((len(origins), RAYS))
    for first in range(0, len(out), SLICES_AT_ONCE):
        part = slice(first, first + SLICES_AT_ONCE)
        out[part] = step_mm * _last_crossing(
            mask.fractions[:, :, part], Rays(origins[part], rays.steps_vx[part]).at(radii[None, None])
        )
    return out


def _last_crossing(fractions: np.ndarray, points_vx: np.ndarray) -> np.ndarray:
    """Return the sample, shape (n, RAYS), at which fractions (nx, ny, n) along points (2, n, RAYS, m) last fall below half."""
    z = np.broadcast_to(np.arange(fractions.shape[2])[:, None, None], points_vx.shape[1:])
    values = ndimage.map_coordinates(fractions, [*points_vx, z], order=1, mode="constant")
    last = values.shape[-1] - 1 - np.argmax(values[..., ::-1] >= HALF, axis=-1)
    last = np.minimum(last, values.shape[-1] - 2)
    inner = np.take_along_axis(values, last[..., None], -1)[..., 0]
    outer = np.take_along_axis(values, last[..., None] + 1, -1)[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        crossing = last + (inner - HALF) / (inner - outer)
    return np.where(inner >= HALF, crossing, np.nan)


def polygon_area(radius_mm: np.ndarray) -> np.ndarray:
    """Return the area inside outlines, shape (n, RAYS), in mm2, shape (n,), as a sum of sectors, which is exact for a circle."""
    return 0.5 * STEP_RAD * (radius_mm**2).sum(axis=1)


def solidity(radius_mm: np.ndarray) -> np.ndarray:
    """Return area over that of the convex hull, shape (n,), at most 1.

    The hull is the intersection of one half-plane per ray. With the outline's support function h, its area is the sum of
    h_j l_j / 2, where l_j is the length of a side. Both areas are corrected for a smooth outline.
    """
    turns = np.cos(ANGLES_RAD[:, None] - ANGLES_RAD)
    support = (radius_mm[:, :, None] * turns).max(axis=1)
    neighbors = np.roll(support, 1, axis=1) + np.roll(support, -1, axis=1)
    sides = (neighbors - 2 * support * np.cos(STEP_RAD)) / np.sin(STEP_RAD)
    hull = 0.5 * (support * sides).sum(axis=1) * (STEP_RAD / 2) / np.tan(STEP_RAD / 2)
    return np.minimum(polygon_area(radius_mm) / hull, 1)


def symmetry(radius_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the Dice coefficients of the cord with its mirror image, left to right and front to back, each of shape (n,)."""
    left_right = np.roll(radius_mm[:, ::-1], RAYS // 2, axis=1)  # angle to pi - angle
    front_back = radius_mm[:, ::-1]  # angle to -angle
    whole = (radius_mm**2).sum(axis=1)
    return tuple((np.minimum(radius_mm, other) ** 2).sum(axis=1) / whole for other in (left_right, front_back))


def quadrant_shares(radius_mm: np.ndarray) -> np.ndarray:
    """Return the share of the area in each of `QUADRANTS`, shape (n, 4)."""
    sectors = (radius_mm**2).reshape(len(radius_mm), 4, RAYS // 4).sum(axis=2)
    return sectors / sectors.sum(axis=1, keepdims=True)
