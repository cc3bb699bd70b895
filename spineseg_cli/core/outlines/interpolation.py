"""Linear interpolation of slices between those that are known, where neighbors are near and alike."""

from __future__ import annotations

import numpy as np


def interpolation(slices: np.ndarray, known: np.ndarray, joined: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the slices that others are interpolated from, and the weight of each of these.

    A slice that is not between two joined ones stands for itself.

    Parameters
    ----------
    slices : ndarray of int, shape (m,)
        The slices that are wanted, in increasing order.
    known : ndarray of int, shape (k,)
        The known slices, in increasing order.
    joined : ndarray of bool, shape (k - 1,)
        Between which neighboring known slices others are interpolated; empty if between none.

    Returns
    -------
    used : ndarray of int, shape (n,)
        The slices that are needed, in increasing order.
    weights : ndarray, shape (m, n), float32
        The weights of these in each wanted slice, whose sum is 1.
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
