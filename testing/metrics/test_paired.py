"""Before and after on the same subjects, against hand-computed values of the signed-rank test."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.metrics.paired import compare_paired, holm, verdict


def scores(*values):
    return {f"sub-{place}": value for place, value in enumerate(values)}


OLD = scores(0.80, 0.70, 0.60, 0.75, 0.65, 0.85)


def test_six_gains_are_the_fewest_that_are_significant():
    found = compare_paired(OLD, {name: value + 0.01 * (place + 1) for place, (name, value) in enumerate(OLD.items())})
    assert found.p == pytest.approx(2 / 2**6)  # of the 64 ways to sign six ranks, two are as extreme
    assert verdict(found) == (
        "Better: mean Dice 0.725 before, 0.760 after, on 6 test subjects (paired Wilcoxon signed-rank test, p = 0.031)."
    )
    assert verdict(compare_paired({n: v + 0.1 * (i + 1) for i, (n, v) in enumerate(OLD.items())}, OLD)).startswith("Worse: ")


def test_gains_and_losses():
    found = compare_paired(OLD, scores(0.81, 0.68, 0.63, 0.71, 0.70, 0.79))
    assert found.p == pytest.approx(54 / 64)  # ranks 1, 3, 5 gain; 27 of the 64 ways to sign sum to 9 or less
    assert verdict(found).startswith("Not shown to be better: mean Dice 0.725 before, 0.720 after")
    assert compare_paired(OLD, OLD).p == 1


def test_ranks_and_means_at_odds_are_said_to_be():
    """Nineteen a little worse, one much better: the test sees the nineteen."""
    old = scores(*[0.8 + 0.001 * n for n in range(20)])
    new = {name: value - 0.01 - 0.0001 * place for place, (name, value) in enumerate(old.items())}
    new["sub-0"] += 0.5
    found = compare_paired(old, new)
    assert (found.change, found.after > found.before, found.p < 0.01) == (-1, True, True)
    assert verdict(found).startswith("Mixed: ")


def test_too_few_say_so():
    few = dict(list(OLD.items())[:1])
    assert verdict(compare_paired(few, scores(0.9))) == (
        "Not known to be better: mean Dice 0.800 before, 0.900 after, on 1 test subject, too few for a test (6 are needed). "
        "Look at the pictures."
    )
    assert verdict(compare_paired({}, {})).startswith("No test subject has a Dice to compare")


def test_undefined_values_are_left_out():
    found = compare_paired(scores(0.5, math.nan, 0.7), scores(0.6, 0.9, math.inf))
    assert (found.n, found.before, found.after, found.p) == (1, 0.5, 0.6, None)


def test_holm_by_hand():
    """0.01 x 3, then max(0.03, 0.02 x 2), then max(0.04, 0.03 x 1); what was not tested does not count."""
    assert holm([0.02, None, 0.01, 0.03]) == [pytest.approx(0.04), None, pytest.approx(0.03), pytest.approx(0.04)]
    assert holm([0.7, 0.8]) == [1.0, 1.0]
    assert holm([None]) == [None]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_promises_of_holm(values):
    found = holm(values)
    assert all(p <= q <= 1 for p, q in zip(values, found, strict=True)), "never below the p itself"
    assert [q for _, q in sorted(zip(values, found, strict=True))] == sorted(found), "in the same order"
    assert min(found) == pytest.approx(min(1.0, len(values) * min(values))), "as strict as Bonferroni's for the smallest"
