"""Several tests at once.

Holm. A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6:65, 1979.
"""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p values adjusted for their number, ``max over j <= i of min(1, (m - j) p_(j))`` with p sorted and j from 0.

    None, for a test that was not made, stays None and is not counted.
    """
    order = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, index) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        adjusted[index] = highest
    return adjusted
