"""Cohort statistics."""

import math
import statistics

import pytest

from spineseg_cli.metrics.statistics import STATISTICS, summarize


def test_finite_values_alone_are_summed_up_and_the_others_counted():
    finite = [0.8, 0.9, 0.4, 0.7]
    summary = summarize([*finite, math.nan, math.inf, -math.inf, math.nan])
    assert tuple(summary) == STATISTICS
    assert (summary["n"], summary["n_undefined"], summary["n_infinite"]) == (4, 2, 2)
    assert summary["mean"] == pytest.approx(statistics.mean(finite))
    assert summary["std"] == pytest.approx(statistics.stdev(finite))
    assert summary["median"] == pytest.approx(statistics.median(finite))
    p25, _, p75 = statistics.quantiles(finite, n=4, method="inclusive")
    assert (summary["P25"], summary["P75"]) == (pytest.approx(p25), pytest.approx(p75))
