"""Holm's adjustment, by hand and by its promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.metrics.multiple import holm


def test_by_hand():
    """0.01 x 3, then max(0.03, 0.02 x 2), then max(0.04, 0.03 x 1); what was not tested does not count."""
    assert holm([0.02, None, 0.01, 0.03]) == [pytest.approx(0.04), None, pytest.approx(0.03), pytest.approx(0.04)]
    assert holm([0.7, 0.8]) == [1.0, 1.0]
    assert holm([None]) == [None]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_promises(values):
    found = holm(values)
    assert all(p <= q <= 1 for p, q in zip(values, found, strict=True)), "never below the p itself"
    assert [q for _, q in sorted(zip(values, found, strict=True))] == sorted(found), "in the same order"
    assert min(found) == pytest.approx(min(1.0, len(values) * min(values))), "as strict as Bonferroni's for the smallest"
