"""Log-odds of probabilities, as evidence that can be added up."""

from __future__ import annotations

import numpy as np

# The default limit of probabilities. It is written by its complement, so that both limits have opposite log-odds to the last bit.
LEAST_PROBABILITY = 1 - 0.98


def log_odds(probability: np.ndarray, least: float = LEAST_PROBABILITY) -> np.ndarray:
    """Return the log-odds of probabilities after clipping them to `least` and its complement, so that they are finite."""
    clipped = np.clip(probability, least, 1 - least)
    return np.log(clipped / (1 - clipped))


def probability_of(odds: np.ndarray) -> np.ndarray:
    """Return the probabilities with the given log-odds."""
    return 1 / (1 + np.exp(-odds))
