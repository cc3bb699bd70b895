"""The distance transform and the path against brute force. Small whole numbers make ties, and make them exact."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.localization.optic import best_path, distance_transform

penalties = st.one_of(st.sampled_from([0.0, 1e-6, 0.1, 1.0, 1e6]), st.integers(1, 5).map(float))
seeds = st.integers(0, 2**32 - 1)


def squared_steps(n):
    return (np.arange(n)[:, None] - np.arange(n)[None, :]) ** 2


def brute_force(cost, penalty_x, penalty_y):
    """The definition: every pixel to every pixel, (nx, ny, nx, ny)."""
    nx, ny = cost.shape
    step = penalty_x * squared_steps(nx)[:, None, :, None] + penalty_y * squared_steps(ny)[None, :, None, :]
    total = (cost + step).reshape(nx, ny, -1)
    return total.min(axis=-1), total.argmin(axis=-1)


def worth(heatmap, path, penalty, gaps=None):
    steps = (np.diff(path, axis=0) ** 2 * np.broadcast_to(penalty, 2)).sum(axis=1)
    return heatmap[np.arange(len(heatmap)), path[:, 0], path[:, 1]].sum() - (steps / (1 if gaps is None else gaps)).sum()


@given(seed=seeds, shape=st.tuples(st.integers(1, 9), st.integers(1, 9)), penalty=st.tuples(penalties, penalties))
def test_the_transform_is_its_definition(seed, shape, penalty):
    cost = np.random.default_rng(seed).normal(size=shape)
    value, source = distance_transform(cost, penalty)
    expected, _ = brute_force(cost, *penalty)
    # Two parabolas are told apart by their heights above the line's start, up to penalty * 9^2.
    tolerance = 1e-13 * (1 + 81 * max(penalty))
    np.testing.assert_allclose(value, expected, rtol=0, atol=tolerance)
    x, y = np.unravel_index(source, shape)
    at_x, at_y = np.indices(shape)
    paid = cost[x, y] + penalty[0] * (x - at_x) ** 2 + penalty[1] * (y - at_y) ** 2
    np.testing.assert_allclose(paid, expected, rtol=0, atol=tolerance)
    assert source.dtype == np.int32


@given(
    seed=seeds,
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    penalty=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    blocked=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    unit=st.sampled_from([1.0, 0.1, 1e-3]),
)
def test_the_first_of_equals_is_taken_whatever_the_unit(seed, shape, penalty, blocked, unit):
    """In units of 0.1 equal sums differ by rounding: the choice must be that of whole numbers."""
    rng = np.random.default_rng(seed)
    cost = rng.integers(0, 6, shape).astype(float)
    cost[rng.random(shape) < blocked] = np.inf
    value, source = distance_transform(unit * cost, (unit * penalty[0], unit * penalty[1]))
    expected, came_from = brute_force(cost, *penalty)
    np.testing.assert_array_equal(source, came_from)
    np.testing.assert_allclose(value, unit * expected, rtol=1e-12, atol=1e-12 * unit)


@pytest.mark.parametrize("bend", [-1.0, -0.01, 0.0, 0.01, 1.0])
def test_long_lines(bend):
    """Hills, where every parabola hides the one before, and valleys, where all of them stay."""
    cost = bend * (np.arange(300.0)[:, None] - [[100, 299]]) ** 2
    for line, penalty in ((cost, (0.5, 1e3)), (cost.T, (1e3, 0.5))):
        np.testing.assert_allclose(distance_transform(line, penalty)[0], brute_force(line, *penalty)[0], rtol=1e-9, atol=1e-9)


@given(seed=seeds, penalty=st.tuples(penalties, penalties))
def test_the_path_is_the_best_of_all_paths(seed, penalty):
    rng = np.random.default_rng(seed)
    heatmap, gaps = rng.random((3, 3, 4)), rng.uniform(0.5, 4, 2)
    paths = itertools.product(itertools.product(range(3), range(4)), repeat=3)
    best = max(worth(heatmap, np.array(path), penalty, gaps) for path in paths)
    assert worth(heatmap, best_path(heatmap, penalty, gaps), penalty, gaps) == pytest.approx(best)


def test_a_longer_gap_makes_a_step_cheaper():
    heatmap = np.zeros((2, 1, 5))
    heatmap[0, 0, 0] = heatmap[1, 0, 4] = 1.0
    assert best_path(heatmap, 0.1).tolist() != [[0, 0], [0, 4]]
    assert best_path(heatmap, 0.1, gaps=np.array([10.0])).tolist() == [[0, 0], [0, 4]]


def test_the_path_goes_around_what_is_forbidden():
    heatmap = np.zeros((3, 2, 5))
    heatmap[1] = -np.inf
    heatmap[1, 1, 3] = -100
    assert best_path(heatmap, (1.0, 2.0)).tolist() == [[1, 3], [1, 3], [1, 3]]
