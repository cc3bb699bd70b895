"""Comparison of two methods on the same subjects.

Wilcoxon. Individual comparisons by ranking methods. Biometrics Bulletin 1:80, 1945.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.ranges import counted

# With fewer pairs, the two-sided test cannot reach a p of 0.05 (five pairs give 0.0625 at best).
MIN_PAIRS = 6
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class PairedComparison:
    """Values before and after, of the subjects that have both."""

    n: int
    # Means; NaN without subjects.
    before: float
    after: float
    p: float | None  # two-sided p value of the signed-rank test; None with fewer than `MIN_PAIRS` subjects
    # Direction of the ranks in that test: 1 for an increase, -1 for a decrease, 0 for neither. A few large changes may move the
    # means in the other direction.
    change: int = 0

    @property
    def mixed(self) -> bool:
        """Whether the ranks and the means have changed in opposite ways, or one of them has not."""
        return self.change * (self.after - self.before) <= 0


def compare_paired(before: Mapping[str, float], after: Mapping[str, float]) -> PairedComparison:
    """Compare the values of the subjects that have a finite one in both."""
    pairs = [(before[name], after[name]) for name in before if name in after]
    pairs = [pair for pair in pairs if np.isfinite(pair).all()]
    if not pairs:
        return PairedComparison(0, np.nan, np.nan, None)
    old, new = np.array(pairs, float).T
    p = _p(old, new) if len(pairs) >= MIN_PAIRS else None
    return PairedComparison(len(pairs), float(old.mean()), float(new.mean()), p, _rank_change(old, new))


def verdict(comparison: PairedComparison, name: str = "Dice", less_is_better: bool = False) -> str:
    """Return a sentence that says whether a score has improved, and on what evidence."""
    if not comparison.n:
        return f"No test subject has a {name} to compare: nothing here says whether the new weights are better."
    subjects = counted(comparison.n, "test subject")
    change = f"mean {name} {comparison.before:.3f} before, {comparison.after:.3f} after, on {subjects}"
    if comparison.p is None:
        return f"Not known to be better: {change}, too few for a test ({MIN_PAIRS} are needed). Look at the pictures."
    test = f"paired Wilcoxon signed-rank test, p = {comparison.p:.2g}"
    if comparison.p >= SIGNIFICANT:
        return f"Not shown to be better: {change} ({test})."
    if comparison.mixed:
        return f"Mixed: the ranks have changed one way, the means the other: {change} ({test}). Look at single subjects."
    better = (comparison.after > comparison.before) != less_is_better
    return f"{'Better' if better else 'Worse'}: {change} ({test})."


def _rank_change(old: np.ndarray, new: np.ndarray) -> int:
    """Return the sign of the signed ranks' sum."""
    from scipy.stats import rankdata

    change = new - old
    return int(np.sign((np.sign(change) * rankdata(np.abs(change))).sum()))


def _p(old: np.ndarray, new: np.ndarray) -> float:
    from scipy.stats import wilcoxon

    return 1.0 if np.array_equal(old, new) else float(wilcoxon(old, new).pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p values adjusted for their number, ``max over j <= i of min(1, (m - j) p_(j))`` with p sorted and j from 0.

    Holm. A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6:65, 1979.
    None, for a test that was not made, stays None and is not counted.
    """
    order = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, index) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        adjusted[index] = highest
    return adjusted
