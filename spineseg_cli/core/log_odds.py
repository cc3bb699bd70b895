"""Log-odds of probabilities, as evidence that can be added up."""

from __future__ import annotations

import numpy as np

# Probabilities are clipped to this value and to its complement.
MAX_PROBABILITY = 0.98


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Return the log-odds of probabilities after clipping them to 0.02 to 0.98."""
    clipped = np.clip(probability, 1 - MAX_PROBABILITY, MAX_PROBABILITY)
    return np.log(clipped / (1 - clipped))
