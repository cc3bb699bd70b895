"""Standardization of the windows that networks read."""

from __future__ import annotations

import numpy as np

# A spread below this fraction of the values' magnitude is rounding error, and the slice is flat.
RELATIVE_SPREAD_FLOOR = 1e-6

# Number of slices that are standardized at a time, so that intermediate arrays fit into the CPU's caches.
SLICES_AT_A_TIME = 8

# Ways to scale intensities: to mean 0 and standard deviation 1, or from 0 to 1.
NORMALIZATIONS = ("zscore", "minmax")


def standardize(
    stack: np.ndarray, inside: np.ndarray | None = None, per_slice: bool = True, normalization: str = "zscore"
) -> np.ndarray:
    """Return `stack` with mean 0 and standard deviation 1, or from 0 to 1, in each slice or in the stack as a whole.

    `stack`, shape (n, height, width), holds the windows of a scan; the moments, or the extremes, are those of the samples
    `inside`, bool, by default of all. `normalization` is one of `NORMALIZATIONS`: ``(v - mean) / deviation``, or ``(v - min)
    / (max - min)``. The result is float32; a flat slice (or stack) becomes 0.
    """
    if per_slice and len(stack) > SLICES_AT_A_TIME:
        parts = [slice(first, first + SLICES_AT_A_TIME) for first in range(0, len(stack), SLICES_AT_A_TIME)]
        return np.concatenate(
            [standardize(stack[part], None if inside is None else inside[part], True, normalization) for part in parts]
        )
    axes = (1, 2) if per_slice else (0, 1, 2)
    where = None if inside is None or inside.all() else inside
    values = stack.astype(np.float64)
    origin, spread = (_extremes if normalization == "minmax" else _moments)(values, where, axes)
    flat = spread <= RELATIVE_SPREAD_FLOOR * np.maximum(np.abs(origin), np.finfo(np.float32).tiny)
    values -= origin
    values /= np.where(flat, 1, spread)
    values *= ~flat
    return values.astype(np.float32)


def _moments(values: np.ndarray, where: np.ndarray | None, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of all values, or of those selected by `where`."""
    if where is None:
        mean = values.mean(axis=axes, keepdims=True)
        return mean, np.sqrt(((values - mean) ** 2).mean(axis=axes, keepdims=True))
    count = np.maximum(where.sum(axis=axes, keepdims=True), 1)
    mean = np.where(where, values, 0).sum(axis=axes, keepdims=True) / count
    return mean, np.sqrt(np.where(where, (values - mean) ** 2, 0).sum(axis=axes, keepdims=True) / count)


def _extremes(values: np.ndarray, where: np.ndarray | None, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return minimum and range of all values, or of those selected by `where`; 0 if none is selected."""
    where = np.ones(values.shape, bool) if where is None else where
    least = np.where(where, values, np.inf).min(axis=axes, keepdims=True)
    most = np.where(where, values, -np.inf).max(axis=axes, keepdims=True)
    empty = ~where.any(axis=axes, keepdims=True)
    return np.where(empty, 0, least), np.where(empty, 0, most - least)
