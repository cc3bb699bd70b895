"""Deciding which slices of a scan hold cord, from the evidence of each slice and a penalty for each change along the path.

There is no rule for the length of a piece of cord or of a gap. The sequence of states (cord or no cord) with the largest sum of
evidence minus penalties is found globally: several pieces, short pieces at the edge of the view, and gaps need no special case.
"""

from __future__ import annotations

import numpy as np

# Slices closer than this show nearly the same section, and their evidence is not independent.
INDEPENDENT_MM = 5.0

# Penalties of a change from no cord to cord and from cord to no cord, going up, in log-odds of an independent slice. A cord that
# begins again is rare, and often a bundle of roots; that the cord ends below the brain is common.
CHANGE_PENALTIES = (12.0, 1.0)


def slices_of_cord(evidence: np.ndarray, spacing_mm: float, penalties: tuple[float, float] = CHANGE_PENALTIES) -> np.ndarray:
    """Return which slices hold cord.

    The sequence s of states maximizes ``sum_k s_k w e_k - penalties of its changes``, by dynamic programming (Viterbi, IEEE
    Trans. Inf. Theory 13:260, 1967), where the weight w of a slice is 1, or less if slices are closer than 5 mm. Of sequences
    with equal sums, the one with less cord is returned.

    `evidence`, shape (n,), holds the log-odds that each slice holds cord, from inferior to superior; 0 where it is unknown,
    as where the signal is lost. Neighboring slices are `spacing_mm` apart. `penalties` are those of a change from no cord to
    cord, and of one from cord to no cord. The result is bool, shape (n,).
    """
    gain = independent_evidence(evidence, spacing_mm)
    score = np.zeros(2)  # of the best sequence that ends without cord, and with it
    came_from = np.zeros((len(gain), 2), int)
    for k, gained in enumerate(gain):
        if k:
            moved = score[::-1] - np.array(penalties)[::-1]
            came_from[k] = (int(moved[0] > score[0]), int(moved[1] < score[1]))  # in a tie, no cord
            score = np.maximum(score, moved)
        score = score + [0.0, gained]
    state = int(score[1] > score[0])
    states = np.zeros(len(gain), bool)
    for k in range(len(gain) - 1, -1, -1):
        states[k] = state
        state = came_from[k, state]
    return states


def independent_evidence(evidence: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Return the log-odds of slices, shape (n,), weighted so that they add up: slices closer than 5 mm count less."""
    return np.asarray(evidence, float) * min(1.0, spacing_mm / INDEPENDENT_MM)


def runs_of(states: np.ndarray) -> list[range]:
    """Return the runs of True in `states`, from first to last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], states.astype(int), [0]])))
    return [range(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def apply_brain(present: np.ndarray, brain: bool | None) -> np.ndarray:
    """Return `present`, bool, shape (nz,), adapted to what the user says about the brain.

    If `brain` is True, the scan shows the brain, and nothing above the longest run is cord. If False, it does not, and all slices
    from the lowest one with cord to the topmost are cord. None changes nothing.
    """
    runs = runs_of(present)
    if not runs or brain is None:
        return present
    changed = present.copy()
    if brain:
        changed[max(runs, key=len).stop :] = False
    else:
        changed[runs[0].start :] = True
    return changed
