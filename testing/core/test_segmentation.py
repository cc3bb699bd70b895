"""How probabilities are read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.segmentation import sharpen

PROBABILITY = np.linspace(0, 1, 101, dtype=np.float32)


@given(st.floats(0.05, 0.95), st.floats(0.5, 200))
def test_sharpened_probabilities_keep_their_order_and_their_half(half, sharpness):
    sharp = sharpen(PROBABILITY, half, sharpness)
    assert sharp.dtype == np.float32
    assert (np.diff(sharp) >= 0).all()
    assert sharp.min() >= 0
    assert sharp.max() <= 1
    assert sharpen(np.float32([half]), half, sharpness)[0] == pytest.approx(0.5, abs=1e-3)


def test_sharpening_by_hand():
    assert sharpen(PROBABILITY) is PROBABILITY
    assert sharpen(np.float32([0.8]), 0.5, 2)[0] == pytest.approx(16 / 17)  # odds of 4, squared
    assert sharpen(np.float32([0.8]), 0.8, 7)[0] == pytest.approx(0.5)
