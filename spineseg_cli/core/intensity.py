"""Intensity standardisation."""

from __future__ import annotations

import numpy as np

# Below this share of the values' size, a spread is rounding error and the slice is flat.
RELATIVE_SPREAD_FLOOR = 1e-6

# How intensities are scaled: mean 0 and standard deviation 1, or from 0 to 1.
SCALES = ("standard", "minmax")


def standardise(
    stack: np.ndarray, inside: np.ndarray | None = None, per_slice: bool = True, scale: str = "standard"
) -> np.ndarray:
    """Return `stack` with mean 0 and standard deviation 1, or from 0 to 1, in each slice or in the stack as a whole.

    Parameters
    ----------
    stack : ndarray, shape (n, height, width)
    inside : ndarray of bool, same shape, optional
        Samples that count for the scale; all by default.
    per_slice : bool
        Standardise each slice by itself, or the whole stack at once.
    scale : str
        One of `SCALES`: ``(v - mean) / deviation``, or ``(v - min) / (max - min)``.

    Returns
    -------
    ndarray, float32
        A flat slice (or stack) becomes 0.
    """
    axes = (1, 2) if per_slice else (0, 1, 2)
    where = np.ones(stack.shape, bool) if inside is None else inside
    values = stack.astype(np.float64)
    origin, spread = (_extremes if scale == "minmax" else _moments)(values, where, axes)
    flat = spread <= RELATIVE_SPREAD_FLOOR * np.maximum(np.abs(origin), np.finfo(np.float32).tiny)
    return np.where(flat, 0, (values - origin) / np.where(flat, 1, spread)).astype(np.float32)


def _moments(values: np.ndarray, where: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation."""
    count = np.maximum(where.sum(axis=axes, keepdims=True), 1)
    mean = np.where(where, values, 0).sum(axis=axes, keepdims=True) / count
    return mean, np.sqrt(np.where(where, (values - mean) ** 2, 0).sum(axis=axes, keepdims=True) / count)


def _extremes(values: np.ndarray, where: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return least value and range; 0 where there are no samples."""
    least = np.where(where, values, np.inf).min(axis=axes, keepdims=True)
    most = np.where(where, values, -np.inf).max(axis=axes, keepdims=True)
    empty = ~where.any(axis=axes, keepdims=True)
    return np.where(empty, 0, least), np.where(empty, 0, most - least)
