"""Test-time augmentation: the mean prediction over mirrored and slightly rotated copies."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spineseg_cli.core.inference.runtime import Runtime

VIEWS = 4
ROTATION_DEG = 10.0
LOG_SCALE = 0.06
SEED = 2017


def predict_mirrored(runtime: Runtime, windows: np.ndarray) -> np.ndarray:
    """Return the mean of the predictions for `windows`, shape (n, height, width), and for their mirror images.

    A mirrored scan therefore gives the mirrored result. The first in-plane axis runs from right to left; the result has shape
    (n, height, width, classes), float32.
    """
    return ((runtime.predict(windows) + runtime.predict(windows[:, ::-1])[:, ::-1]) / 2).astype(np.float32)


def predict_augmented(runtime: Runtime, windows: np.ndarray) -> np.ndarray:
    """Return the mean of the predictions for `windows`, for their mirror images, and for `VIEWS` rotated and scaled copies.

    The random transformations have a fixed seed, so that the result depends on the windows alone.

    `windows` are standardized, shape (n, height, width), with the first in-plane axis from right to left; the result has
    shape (n, height, width, classes), float32.
    """
    rng = np.random.default_rng(SEED)
    total = 2 * predict_mirrored(runtime, windows)
    for _ in range(VIEWS):
        angle = np.deg2rad(rng.uniform(-ROTATION_DEG, ROTATION_DEG))
        scale = np.exp(rng.uniform(-LOG_SCALE, LOG_SCALE))
        matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        transformed = np.stack([_warp(window, matrix) for window in windows])
        prediction = runtime.predict(transformed)
        total += _warp_back(prediction, np.linalg.inv(matrix))
    return (total / (VIEWS + 2)).astype(np.float32)


def _warp_back(prediction: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return a prediction, shape (n, height, width, classes), each channel read at `matrix` times each position."""
    channels = np.moveaxis(prediction, -1, 1)
    return np.stack([np.stack([_warp(c, matrix) for c in one], axis=-1) for one in channels])


def _warp(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return `image` interpolated linearly at `matrix` times each position relative to the center."""
    center = (np.array(image.shape) - 1) / 2
    return ndimage.affine_transform(image, matrix, offset=center - matrix @ center, order=1, mode="nearest")
