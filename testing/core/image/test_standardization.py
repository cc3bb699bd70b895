"""Standardization of windows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.image.standardization import standardize

STACK = np.random.default_rng(0).gamma(2, 100, size=(3, 9, 7)).astype(np.float32)


@given(st.floats(1e-3, 1e6), st.floats(-1e4, 1e4))
def test_gain_and_offset_do_not_matter(gain, offset):
    # float32 input: an offset of 1e4 over a spread of 1e-1 leaves three digits.
    tolerance = 1e-6 * (1 + abs(offset) / gain)
    changed = standardize((STACK.astype(np.float64) * gain + offset).astype(np.float32))
    np.testing.assert_allclose(changed, standardize(STACK), atol=max(tolerance, 1e-5))


def test_mean_and_spread_of_each_slice_or_of_the_stack():
    one_by_one = standardize(STACK)
    np.testing.assert_allclose(one_by_one.mean(axis=(1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(one_by_one.std(axis=(1, 2)), 1, atol=1e-6)
    whole = standardize(STACK, per_slice=False)
    np.testing.assert_allclose((whole.mean(), whole.std()), (0, 1), atol=1e-6)
    assert np.abs(whole.mean(axis=(1, 2))).max() > 0.01


def test_only_samples_inside_count():
    inside = np.zeros(STACK.shape, bool)
    inside[:, 2:8, 1:6] = True
    other = np.where(inside, STACK, 1e6).astype(np.float32)
    np.testing.assert_array_equal(standardize(STACK, inside)[inside], standardize(other, inside)[inside])


def test_flat_slices_become_zero():
    stack = STACK.copy()
    stack[1] = 1e5 / 3
    assert not standardize(stack)[1].any()
    assert standardize(stack)[0].any()
    nothing_inside = standardize(stack, np.zeros(stack.shape, bool))
    assert not nothing_inside.any()
    assert not standardize(np.zeros((2, 3, 3))).any()


def test_minmax_of_each_slice_by_hand():
    stack = np.array([[[10, 20], [15, 50]], [[-3, -3], [-1, 1]]], np.float32)
    np.testing.assert_allclose(standardize(stack, normalization="minmax"), [[[0, 0.25], [0.125, 1]], [[0, 0], [0.5, 1]]])
    whole = standardize(stack, per_slice=False, normalization="minmax")
    np.testing.assert_allclose(whole[1], [[0, 0], [2 / 53, 4 / 53]], rtol=1e-6)
    inside = np.array([[[1, 1], [1, 0]], [[0, 0], [0, 0]]], bool)
    np.testing.assert_allclose(standardize(stack, inside, normalization="minmax"), [[[0, 1], [0.5, 4]], [[0, 0], [0, 0]]])
    assert not standardize(np.full((1, 3, 3), 1e5 / 3), normalization="minmax").any()


@given(st.floats(1e-3, 1e6), st.floats(-1e4, 1e4))
def test_minmax_is_from_0_to_1_whatever_gain_and_offset(gain, offset):
    changed = standardize(STACK.astype(np.float64) * gain + offset, normalization="minmax")
    np.testing.assert_allclose(changed, standardize(STACK, normalization="minmax"), atol=1e-5)
    assert changed.min(axis=(1, 2)).tolist() == [0, 0, 0]
    np.testing.assert_allclose(changed.max(axis=(1, 2)), 1)
