"""Axial sections of the cord, each with its outline on rays from its center and the intensities along these."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from spineseg_cli.core.inference.postprocessing import eroded, in_one_piece

RAYS = 48
STEP_MM = 0.1
FARTHEST_MM = 14.0

# Subsamples of a voxel per axis, from which the fraction inside a contour is computed.
SUBSAMPLES = 4

_ANGLES = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
_SUBSAMPLE_X, _SUBSAMPLE_Y = (np.mgrid[:SUBSAMPLES, :SUBSAMPLES].reshape(2, -1) + 0.5) / SUBSAMPLES - 0.5
_COSINES, _SINES = np.cos(_ANGLES)[:, None], np.sin(_ANGLES)[:, None]


class Section(NamedTuple):
    """The section of the cord in an axial slice.

    Parameters
    ----------
    slice_index : int
        Index of the slice in the stack.
    box : tuple of slice
        Box of voxels around the cord.
    center_vx : ndarray, shape (2,)
        Voxel coordinates of the section's center in the box.
    outline_mm : ndarray, shape (RAYS,)
        Distance from the center to the network's outline on each ray.
    profile : ndarray, shape (RAYS, n), float32
        Intensities along each ray around the outline.
    noise : float
        Standard deviation of the intensity inside the outline.
    """

    slice_index: int
    box: tuple[slice, slice]
    center_vx: np.ndarray
    outline_mm: np.ndarray
    profile: np.ndarray
    noise: float


def read_sections_of(
    image: np.ndarray, probability: np.ndarray, slices: np.ndarray, spacing_mm: tuple[float, ...], offsets_mm: np.ndarray
) -> list[Section]:
    """Return the section of the cord, where the probability exceeds 0.5, in some axial slices.

    Parameters
    ----------
    image, probability : ndarray, shape (nx, ny, n)
        Intensities, and the network's probability of cord.
    slices : ndarray of int
        Indices of the slices, all of which hold cord.
    spacing_mm : tuple of float
        The voxel size.
    offsets_mm : ndarray
        Increasing offsets from the outline at which intensities are sampled.
    """
    inside = _largest_objects(probability[:, :, slices] > 0.5)
    cores = eroded(inside)
    centers = _centers_of(inside)
    half = np.ceil((FARTHEST_MM + offsets_mm[-1]) / np.array(spacing_mm[:2])).astype(int)
    firsts = np.maximum(centers.astype(int) - half, 0)
    ends = np.minimum(centers.astype(int) + half + 1, image.shape[:2])
    sections = []
    for index, (k, first, end) in enumerate(zip(slices.tolist(), firsts.tolist(), ends.tolist(), strict=True)):
        box = slice(first[0], end[0]), slice(first[1], end[1])
        center = centers[index] - first
        outline = _outline_mm(probability[:, :, k][box], center, spacing_mm)
        part = image[:, :, k][box].astype(float)
        rays = _on_rays(center, np.maximum(outline[:, None] + offsets_mm, 0), spacing_mm)
        profile = ndimage.map_coordinates(part, rays, order=3, mode="nearest").astype(np.float32)
        core = cores[:, :, index][box]
        noise = part[core if core.any() else inside[:, :, index][box]].std()
        sections.append(Section(k, box, center, outline, profile, float(noise)))
    return sections


def _largest_objects(mask: np.ndarray) -> np.ndarray:
    """Return a mask, shape (nx, ny, n), with the largest object of each slice."""
    for k in np.flatnonzero(~in_one_piece(mask)):
        labels, count = ndimage.label(mask[:, :, k])
        if count > 1:
            mask[:, :, k] = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    return mask


def _centers_of(mask: np.ndarray) -> np.ndarray:
    """Return the center of mass of each slice of a mask, shape (nx, ny, n), in voxel coordinates, shape (n, 2)."""
    sums = mask.sum(axis=1), mask.sum(axis=0)
    return np.stack([np.arange(len(along)) @ along / along.sum(axis=0) for along in sums], axis=1)


def fraction_inside(
    box: tuple[slice, slice], center_vx: np.ndarray, radius_mm: np.ndarray, spacing_mm: tuple[float, ...]
) -> np.ndarray:
    """Return the fraction of each voxel of a section's box inside the contour with the given radius on each ray."""
    fraction = np.zeros([side.stop - side.start for side in box])
    sides, points = [], []
    for n, center, spacing in zip(fraction.shape, center_vx, spacing_mm, strict=False):
        reach = int(radius_mm.max() / spacing) + 2  # no voxel beyond is inside the contour
        side = slice(max(int(center) - reach, 0), min(int(center) + reach + 1, n))
        sides.append(side)
        points.append((np.arange(side.start, side.stop) - center) * spacing)
    x, y = points
    blur_mm = max(spacing_mm[:2]) / SUBSAMPLES
    away = np.sqrt(x[:, None] ** 2 + y[None, :] ** 2)
    part = (away < radius_mm.min()).astype(float)
    # Voxels farther from the contour than this are entirely inside or outside.
    near_mm = blur_mm + math.hypot(*spacing_mm[:2]) / 2
    row, column = np.nonzero((away > radius_mm.min() - near_mm) & (away < radius_mm.max() + near_mm))
    x, y = x[row, None] + _SUBSAMPLE_X * spacing_mm[0], y[column, None] + _SUBSAMPLE_Y * spacing_mm[1]
    ray = np.arctan2(y, x) * (RAYS / (2 * np.pi)) % RAYS
    first = ray.astype(int) % RAYS
    edge = radius_mm[first] + (ray - np.floor(ray)) * (np.roll(radius_mm, -1) - radius_mm)[first]
    inside = np.clip((edge - np.sqrt(x**2 + y**2)) / blur_mm + 0.5, 0, 1)
    part[row, column] = inside.mean(axis=1)
    fraction[tuple(sides)] = part
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
    """Return the first radius on each ray at which the probability falls below 0.5."""
    farthest_mm = _farthest_mm(probability >= 0.5, center_vx, spacing_mm)
    radii = np.arange(0, min(farthest_mm, FARTHEST_MM), STEP_MM)
    radii = radii[min(max(int(_nearest_mm(probability < 0.5, center_vx, spacing_mm) / STEP_MM), 0), len(radii) - 2) :]
    along = ndimage.map_coordinates(probability, _on_rays(center_vx, radii[None], spacing_mm), order=1, mode="nearest")
    below = along < 0.5
    outer = np.clip(np.where(below.any(axis=1), below.argmax(axis=1), len(radii) - 1), 1, None)
    ray = np.arange(RAYS)
    high, low = along[ray, outer - 1], along[ray, outer]
    return radii[outer - 1] + STEP_MM * np.clip((high - 0.5) / np.maximum(high - low, 1e-6), 0, 1)


def _farthest_mm(inside: np.ndarray, center_vx: np.ndarray, spacing_mm: tuple[float, ...]) -> float:
    """Return a distance from the center beyond which no interpolated probability can reach that of voxels `inside`."""
    reach = []
    for axis in (0, 1):
        filled = np.flatnonzero(inside.any(axis=1 - axis))
        reach.append(np.abs(filled[[0, -1]] - center_vx[axis]).max() * spacing_mm[axis] + spacing_mm[axis])
    return float(np.hypot(*reach)) + 2 * STEP_MM


def _nearest_mm(outside: np.ndarray, center_vx: np.ndarray, spacing_mm: tuple[float, ...]) -> float:
    """Return a distance from the center up to which no interpolated probability can be as low as in voxels `outside`."""
    x, y = (((np.arange(n) - center) * mm) ** 2 for n, center, mm in zip(outside.shape, center_vx, spacing_mm, strict=False))
    square_mm2 = (x[:, None] + y[None, :])[outside].min(initial=FARTHEST_MM**2)
    return math.sqrt(square_mm2) - math.hypot(*spacing_mm[:2])
