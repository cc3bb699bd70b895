"""The share of the lumbosacral weights along the cord."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.joining import BELOW_CONUS_MM, SEAM_MM, SEARCH_MM, agree, join_conus


@given(st.integers(0, 200), st.integers(0, 400), st.floats(0.3, 8))
def test_from_one_at_the_conus_to_none_above_without_a_jump(start, length, spacing_mm):
    found = range(start, start + length)
    slices, shares = join_conus(found, spacing_mm)
    assert shares.shape == (len(slices),)
    if start * spacing_mm < BELOW_CONUS_MM or not length:
        assert slices == found
        assert not shares.any(), "the conus is not in view"
        return
    assert join_conus(found, spacing_mm, search=False)[0] == found
    assert slices.stop == found.stop
    assert slices.start == 0 or (start - slices.start) * spacing_mm == pytest.approx(SEARCH_MM, abs=spacing_mm)
    steps = -np.diff(shares)
    assert ((steps >= 0) & (steps <= spacing_mm / SEAM_MM + 1e-9)).all()
    height_mm = (np.array(slices) - start) * spacing_mm
    assert (shares[height_mm <= 0] == 1).all()
    assert not shares[height_mm >= SEAM_MM].any()


def test_the_same_cord_or_not():
    cord = np.zeros((10, 10, 2), bool)
    cord[2:8, 2:8] = True
    smaller = cord & (np.arange(10) < 7)[:, None, None]
    assert agree(cord, smaller)  # Dice 0.91
    assert not agree(cord, np.roll(cord, 2, axis=0))  # 0.67
    assert not agree(cord, cord & False)
    assert agree(cord & False, cord & False), "nothing is at odds with nothing"
