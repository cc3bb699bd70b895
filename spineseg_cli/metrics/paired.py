"""Two methods on the same subjects: is one better?

Wilcoxon. Individual comparisons by ranking methods. Biometrics Bulletin 1:80, 1945.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

# With fewer pairs, the two-sided test cannot reach a p of 0.05 (five pairs give 0.0625 at best).
LEAST_PAIRS = 6
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class PairedComparison:
    """Values before and after, of the subjects that have both.

    Parameters
    ----------
    n : int
        Subjects.
    before, after : float
        Means; NaN without subjects.
    p : float or None
        Two-sided, of the signed-rank test; None with fewer than `LEAST_PAIRS` subjects.
    """

    n: int
    before: float
    after: float
    p: float | None


def compare_paired(before: Mapping[str, float], after: Mapping[str, float]) -> PairedComparison:
    """Compare the values of the subjects that have a finite one in both."""
    pairs = [(before[name], after[name]) for name in before if name in after]
    pairs = [pair for pair in pairs if np.isfinite(pair).all()]
    if not pairs:
        return PairedComparison(0, np.nan, np.nan, None)
    old, new = np.array(pairs, float).T
    return PairedComparison(len(pairs), float(old.mean()), float(new.mean()), _p(old, new) if len(pairs) >= LEAST_PAIRS else None)


def verdict(found: PairedComparison, name: str = "Dice", less_is_better: bool = False) -> str:
    """Return a sentence that says whether a score has improved, and on what evidence."""
    if not found.n:
        return f"No test subject has a {name} to compare: nothing here says whether the new weights are better."
    subjects = f"{found.n} test subject{'s' if found.n > 1 else ''}"
    change = f"mean {name} {found.before:.3f} before, {found.after:.3f} after, on {subjects}"
    if found.p is None:
        return f"Not known to be better: {change}, too few for a test ({LEAST_PAIRS} are needed). Look at the pictures."
    test = f"paired Wilcoxon signed-rank test, p = {found.p:.2g}"
    if found.p >= SIGNIFICANT:
        return f"Not shown to be better: {change} ({test})."
    better = (found.after > found.before) != less_is_better
    return f"{'Better' if better else 'Worse'}: {change} ({test})."


def _p(old: np.ndarray, new: np.ndarray) -> float:
    from scipy.stats import wilcoxon

    return 1.0 if np.array_equal(old, new) else float(wilcoxon(old, new).pvalue)
