"""Transformations of a network's probabilities, so that the mean over a voxel is the fraction of it inside the outline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spineseg_cli.core.image.volume import nominal_mm
from spineseg_cli.core.log_odds import log_odds, probability_of

# Probability on the outline.
OUTLINE = 0.5

# Probabilities are clipped to this value and its complement, so that their log-odds are finite.
CERTAIN = 1e-6

# Limit of scaled log-odds: the exponential of more than 88 overflows in float32.
LARGEST_LOG_ODDS = 80.0

# Slice distances at which neighbors may decide where a slice is uncertain, since they show nearly the same section of the cord.
# Closer neighbors add no information, and would end the cord too early at its tip.
NEIGHBOR_DISTANCE_MM = (3.0, 8.0)
NEIGHBOR_WEIGHT = 0.5

# Lower limit of a threshold: with a threshold of 0, only probabilities of almost 0 are outside.
MIN_THRESHOLD = 1e-6


def sharpen(probability: np.ndarray, outline_probability: float = OUTLINE, logit_scale: float = 1.0) -> np.ndarray:
    """Return probabilities moved toward 0 and 1 on the network's fine grid, so that a voxel's mean is its filled fraction.

    A voxel half filled by the structure and one of which the network is uncertain may have the same mean probability, although
    only the first is half filled.

    `outline_probability`, above 0 and below 1, is the probability on the outline, which becomes 0.5. `logit_scale` is the
    inverse of a logit temperature, by which log-odds relative to those on the outline are multiplied; 1, with an
    `outline_probability` of 0.5, changes nothing. The result is float32.
    """
    if (outline_probability, logit_scale) == (OUTLINE, 1.0):
        return probability
    evidence = log_odds(probability, CERTAIN) - np.log(outline_probability / (1 - outline_probability))
    limit = LARGEST_LOG_ODDS / logit_scale
    return probability_of(logit_scale * np.clip(evidence, -limit, limit)).astype(np.float32)


def shift_logits_to_threshold(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Return probabilities whose odds are scaled such that `threshold`, below 1, becomes 0.5.

    A sample of 0.5 then lies on the outline, and the mean over a voxel is its fraction inside.
    """
    if threshold == OUTLINE:
        return probability
    factor = np.float32((1 - threshold) / max(threshold, MIN_THRESHOLD))
    return factor * probability / (1 - probability + factor * probability)


def neighbors_count(distance_mm: float) -> bool:
    """Return whether `smooth_uncertain_along_z` has an effect at this distance between slices."""
    return NEIGHBOR_DISTANCE_MM[0] <= nominal_mm(distance_mm) <= NEIGHBOR_DISTANCE_MM[1]


def smooth_uncertain_along_z(probability: np.ndarray, distance_mm: float, gaps: Sequence[int] | np.ndarray = ()) -> np.ndarray:
    """Return probabilities that are smoothed with the slices above and below where they are uncertain.

    Certain values stay: a compression or a lesion in a single slice that the network sees is not smoothed away.

    `probability`, shape (n, height, width), is in windows that follow the cord, so that neighboring slices, which are
    `distance_mm` apart, are aligned; `gaps` are the indices of slices that are not adjacent to the one before them. The
    result is float32.
    """
    if not neighbors_count(distance_mm):
        return probability
    return np.concatenate([_smooth_run(part) for part in np.split(probability, gaps)])


def _smooth_run(probability: np.ndarray) -> np.ndarray:
    """Return the smoothed probabilities of adjacent slices."""
    if len(probability) < 3:
        return probability
    ends = np.concatenate([probability[:1], probability, probability[-1:]])
    neighbors = (ends[:-2] + ends[2:]) / 2
    doubt = 1 - np.abs(2 * probability - 1)
    return (probability + NEIGHBOR_WEIGHT * doubt * (neighbors - probability)).astype(np.float32)
