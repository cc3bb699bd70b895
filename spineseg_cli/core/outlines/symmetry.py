"""Detection of unreliable gray matter, by its symmetry, its overlap with the slice below, and its contrast to white matter.

Masks are given in windows around the cord, shape (height, width): the first axis is left-right, the second back to front.
"""

from __future__ import annotations

import numpy as np

from spineseg_cli.core.image.packed import PackedMasks

# Mirror axes that are tried: tilts, and offsets from the mask's center of mass in samples.
TILTS_DEG = np.arange(-16, 17, 2)
SHIFTS = np.arange(-1.5, 1.75, 0.5)

# Masks are aligned by their centers of mass, and by shifts of up to this number of samples from there.
REACH = 2

# The score of a slice is the sum of its symmetry, its overlap with the slice below, and its contrast of gray and white matter;
# each is at most 1, and half of the scan's median contrast suffices. In ordinary slices, the score is less than MIN_DROP below
# the usual one, from medians over SAMPLED_SLICES. The topmost slices are unreliable if their drops beyond MIN_DROP add up to
# MIN_DROP or more: a single slice at the end of a scan may be slightly unusual, but not several in a row.
MIN_DROP = 0.25
ENOUGH_CONTRAST = 0.5
SAMPLED_SLICES = 40


def mirror_symmetry(mask: np.ndarray) -> float:
    """Return the Dice coefficient of a mask and its mirror image about the best near-vertical axis; 0 if it is empty."""
    points = np.argwhere(mask)
    if len(points) == 0:
        return 0.0
    tilts = np.deg2rad(TILTS_DEG)
    normals = np.stack([np.cos(tilts), np.sin(tilts)])
    offset = (points - points.mean(axis=0)) @ normals  # (points, tilts)
    moves = 2 * (SHIFTS[:, None, None] - offset.T)  # (shifts, tilts, points)
    mirrored = [index + normal[:, None] * moves for index, normal in zip(points.T, normals, strict=True)]
    return float(_taken(mask, *mirrored).sum(axis=-1).max() / len(points))


def overlap_when_aligned(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Dice coefficient of two masks of the same shape after alignment of their centers; 0 if one is empty."""
    points, others = np.argwhere(first), np.argwhere(second)
    if len(points) == 0 or len(others) == 0:
        return 0.0
    centered = points + (others.mean(axis=0) - points.mean(axis=0))
    shifts = np.stack(np.meshgrid(*[np.arange(-REACH, REACH + 1)] * 2)).reshape(2, -1)
    shifted = [index + shift[:, None] for index, shift in zip(centered.T, shifts, strict=True)]
    return float(2 * _taken(second, *shifted).sum(axis=-1).max() / (len(points) + len(others)))


def _taken(mask: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return whether the points at x and y, rounded to the nearest samples, lie in the mask: bool, in the shape of x and y."""
    framed = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), bool)
    framed[1:-1, 1:-1] = mask
    x, y = (np.rint(at).clip(-1, n) + 1 for at, n in zip((x, y), mask.shape, strict=True))
    return framed.ravel()[(x * framed.shape[1] + y).astype(np.intp)]


def unreliable_superior_slices(masks: PackedMasks, contrasts: np.ndarray | None = None) -> int:
    """Return how many of the topmost slices show no reliable gray matter.

    At the base of the skull, gray matter fades before the cord ends. The network's mask is then asymmetric, different in each
    slice, and lacks the contrast of the slices below. Slices are judged from the top, until the sum of their drops beyond
    `MIN_DROP` is below -`MIN_DROP`.

    `masks` is the gray matter of each slice, from inferior to superior; `contrasts`, shape (n,), is the
    `tissue_evidence.TissueSection.contrast` of each.
    """
    if len(masks) < 2:
        return 0
    contrast = np.ones(len(masks)) if contrasts is None else _shares_of_median(contrasts)
    sampled = np.unique(np.linspace(1, len(masks) - 1, min(SAMPLED_SLICES, len(masks) - 1)).round().astype(int))
    usual = sum(np.median(values) for values in zip(*(_symmetry_and_overlap(masks, k) for k in sampled), strict=True)) + 1
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
    """Return the contrast of each slice, scaled from 0 (none, or inverted) to 1 (at least half of the median)."""
    median = np.median(contrasts)
    return np.ones(len(contrasts)) if median == 0 else np.clip(contrasts / (ENOUGH_CONTRAST * median), 0, 1)


def _symmetry_and_overlap(masks: PackedMasks, k: int) -> tuple[float, float]:
    """Return the symmetry of a mask, and its overlap with the mask below."""
    return masks.cached(mirror_symmetry, k), masks.cached(overlap_when_aligned, k, k - 1)
