"""How probabilities are read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.inference.probabilities import sharpen, shift_logits_to_threshold, smooth_uncertain_along_z

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


@given(st.integers(0, 6), st.sampled_from([0.5, 2.99, 2.999998, 5.0, 8.000002, 8.01, 20.0]))
def test_only_doubts_borrow_from_the_slices_above_and_below(slices, distance_mm):
    probability = np.random.default_rng(slices).random((slices, 5, 4)).astype(np.float32)
    probability[1::3] = probability[1::3] > 0.5  # sure
    steady = smooth_uncertain_along_z(probability, distance_mm)
    assert steady.shape == probability.shape
    assert (steady >= 0).all()
    assert (steady <= 1).all()
    np.testing.assert_array_equal(steady[1::3], probability[1::3])
    changes = slices >= 3 and distance_mm in (2.999998, 5.0, 8.000002)
    assert (steady != probability).any() == changes


def test_doubts_by_hand():
    column = np.float32([1, 0.5, 1, 0.75]).reshape(4, 1, 1)
    # Half of the way to the mean of 1 and 1; a quarter of that to the mean of 1 and itself, at the end.
    np.testing.assert_allclose(smooth_uncertain_along_z(column, 5).ravel(), [1, 0.75, 1, 0.75 + 0.25 * 0.125])


@given(st.floats(0.05, 0.95))
def test_the_threshold_becomes_a_half(threshold):
    probability = np.linspace(0, 1, 101, dtype=np.float32)
    changed = shift_logits_to_threshold(probability, threshold)
    assert (np.diff(changed) >= 0).all()
    assert (changed[0], changed[-1]) == (0, 1)
    clear = np.abs(probability - threshold) > 1e-3
    np.testing.assert_array_equal((changed > 0.5)[clear], (probability > threshold)[clear])


def test_odds_by_hand():
    # Odds of 3 and 9; what had odds of 3 gets those of 1, and the other three times as much.
    np.testing.assert_allclose(shift_logits_to_threshold(np.array([0.75, 0.9]), 0.75), [0.5, 0.75])
