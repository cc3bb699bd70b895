"""The standard scale: what Nyul, Udupa and Zhang promise of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.image.nyul import PERCENTILES, foreground_landmarks, learn_scale, to_standard_scale
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.errors import WeightsError

SEEDS = st.integers(0, 10_000)


def scan(seed, shape=(4, 24, 24)):
    """Dark air, and tissue of an own distribution."""
    rng = np.random.default_rng(seed)
    tissue = rng.gamma(rng.uniform(1, 6), rng.uniform(10, 200), shape)
    return np.where(rng.random(shape) < 0.4, rng.random(shape), tissue).astype(np.float32)


def scale_of(*seeds):
    return learn_scale([foreground_landmarks(scan(seed)) for seed in seeds])


def test_by_hand():
    """Foreground 100 to 200: the mean of all is 100, and what is above it has its percentiles at 101, 110, ... 199."""
    stack = np.arange(0, 201, dtype=np.float32)
    own = foreground_landmarks(stack)
    assert own == pytest.approx([101 + 0.99 * p for p in PERCENTILES], abs=1e-4)
    standard = learn_scale([own])
    assert standard == pytest.approx([(p - 1) / 0.98 for p in PERCENTILES], abs=1e-4)
    mapped = to_standard_scale(stack, standard)
    assert mapped == pytest.approx((stack - own[0]) / (own[-1] - own[0]) * 100, abs=1e-3)


@given(SEEDS, SEEDS, SEEDS)
def test_never_decreases_and_loses_nothing_at_the_ends(first, second, other):
    stack = scan(other)
    mapped = to_standard_scale(stack, scale_of(first, second)).astype(float)
    order = np.argsort(stack, axis=None)
    assert (np.diff(mapped.ravel()[order]) >= -1e-4).all()
    assert mapped.min() < 0 < 100 < mapped.max()


@given(SEEDS, SEEDS)
def test_landmarks_of_a_training_scan_come_to_lie_on_the_standard_ones(first, second):
    standard = scale_of(first, second)
    for seed in (first, second):
        stack = scan(seed)
        foreground = to_standard_scale(stack, standard)[stack > stack.mean(dtype=float)]
        # Percentiles lie between samples, which the map's bend at a landmark moves by a little.
        assert np.percentile(foreground, PERCENTILES) == pytest.approx(standard, abs=0.5)


@given(SEEDS, SEEDS, st.floats(1e-2, 1e3), st.floats(-1e3, 1e3))
def test_gain_and_offset_do_not_matter(first, other, gain, offset):
    standard = scale_of(first)
    stack = scan(other).astype(float)
    changed = to_standard_scale(stack * gain + offset, standard)
    np.testing.assert_allclose(changed, to_standard_scale(stack, standard), rtol=1e-4, atol=1e-2)


def test_only_samples_inside_count():
    stack, standard = scan(1), scale_of(2)
    inside = np.zeros(stack.shape, bool)
    inside[:, 3:20, 4:18] = True
    other = np.where(inside, stack, 1e6).astype(np.float32)
    np.testing.assert_array_equal(
        to_standard_scale(stack, standard, inside)[inside], to_standard_scale(other, standard, inside)[inside]
    )


def test_flat_few_valued_and_empty_stacks():
    standard = scale_of(1, 2)
    assert not to_standard_scale(np.full((2, 4, 4), 7.0), standard).any()
    assert not to_standard_scale(np.ones((2, 4, 4)), standard, np.zeros((2, 4, 4), bool)).any()
    few = np.random.default_rng(0).integers(0, 4, (3, 16, 16))
    mapped = to_standard_scale(few, standard)
    assert np.isfinite(mapped).all()
    levels = [mapped[few == value].mean() for value in range(4)]
    assert np.all(np.diff(levels) > 0)
    with pytest.raises(ValueError, match="one scan at least"):
        learn_scale([])


def test_preprocessing_applies_it_before_it_standardizes():
    stack = scan(5)
    inside = np.ones(stack.shape, bool)
    plain = InferenceConfig(spacing_mm=0.5)
    scaled = InferenceConfig(spacing_mm=0.5, landmarks=scale_of(1, 2))
    expected = plain.standardize(to_standard_scale(stack, scaled.landmarks, inside), inside)
    np.testing.assert_array_equal(scaled.standardize(stack, inside), expected)
    assert not np.allclose(expected, plain.standardize(stack, inside), atol=0.1)
    assert InferenceConfig.from_dict(scaled.to_dict()) == scaled
    assert InferenceConfig.from_dict({"window": 64}).landmarks == []
    for wrong in ([1, 2, 3], [*range(10), 5], "abc", [None] * 11):
        with pytest.raises(WeightsError, match="expected 11 landmarks that rise"):
            InferenceConfig.from_dict({"landmarks": wrong})
