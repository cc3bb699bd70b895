"""Masks that are wrong in a run of slices: beside the cord, of its half, with a second one, ragged, or of another size.

Each function takes the network's probability in some slices and the mask, shape (nx, ny, n), and returns both, changed alike in
all slices; the voxel size is that in the plane.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

# Returns the changed probability and mask, from these, the voxel size in the plane, and a generator of random numbers.
Damage = Callable[[np.ndarray, np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def moved_aside(
    probability: np.ndarray, mask: np.ndarray, in_plane_mm: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The mask lies 2 to 8 mm beside the cord."""
    shift = _drawn_shift(in_plane_mm, rng, 2, 8)
    return _shifted(probability, shift), _shifted(mask, shift)


def halved(
    probability: np.ndarray, mask: np.ndarray, in_plane_mm: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The mask lacks one side of the cord, from its middle on."""
    angle = rng.uniform(0, 2 * np.pi)
    kept = np.zeros(mask.shape, bool)
    x, y = (np.arange(n)[:, None] * mm for n, mm in zip(mask.shape, in_plane_mm, strict=False))
    along = x * np.cos(angle) + y.T * np.sin(angle)
    for k in np.flatnonzero(mask.any(axis=(0, 1))):
        kept[:, :, k] = along >= along[mask[:, :, k]].mean()
    return probability * kept, mask & kept


def doubled(
    probability: np.ndarray, mask: np.ndarray, in_plane_mm: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The mask has a second one beside itself, as where a vessel or the canal is taken for cord."""
    shift = _drawn_shift(in_plane_mm, rng, 4, 8)
    return np.maximum(probability, _shifted(probability, shift)), mask | _shifted(mask, shift)


def ragged(
    probability: np.ndarray, mask: np.ndarray, in_plane_mm: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The mask has holes and dents, of which the network's probability knows nothing."""
    noise = ndimage.gaussian_filter(rng.standard_normal(mask.shape), (*(0.6 / in_plane_mm), 0))
    holes = noise > np.quantile(noise, rng.uniform(0.6, 0.9))
    return probability, mask & ~holes


def resized(
    probability: np.ndarray, mask: np.ndarray, in_plane_mm: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The outline lies 1 to 2 mm outside or inside the cord's."""
    radius_vx = np.maximum(np.round(rng.uniform(1, 2) / in_plane_mm), 1).astype(int)
    x, y = (np.arange(-radius, radius + 1) / (radius + 0.5) for radius in radius_vx)
    disc = (np.hypot(x[:, None], y[None, :]) <= 1)[..., None]
    change = ndimage.grey_dilation if rng.integers(2) else ndimage.grey_erosion
    return change(probability, footprint=disc), change(mask.astype(np.uint8), footprint=disc) > 0


DAMAGES: dict[str, Damage] = {"aside": moved_aside, "half": halved, "doubled": doubled, "ragged": ragged, "resized": resized}


def _drawn_shift(in_plane_mm: np.ndarray, rng: np.random.Generator, least_mm: float, most_mm: float) -> np.ndarray:
    """Return a shift of a drawn distance in a drawn direction, in voxels."""
    angle = rng.uniform(0, 2 * np.pi)
    shift_mm = rng.uniform(least_mm, most_mm) * np.array([np.cos(angle), np.sin(angle)])
    return np.round(shift_mm / in_plane_mm).astype(int)


def _shifted(stack: np.ndarray, shift_vx: np.ndarray) -> np.ndarray:
    """Return slices moved in the plane; what comes in from beyond is 0."""
    moved = np.zeros_like(stack)
    to, of = [], []
    for shift, n in zip(shift_vx, stack.shape, strict=False):
        to.append(slice(max(shift, 0), max(n + min(shift, 0), 0)))
        of.append(slice(max(-shift, 0), max(n - max(shift, 0), 0)))
    moved[tuple(to)] = stack[tuple(of)]
    return moved
