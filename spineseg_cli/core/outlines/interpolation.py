"""Linear interpolation of slices between those that are known, where neighbors are near and alike."""

from __future__ import annotations

import numpy as np


def interpolation(slices: np.ndarray, known: np.ndarray, joined: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the slices that others are interpolated from, and the weight of each of these.

    `slices`, shape (m,), are wanted and `known`, shape (k,), are known, both int and in increasing order; `joined`, bool, shape
    (k - 1,), says between which neighboring known slices others are interpolated; it may be empty, for none. A slice that is not
    between two joined ones stands for itself. The slices that are used, int, shape (n,), are in increasing order; their weights,
    shape (m, n), float32, have the sum 1 in each wanted slice.
    """
    below, above = slices.copy(), slices.copy()
    if joined.any():
        gap = np.searchsorted(known, slices, side="right") - 1
        between = (gap >= 0) & (gap < len(joined))
        between[between] = joined[gap[between]]
        below[between], above[between] = known[gap[between]], known[gap[between] + 1]
    used, rows = np.union1d(below, above), np.arange(len(slices))
    share = (slices - below) / np.maximum(above - below, 1)
    weights = np.zeros((len(slices), len(used)), np.float32)
    weights[rows, np.searchsorted(used, below)] = 1 - share
    weights[rows, np.searchsorted(used, above)] += share
    return used, weights
