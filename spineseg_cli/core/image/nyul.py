"""Mapping of intensities to a standard scale that was learned from scans of one protocol.

Nyul, Udupa, Zhang. New variants of a method of MRI scale standardization. IEEE Transactions on Medical Imaging 19:143, 2000.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spineseg_cli.core.image.standardization import RELATIVE_SPREAD_FLOOR

# Percentiles of the foreground that are the landmarks; between the first and the last, the mapping is piecewise linear.
PERCENTILES = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)

# Values of the first and the last percentile on the standard scale.
STANDARD_RANGE = (0.0, 100.0)


def foreground_landmarks(stack: np.ndarray, inside: np.ndarray | None = None) -> np.ndarray | None:
    """Return `PERCENTILES` of the foreground, the samples brighter than the mean, as in the paper.

    The landmarks have shape (len(PERCENTILES),) and never decrease; None if the foreground is flat. `stack` has any shape;
    `inside`, bool, of the same shape, says which samples are used, by default all.
    """
    values = (stack if inside is None else stack[inside]).astype(np.float64).ravel()
    values = values[values > values.mean()] if len(values) else values
    if not len(values):
        return None
    landmarks = np.percentile(values, PERCENTILES)
    spread = landmarks[-1] - landmarks[0]
    return landmarks if spread > RELATIVE_SPREAD_FLOOR * np.abs(landmarks).max() else None


def learn_scale(landmarks: Sequence[np.ndarray]) -> list[float]:
    """Return the standard landmarks: the mean over scans after scaling each linearly to `STANDARD_RANGE`.

    `landmarks` are those of one or more scans, each from `foreground_landmarks`. Raises ValueError if there are none.
    """
    if not len(landmarks):
        raise ValueError("a standard scale needs the landmarks of one scan at least")
    first, last = STANDARD_RANGE
    scaled = [first + (last - first) * (scan - scan[0]) / (scan[-1] - scan[0]) for scan in landmarks]
    return [float(value) for value in np.mean(scaled, axis=0)]


def to_standard_scale(stack: np.ndarray, standard: Sequence[float], inside: np.ndarray | None = None) -> np.ndarray:
    """Return `stack` after a piecewise linear mapping of its own landmarks to the standard ones.

    The mapping never decreases, and does not depend on the gain and the offset of `stack`. Beyond the first and last landmark, it
    continues with the mean slope between these, so that nothing is clipped.

    `stack` holds all slices of a scan, in any shape; the result is float32, and 0 everywhere if there is no foreground.
    `standard` is from `learn_scale`. The landmarks of `stack` are those of its samples `inside`, bool, by default of all.
    """
    landmarks = foreground_landmarks(stack, inside)
    if landmarks is None:
        return np.zeros(stack.shape, np.float32)
    target = np.asarray(standard, float)
    slope = (target[-1] - target[0]) / (landmarks[-1] - landmarks[0])
    # Equal landmarks, which occur with few gray values, are merged into one knot.
    last = np.append(np.diff(landmarks) > 0, True)
    values = stack.astype(np.float64)
    beyond = np.minimum(values - landmarks[0], 0) + np.maximum(values - landmarks[-1], 0)
    return (np.interp(values, landmarks[last], target[last]) + slope * beyond).astype(np.float32)
