"""How sure a network is of the gray matter of a scan, and whether the image shows it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# The network is sure of a scan's gray matter if the median of its slices' expected Dice coefficients is at least the first, and
# not at all at the second. In ten scans it is 0.907 to 0.926 as they are; with noise, 0.889 to 0.919 (0.15 standard deviations of
# the intensities around the cord) and 0.858 to 0.899 (0.3). Chosen on these, and on five scans whose gray matter is known from a
# second contrast.
SURE_DICE, UNSURE_DICE = 0.915, 0.89

# Gray matter can be seen if the median over slices of its contrast to white matter, in standard deviations of the noise, is at
# least this. Where the network sees slices averaged with their neighbors, so that it does not follow the noise of one, it is 0.85
# or more in nine scans with noise of 0.6 standard deviations, 0.52 or more in nine with noise of 1, and -0.14 to 0.48 in seven of
# eight T1w and T2w scans of 1 mm.
LEAST_CONTRAST = 0.5


def expected_dice(probability: np.ndarray, outline: float) -> np.ndarray:
    """Return the Dice coefficient to be expected of the masks inside an outline, if probabilities are right; shape (n,).

    `probability` has the shape (n, height, width), and is `outline` on the outline. The coefficient is 0 without any probability.
    """
    inside = probability > outline
    sums = probability.sum(axis=(1, 2), dtype=float)
    both = np.where(inside, probability, 0).sum(axis=(1, 2), dtype=float)
    return 2 * both / np.maximum(sums + inside.sum(axis=(1, 2)), np.finfo(float).tiny)


def averaged_weight(probability: np.ndarray, outline: float) -> float:
    """Return how much a network should see of each slice's neighbors, from 0, if it is sure of the slices alone, to 1.

    It is a multiple of 0.1. `probability` is that of gray matter in n slices alone, shape (n, height, width), and `outline` its
    value on the outline.
    """
    dice = float(np.median(expected_dice(probability, outline)))
    return round(min(max((SURE_DICE - dice) / (SURE_DICE - UNSURE_DICE), 0.0), 1.0), 1)


def is_visible(contrasts: Sequence[float]) -> bool:
    """Return whether gray and white matter differ in intensity, by their contrasts in some slices (`TissueSection.contrast`).

    True without any contrast, if intensities are not used.
    """
    return not contrasts or abs(float(np.median(contrasts))) >= LEAST_CONTRAST
