"""Which slices of a scan hold cord: the likeliest sequence of cord and no cord along the path.

No rule says how long a piece of cord or a gap must be. Each slice has evidence, a change has a price, and the sequence of the
largest sum is taken, globally: several pieces, short pieces at the edge of the view, and gaps are the ordinary case.
"""

from __future__ import annotations

import numpy as np

# Slices closer than this show nearly the same section, and share their evidence.
INDEPENDENT_MM = 5.0

# Prices of a change from no cord to cord and from cord to no cord, going up, in log-odds of a slice that stands for itself. The
# brain, above, is in view oftener than the conus, below.
CHANGE_PRICES = (5.0, 1.5)

# Probabilities as sure as this, or surer, weigh alike.
SUREST = 0.98


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Return the log-odds of probabilities, none surer than 0.98 or 0.02."""
    kept = np.clip(probability, 1 - SUREST, SUREST)
    return np.log(kept / (1 - kept))


def slices_of_cord(evidence: np.ndarray, spacing_mm: float, prices: tuple[float, float] = CHANGE_PRICES) -> np.ndarray:
    """Return in which slices there is cord.

    The sequence s of states maximizes ``sum_k s_k w e_k - prices of its changes``, by dynamic programming (Viterbi, IEEE Trans.
    Inf. Theory 13:260, 1967), where the weight w of a slice is 1, or less where slices lie closer than 5 mm. Of equal sequences,
    the one with less cord.

    Parameters
    ----------
    evidence : ndarray, shape (n,)
        Log-odds that a slice holds cord, from inferior to superior; 0 where it cannot be told, as where the signal is lost.
    spacing_mm : float
        Distance of the slices.
    prices : tuple of float
        Of a change to cord, and of one from it.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    gain = np.asarray(evidence, float) * min(1.0, spacing_mm / INDEPENDENT_MM)
    score = np.zeros(2)  # of the best sequence that ends without cord, and with it
    came_from = np.zeros((len(gain), 2), int)
    for k, gained in enumerate(gain):
        if k:
            moved = score[::-1] - np.array(prices)[::-1]
            came_from[k] = (int(moved[0] > score[0]), int(moved[1] < score[1]))  # of equal ones, from no cord
            score = np.maximum(score, moved)
        score = score + [0.0, gained]
    state = int(score[1] > score[0])
    states = np.zeros(len(gain), bool)
    for k in range(len(gain) - 1, -1, -1):
        states[k] = state
        state = came_from[k, state]
    return states


def runs_of(states: np.ndarray) -> list[range]:
    """Return the runs of True in `states`, from first to last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], states.astype(int), [0]])))
    return [range(int(first), int(end)) for first, end in edges.reshape(-1, 2)]
