"""The correlation of adjacent slices around the mask: it is low where the subject moved, or the signal is lost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def neighbor_correlation(images: Sequence[np.ndarray], adjacent: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Return the mean correlation of each of n images with the `adjacent` ones of the same voxels, shape (n,); 1 without any."""
    return np.array(
        [
            np.mean([_correlation(image, other) for other in others]) if others else 1.0
            for image, others in zip(images, adjacent, strict=True)
        ]
    )


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of the intensities of two images; 0 if one of them is constant."""
    first, second = (image.astype(float).ravel() - image.mean(dtype=float) for image in (one, other))
    norm = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / norm if norm > 0 else 0.0
