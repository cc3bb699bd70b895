"""Slices whose gray matter is unreliable: it is neither symmetric nor like that of the slice below, nor of another intensity.

Masks are of windows around the cord, shape (height, width): the first axis runs from side to side, the second from back to front.
"""

from __future__ import annotations

import numpy as np

from spineseg_cli.core.image.packed import PackedMasks

# Axes of the mirror that are tried: tilts of the head, and shifts beside the mask's center of mass.
TILTS_DEG = np.arange(-16, 17, 2)
SHIFTS = np.arange(-1.5, 1.75, 0.5)

# Masks are aligned by their centers of mass, and by shifts of up to so many samples from there.
REACH = 2

# A slice is judged by its symmetry, by its overlap with the slice below, and by the contrast of gray and white matter, of which
# half of the scan's will do: each is 1 at best. What their sum lacks beside the medians over this many slices is less than this
# in ordinary slices. The topmost ones are unreliable if what they lack beyond it adds up to as much again: one slice at the end
# of a scan may be a little odd, and several in a row are not.
MIN_DROP = 0.25
ENOUGH_CONTRAST = 0.5
SAMPLED_SLICES = 40


def mirror_symmetry(mask: np.ndarray) -> float:
    """Return the Dice coefficient of a mask and its mirror image, about the best upright axis; 0 if it is empty."""
    points = np.argwhere(mask)
    if len(points) == 0:
        return 0.0
    tilts = np.deg2rad(TILTS_DEG)
    normals = np.stack([np.cos(tilts), np.sin(tilts)])
    offset = (points - points.mean(axis=0)) @ normals  # (points, tilts)
    moves = 2 * (SHIFTS - offset[..., None])  # (points, tilts, shifts)
    mirrored = points[:, :, None, None] + normals[None, :, :, None] * moves[:, None]
    return float(_taken(mask, mirrored.round().astype(int)).mean(axis=0).max())


def overlap_when_aligned(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Dice coefficient of two masks of one shape, aligned by their centers of mass; 0 if one is empty."""
    points, others = np.argwhere(first), np.argwhere(second)
    if len(points) == 0 or len(others) == 0:
        return 0.0
    centered = points + (others.mean(axis=0) - points.mean(axis=0))
    shifts = np.stack(np.meshgrid(*[np.arange(-REACH, REACH + 1)] * 2)).reshape(2, -1)
    laid = (centered[:, :, None] + shifts).round().astype(int)
    return float(2 * _taken(second, laid).sum(axis=0).max() / (len(points) + len(others)))


def _taken(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return whether `points`, integers of shape (count, 2, ...), lie in the mask: shape (count, ...)."""
    x, y = np.moveaxis(points, 1, 0)
    inside = (x >= 0) & (x < mask.shape[0]) & (y >= 0) & (y < mask.shape[1])
    return inside & mask[np.where(inside, x, 0), np.where(inside, y, 0)]


def unreliable_superior_slices(masks: np.ndarray | PackedMasks, contrasts: np.ndarray | None = None) -> int:
    """Return how many of the topmost slices, from inferior to superior, show no reliable gray matter, or none.

    At the skull's base gray matter fades before the cord ends, and what a network draws there is lopsided, different in each
    slice, and not what is bright, or dark, in the slices below. Slices are judged from the top, until what they lack falls short
    of `MIN_DROP` by as much again.

    Parameters
    ----------
    masks : ndarray of bool, shape (n, height, width), or PackedMasks
    contrasts : ndarray, shape (n,), optional
        See `tissue_evidence.TissueSection.contrast`.
    """
    if len(masks) < 2:
        return 0
    contrast = np.ones(len(masks)) if contrasts is None else _shares_of_median(contrasts)
    drawn = np.unique(np.linspace(1, len(masks) - 1, min(SAMPLED_SLICES, len(masks) - 1)).round().astype(int))
    usual = sum(np.median(values) for values in zip(*(_symmetry_and_overlap(masks, k) for k in drawn), strict=True)) + 1
    unreliable, excess, most = 0, 0.0, MIN_DROP
    for count in range(1, len(masks)):
        k = len(masks) - count
        excess += usual - sum(_symmetry_and_overlap(masks, k)) - contrast[k] - MIN_DROP
        if excess >= most:
            unreliable, most = count, excess
        if excess < -MIN_DROP:
            break
    return unreliable


def _shares_of_median(contrasts: np.ndarray) -> np.ndarray:
    """Return the contrast of each slice, from 0, where it is none or inverted, to 1, where it is enough of the median."""
    median = np.median(contrasts)
    return np.ones(len(contrasts)) if median == 0 else np.clip(contrasts / (ENOUGH_CONTRAST * median), 0, 1)


def _symmetry_and_overlap(masks: np.ndarray | PackedMasks, k: int) -> tuple[float, float]:
    """Return the symmetry of a mask, and its overlap with the mask below."""
    return mirror_symmetry(masks[k]), overlap_when_aligned(masks[k], masks[k - 1])
