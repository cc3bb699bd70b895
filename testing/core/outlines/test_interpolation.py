"""Weights by which slices are interpolated between known ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.outlines.interpolation import interpolation


@given(st.sets(st.integers(0, 60), min_size=1), st.sets(st.integers(0, 60), min_size=2), st.data())
def test_a_line_is_reproduced_from_the_slices_used(wanted, known, data):
    """Whatever slices are wanted, known and joined: and only slices between joined ones are taken from others."""
    slices, known = np.array(sorted(wanted)), np.array(sorted(known))
    joined = np.array(data.draw(st.lists(st.booleans(), min_size=len(known) - 1, max_size=len(known) - 1)))
    used, weights = interpolation(slices, known, joined)
    assert (np.diff(used) > 0).all()
    np.testing.assert_allclose(weights @ (3.0 * used + 5), 3.0 * slices + 5, rtol=1e-5)
    assert set(used) <= set(slices) | set(known)
    inside = [any(j and low < k < high for j, low, high in zip(joined, known, known[1:], strict=False)) for k in slices]
    assert [weight.max() < 1 for weight in weights] == inside


def test_without_known_slices_each_stands_for_itself():
    used, weights = interpolation(np.array([3, 4, 9]), np.zeros(0, int), np.zeros(0, bool))
    assert used.tolist() == [3, 4, 9]
    assert weights == pytest.approx(np.eye(3))
