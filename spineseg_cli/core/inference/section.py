"""One axial section of the cord: its outline on rays from its center, and the intensities along them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

RAYS = 48
STEP_MM = 0.1
FARTHEST_MM = 14.0

# Samples a voxel and axis in which the fraction inside a contour is counted.
SUBSAMPLES = 4

_ANGLES = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
_COSINES, _SINES = np.cos(_ANGLES)[:, None], np.sin(_ANGLES)[:, None]


class Section(NamedTuple):
    """One axial slice.

    Parameters
    ----------
    slice_index : int
        Its index in the stack.
    box : tuple of slice
        The voxels around the cord.
    center_vx : ndarray, shape (2,)
        The center in them.
    outline_mm : ndarray, shape (RAYS,)
        The distance from the center to a network's outline.
    profile : ndarray, shape (RAYS, n), float32
        Intensities about the outline.
    noise : float
        The standard deviation of intensity inside.
    """

    slice_index: int
    box: tuple[slice, slice]
    center_vx: np.ndarray
    outline_mm: np.ndarray
    profile: np.ndarray
    noise: float


def read_section(
    image: np.ndarray, probability: np.ndarray, index: int, spacing_mm: tuple[float, ...], offsets_mm: np.ndarray
) -> Section:
    """Return the section of the cord, a probability above 0.5, in a slice.

    Parameters
    ----------
    image, probability : ndarray, shape (nx, ny)
    index : int
        The index of the slice in the stack.
    spacing_mm : tuple of float
    offsets_mm : ndarray, shape (n,)
        Distances from the outline at which intensities are read, rising.
    """
    inside = _largest_object(probability > 0.5)
    center = _center_of(inside)
    half = np.ceil((FARTHEST_MM + offsets_mm[-1]) / np.array(spacing_mm[:2])).astype(int)
    first, end = np.maximum(center.astype(int) - half, 0), np.minimum(center.astype(int) + half + 1, image.shape)
    box = slice(int(first[0]), int(end[0])), slice(int(first[1]), int(end[1]))
    center = center - first
    outline = _outline_mm(probability[box], center, spacing_mm)
    part = image[box].astype(float)
    radii = np.maximum(outline[:, None] + offsets_mm, 0)
    rays = _on_rays(center, radii, spacing_mm)
    profile = ndimage.map_coordinates(part, rays, order=3, mode="nearest").astype(np.float32)
    core = ndimage.binary_erosion(inside[box])
    return Section(index, box, center, outline, profile, float(part[core if core.any() else inside[box]].std()))


def _largest_object(mask: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(mask)
    return labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]) if count > 1 else mask


def _center_of(mask: np.ndarray) -> np.ndarray:
    """Return the center of the voxels of a mask, shape (2,)."""
    sums = [mask.sum(axis=1 - axis) for axis in (0, 1)]
    return np.array([along @ np.arange(len(along)) / along.sum() for along in sums])


def fraction_inside(
    box: tuple[slice, slice], center_vx: np.ndarray, radius_mm: np.ndarray, spacing_mm: tuple[float, ...]
) -> np.ndarray:
    """Return the fraction of each voxel of a section's box that lies inside a contour, whose radius each ray has."""
    fraction = np.zeros([side.stop - side.start for side in box])
    sides, points = [], []
    for n, center, spacing in zip(fraction.shape, center_vx, spacing_mm, strict=False):
        reach = int(radius_mm.max() / spacing) + 2  # beyond lies nothing of it
        side = slice(max(int(center) - reach, 0), min(int(center) + reach + 1, n))
        voxels = np.arange(n)[side, None] + (np.arange(SUBSAMPLES) + 0.5) / SUBSAMPLES - 0.5
        sides.append(side)
        points.append((voxels.ravel() - center) * spacing)
    x, y = points
    blur_mm = max(spacing_mm[:2]) / SUBSAMPLES
    away = np.hypot(x[:, None], y[None, :])
    # Samples nearer to the center than every ray's radius are inside, and those farther than every one outside.
    inside = (away < radius_mm.min()).astype(float)
    doubtful = np.abs(away - (radius_mm.min() + radius_mm.max()) / 2) < np.ptp(radius_mm) / 2 + blur_mm
    row, column = np.nonzero(doubtful)
    ray = np.mod(np.arctan2(y[column], x[row]) * RAYS / (2 * np.pi), RAYS)
    first = np.floor(ray).astype(int) % RAYS
    edge = radius_mm[first] + (ray - np.floor(ray)) * (radius_mm[(first + 1) % RAYS] - radius_mm[first])
    inside[row, column] = np.clip((edge - away[row, column]) / blur_mm + 0.5, 0, 1)
    fraction[tuple(sides)] = inside.reshape(len(x) // SUBSAMPLES, SUBSAMPLES, -1, SUBSAMPLES).mean(axis=(1, 3))
    return fraction


def _on_rays(center_vx: np.ndarray, radii_mm: np.ndarray, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """Return voxel coordinates, shape (2, RAYS, n), of points on the rays."""
    rays = np.empty((2, RAYS, radii_mm.shape[1]))
    for along, center, wave, spacing in zip(rays, center_vx, (_COSINES, _SINES), spacing_mm, strict=False):
        np.multiply(wave, radii_mm, out=along)
        along /= spacing
        along += center
    return rays


def _outline_mm(probability: np.ndarray, center_vx: np.ndarray, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """Return on each ray the first radius at which the probability falls below 0.5."""
    farthest_mm = _farthest_mm(probability >= 0.5, center_vx, spacing_mm)
    radii = np.arange(0, min(farthest_mm, FARTHEST_MM), STEP_MM)
    along = ndimage.map_coordinates(probability, _on_rays(center_vx, radii[None], spacing_mm), order=1, mode="nearest")
    below = along < 0.5
    outer = np.clip(np.where(below.any(axis=1), below.argmax(axis=1), len(radii) - 1), 1, None)
    ray = np.arange(RAYS)
    high, low = along[ray, outer - 1], along[ray, outer]
    return radii[outer - 1] + STEP_MM * np.clip((high - 0.5) / np.maximum(high - low, 1e-6), 0, 1)


def _farthest_mm(inside: np.ndarray, center_vx: np.ndarray, spacing_mm: tuple[float, ...]) -> float:
    """Return a distance from the center beyond which nothing between voxels is as high as in those that are `inside`."""
    reach = []
    for axis in (0, 1):
        filled = np.flatnonzero(inside.any(axis=1 - axis))
        reach.append(np.abs(filled[[0, -1]] - center_vx[axis]).max() * spacing_mm[axis] + spacing_mm[axis])
    return float(np.hypot(*reach)) + 2 * STEP_MM
