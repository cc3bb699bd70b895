"""Statistics of a cohort that say how many values they rest on."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

STATISTICS = ("mean", "std", "median", "P25", "P75", "n", "n_undefined", "n_infinite")


def summarize(values: Iterable[float]) -> dict[str, float]:
    """Sum up the finite ones of `values`.

    Returns `mean`; `std`, the sample standard deviation (divisor n - 1; NaN for n < 2); `median`, `P25` and `P75` (linear
    interpolation); `n`, the number of finite values; `n_undefined`, of NaN; `n_infinite`, of +inf and -inf. With n = 0 every
    statistic is NaN.
    """
    array = np.asarray(list(values), dtype=float)
    finite = array[np.isfinite(array)]
    counts = {"n": finite.size, "n_undefined": int(np.isnan(array).sum()), "n_infinite": int(np.isinf(array).sum())}
    if finite.size == 0:
        return dict.fromkeys(STATISTICS, math.nan) | counts
    p25, median, p75 = (float(p) for p in np.percentile(finite, (25, 50, 75)))
    std = float(finite.std(ddof=1)) if finite.size > 1 else math.nan
    return {"mean": float(finite.mean()), "std": std, "median": median, "P25": p25, "P75": p75} | counts
