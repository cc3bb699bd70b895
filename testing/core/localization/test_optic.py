"""The distance transform and the path against brute force. Small whole numbers make ties, and make them exact."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.localization.optic import best_path, distance_transform

prices = st.one_of(st.sampled_from([0.0, 1e-6, 0.1, 1.0, 1e6]), st.integers(1, 5).map(float))
seeds = st.integers(0, 2**32 - 1)


def squared_steps(n):
    return (np.arange(n)[:, None] - np.arange(n)[None, :]) ** 2


def brute_force(cost, price_x, price_y):
    """The definition: every pixel to every pixel, (nx, ny, nx, ny)."""
    nx, ny = cost.shape
    step = price_x * squared_steps(nx)[:, None, :, None] + price_y * squared_steps(ny)[None, :, None, :]
    total = (cost + step).reshape(nx, ny, -1)
    return total.min(axis=-1), total.argmin(axis=-1)


def worth(heat, path, price, gaps=None):
    steps = (np.diff(path, axis=0) ** 2 * np.broadcast_to(price, 2)).sum(axis=1)
    return heat[np.arange(len(heat)), path[:, 0], path[:, 1]].sum() - (steps / (1 if gaps is None else gaps)).sum()


def worth_of_the_best(heat, price, gaps):
    """The same dynamic programming, with brute force for each step."""
    best = heat[0]
    for now, gap in zip(heat[1:], gaps, strict=True):
        best = now - brute_force(-best, *(np.broadcast_to(price, 2) / gap))[0]
    return best.max()


@given(seed=seeds, shape=st.tuples(st.integers(1, 9), st.integers(1, 9)), price=st.tuples(prices, prices))
def test_the_transform_is_its_definition(seed, shape, price):
    cost = np.random.default_rng(seed).normal(size=shape)
    value, source = distance_transform(cost, price)
    expected, _ = brute_force(cost, *price)
    # Two parabolas are told apart by their heights above the line's start, up to price * 9^2.
    tolerance = 1e-13 * (1 + 81 * max(price))
    np.testing.assert_allclose(value, expected, rtol=0, atol=tolerance)
    x, y = np.unravel_index(source, shape)
    at_x, at_y = np.indices(shape)
    paid = cost[x, y] + price[0] * (x - at_x) ** 2 + price[1] * (y - at_y) ** 2
    np.testing.assert_allclose(paid, expected, rtol=0, atol=tolerance)
    assert source.dtype == np.int32


@given(
    seed=seeds,
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    price=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    blocked=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    unit=st.sampled_from([1.0, 0.1, 1e-3]),
)
def test_the_first_of_equals_is_taken_whatever_the_unit(seed, shape, price, blocked, unit):
    """In units of 0.1 equal sums differ by rounding: the choice must be that of whole numbers."""
    rng = np.random.default_rng(seed)
    cost = rng.integers(0, 6, shape).astype(float)
    cost[rng.random(shape) < blocked] = np.inf
    value, source = distance_transform(unit * cost, (unit * price[0], unit * price[1]))
    expected, came_from = brute_force(cost, *price)
    np.testing.assert_array_equal(source, came_from)
    np.testing.assert_allclose(value, unit * expected, rtol=1e-12, atol=1e-12 * unit)


def test_free_steps_all_come_from_the_first_minimum():
    cost = np.random.default_rng(0).integers(0, 3, (7, 8)).astype(float)
    value, source = distance_transform(cost, 0.0)
    assert (value == cost.min()).all()
    assert (source == cost.argmin()).all()


@pytest.mark.parametrize("bend", [-1.0, -0.01, 0.0, 0.01, 1.0])
def test_long_lines(bend):
    """Hills, where every parabola hides the one before, and valleys, where all of them stay."""
    cost = bend * (np.arange(300.0)[:, None] - [[100, 299]]) ** 2
    for line, price in ((cost, (0.5, 1e3)), (cost.T, (1e3, 0.5))):
        np.testing.assert_allclose(distance_transform(line, price)[0], brute_force(line, *price)[0], rtol=1e-9, atol=1e-9)


@given(seed=seeds, price=st.tuples(prices, prices))
def test_the_path_is_the_best_of_all_paths(seed, price):
    rng = np.random.default_rng(seed)
    heat, gaps = rng.random((3, 3, 4)), rng.uniform(0.5, 4, 2)
    paths = itertools.product(itertools.product(range(3), range(4)), repeat=3)
    best = max(worth(heat, np.array(path), price, gaps) for path in paths)
    assert worth(heat, best_path(heat, price, gaps), price, gaps) == pytest.approx(best)


@given(seed=seeds, price=prices)
def test_the_path_is_worth_what_quadratic_work_finds(seed, price):
    rng = np.random.default_rng(seed)
    heat, gaps = rng.random((12, 14, 11)).astype(np.float32), rng.uniform(0.5, 4, 11)
    path = best_path(heat, price, gaps)
    assert path.shape == (12, 2)
    assert path.dtype.kind == "i"
    assert worth(heat, path, price, gaps) == pytest.approx(worth_of_the_best(heat.astype(float), price, gaps))


@given(seed=seeds, price=prices)
def test_a_mirrored_volume_is_worth_the_same(seed, price):
    heat = np.random.default_rng(seed).random((5, 8, 6))
    total = worth(heat, best_path(heat, price), price)
    for axis in range(3):
        mirrored = np.flip(heat, axis)
        assert worth(mirrored, best_path(mirrored, price), price) == pytest.approx(total)


def test_a_longer_gap_makes_a_step_cheaper():
    heat = np.zeros((2, 1, 5))
    heat[0, 0, 0] = heat[1, 0, 4] = 1.0
    assert best_path(heat, 0.1).tolist() != [[0, 0], [0, 4]]
    assert best_path(heat, 0.1, gaps=np.array([10.0])).tolist() == [[0, 0], [0, 4]]


def test_the_path_goes_around_what_is_forbidden():
    heat = np.zeros((3, 2, 5))
    heat[1] = -np.inf
    heat[1, 1, 3] = -100
    assert best_path(heat, (1.0, 2.0)).tolist() == [[1, 3], [1, 3], [1, 3]]


def test_a_single_slice_gives_its_hottest_pixel():
    heat = np.zeros((1, 4, 5))
    heat[0, 2, 3] = 1
    before = heat.copy()
    assert best_path(heat, 1.0).tolist() == [[2, 3]]
    np.testing.assert_array_equal(heat, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_heat_without_a_maximum_is_refused(bad):
    heat = np.zeros((3, 4, 4))
    heat[1, 2, 2] = bad
    with pytest.raises(ValueError, match="needs a finite maximum and no NaN"):
        best_path(heat, 1.0)
    with pytest.raises(ValueError, match="needs a finite maximum"):
        best_path(np.full((2, 3, 3), -np.inf), 1.0)


@pytest.mark.parametrize("price", [-1.0, (1.0, -1.0), np.nan, np.inf])
def test_a_price_that_is_none_is_refused(price):
    with pytest.raises(ValueError, match="the price of a step must be at least 0"):
        best_path(np.zeros((2, 3, 3)), price)
