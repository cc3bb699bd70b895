"""Intensity standardisation."""

from __future__ import annotations

import numpy as np

# Below this share of the values' size, a spread is rounding error and the slice is flat.
RELATIVE_SPREAD_FLOOR = 1e-6


def standardise(stack: np.ndarray, inside: np.ndarray | None = None, per_slice: bool = True) -> np.ndarray:
    """Return `stack` with mean 0 and standard deviation 1 in each slice, or in the stack as a whole.

    Parameters
    ----------
    stack : ndarray, shape (n, height, width)
    inside : ndarray of bool, same shape, optional
        Samples that count for mean and standard deviation; all by default.
    per_slice : bool
        Standardise each slice by itself, or the whole stack at once.

    Returns
    -------
    ndarray, float32
        A flat slice (or stack) becomes 0.
    """
    axes = (1, 2) if per_slice else (0, 1, 2)
    where = np.ones(stack.shape, bool) if inside is None else inside
    count = np.maximum(where.sum(axis=axes, keepdims=True), 1)
    values = stack.astype(np.float64)
    mean = np.where(where, values, 0).sum(axis=axes, keepdims=True) / count
    spread = np.sqrt(np.where(where, (values - mean) ** 2, 0).sum(axis=axes, keepdims=True) / count)
    flat = spread <= RELATIVE_SPREAD_FLOOR * np.maximum(np.abs(mean), np.finfo(np.float32).tiny)
    return np.where(flat, 0, (values - mean) / np.where(flat, 1, spread)).astype(np.float32)
