"""The search for the cord: the path's optimum against brute force, and the whole search with a network that is a formula."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.preprocessing import Preprocessing
from spineseg_cli.core.search import best_path, search_cord
from spineseg_cli.core.volume import Volume


@given(seed=st.integers(0, 2**32 - 1), price=st.sampled_from([0.0, 0.01, 0.1, 1.0, 10.0]))
def test_best_path_is_the_global_optimum(seed, price):
    heat = np.random.default_rng(seed).random((3, 3, 4))

    def value(path):
        gain = sum(heat[k, x, y] for k, (x, y) in enumerate(path))
        return gain - price * sum((a - c) ** 2 + (b - d) ** 2 for (a, b), (c, d) in itertools.pairwise(path))

    points = list(itertools.product(range(3), range(4)))
    best = max(map(value, itertools.product(points, repeat=3)))
    assert value([tuple(p) for p in best_path(heat, price)]) == pytest.approx(best)


class BrightIsCord:
    """A runtime that calls every sample well above its window's mean cord."""

    def predict(self, windows):
        return np.repeat((windows > 3).astype(np.float32)[..., None], 2, axis=-1)


def test_search_finds_a_curved_cord_far_from_the_centre():
    affine = np.diag([0.8, 0.6, 4.0, 1.0])
    x, y, z = np.meshgrid(*[np.arange(n) for n in (120, 150, 15)], indexing="ij")
    centre = 60 + 25 + 0.5 * (z - 7), 75 - 30 - 0.4 * (z - 7)
    cord = ((x - centre[0]) * 0.8) ** 2 + ((y - centre[1]) * 0.6) ** 2 < 5**2
    found, slices = search_cord(Volume(cord.astype(np.float32), affine), Preprocessing(window=112), BrightIsCord(), channel=1)
    error_mm = np.hypot((found[:, 0] - centre[0][0, 0]) * 0.8, (found[:, 1] - centre[1][0, 0]) * 0.6)
    assert error_mm.max() < 2.0
    assert list(slices) == list(range(15))


def test_search_says_when_there_is_no_cord():
    noise = np.random.default_rng(0).normal(size=(80, 80, 4)).astype(np.float32)
    assert search_cord(Volume(noise, np.diag([0.5, 0.5, 5.0, 1.0])), Preprocessing(window=112), BrightIsCord(), channel=1) is None


def test_memory_does_not_grow_with_the_field_of_view():
    """400 mm: a path over all of its cells would take a gigabyte."""
    data = np.zeros((512, 512, 2), np.float32)
    data[250:258, 250:258] = 1
    scan = Volume(data, np.diag([-0.8, 0.8, 4.0, 1.0]))
    tracemalloc.start()
    assert search_cord(scan, Preprocessing(window=112), BrightIsCord(), channel=1) is not None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
