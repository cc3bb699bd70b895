"""Slices of which a network is not sure are seen in the mean of their neighbors; the network takes what is bright for cord."""

from types import SimpleNamespace

import numpy as np
import pytest

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.localization.neighbor_mean import mean_windows
from spineseg_cli.core.localization.view import UNSURE, look_again, view_cord

SPACING_MM = (1.0, 1.0, 2.0)
SLICES, NOISY, EMPTY = 9, [3, 6], 5
CLEAR = [0, 1, 2, 4, 7, 8]


@pytest.fixture
def tube_scan():
    """A tube along the slices, two of which are noisy, and one of which has no signal."""
    rng, (x, y) = np.random.default_rng(0), np.indices((40, 40))
    disc = np.hypot(x - 20, y - 20) <= 5
    data = np.repeat(disc[..., None].astype(np.float32), SLICES, axis=2)
    data[..., NOISY] = 0.5 * data[..., NOISY] + rng.normal(0, 0.3, (40, 40, len(NOISY)))
    data[..., EMPTY] = 0
    return Volume(data, np.diag([*SPACING_MM, 1.0])), np.tile([20.0, 20.0], (SLICES, 1))


def look(scan, centers, present=True, **options):
    """Return the view of all slices, and how many windows the network was applied to."""
    seen = []

    def bright_is_cord(windows, inside, distance_mm):
        seen.append(len(windows))
        return 1 / (1 + np.exp(-12 * (windows[..., None] - 0.5)))

    config = InferenceConfig(**options)
    network = SimpleNamespace(name="a", config=config, predict=bright_is_cord, channel=lambda output: 0, runtime_name="none")
    view = view_cord(scan, centers, np.arange(SLICES), network)
    look_again(scan, view, np.full(SLICES, present), network)
    return view, sum(seen)


def test_unsure_slices_are_seen_in_the_mean_of_their_neighbors(tube_scan):
    """There, what is seen comes nearer to the tube; sure slices, and those without cord, are seen once."""
    once, applied_once = look(*tube_scan, present=False)
    twice, applied = look(*tube_scan)
    assert (applied_once, applied) == (SLICES, SLICES + len([*NOISY, EMPTY]))
    np.testing.assert_array_equal(twice.probability[CLEAR], once.probability[CLEAR])
    errors = [np.abs(view.probability - once.probability[0])[NOISY].mean(axis=(1, 2)) for view in (once, twice)]
    assert (errors[1] < errors[0] / 2).all(), errors
    assert (once.confidence[NOISY] < UNSURE).all()
    assert (twice.confidence[NOISY] > once.confidence[NOISY]).all()


@pytest.mark.parametrize("options", [{"per_slice": False}, {"landmarks": (0.0, 1.0)}])
def test_networks_that_need_several_slices_at_once_see_each_once(tube_scan, options):
    assert look(*tube_scan, **options)[1] == SLICES


def test_neighbors_without_signal_do_not_count(tube_scan):
    """The mean of equal slices is one of them, also beside one that is empty."""
    scan, centers = tube_scan
    data = np.repeat(scan.data[..., :1], SLICES, axis=2)
    data[..., EMPTY] = 0
    windows = InferenceConfig().windows(scan, centers)
    means = mean_windows(scan.with_data(data), windows, np.array([EMPTY - 1, SLICES - 1]), 3.0)
    expected = windows.extract(data, np.array([EMPTY - 1, SLICES - 1]))
    assert means.shape == expected.shape
    np.testing.assert_allclose(means, expected, atol=1e-6)
