"""Slices without signal."""

import numpy as np
import pytest

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.lost_signal import between_lost_ends, nearest_with_signal, slices_without_signal


def noise(slices, spacing_mm, level):
    """Noise of so many mm a slice, of another level in each, and a path along its middle."""
    data = np.random.default_rng(0).random((30, 30, slices)) * np.asarray(level)
    return Volume(data.astype(np.float32), np.diag([1, 1, spacing_mm, 1.0])), np.full((slices, 2), 15.0)


def test_where_signal_fades_it_is_not_lost_and_in_a_gap_it_is():
    """As beyond the end of a surface coil, to a fiftieth over 200 mm; and over 20 mm, as about metal."""
    fading = 50.0 ** (-np.arange(200) / 200)
    assert not slices_without_signal(*noise(200, 1.0, fading)).any()
    fading[60:80] *= 0.03
    np.testing.assert_array_equal(np.flatnonzero(slices_without_signal(*noise(200, 1.0, fading))), np.arange(60, 80))


@pytest.mark.parametrize("kept", [2, 3])
def test_most_slices_may_be_empty(kept):
    """One of two or three slices has signal: the others are lost, and are known by their neighbors."""
    data = np.zeros((30, 30, 12), np.float32)
    data[..., ::kept] = np.random.default_rng(0).random(data[..., ::kept].shape)
    lost = slices_without_signal(Volume(data, np.eye(4)), np.full((12, 2), 15.0))
    np.testing.assert_array_equal(lost, np.arange(12) % kept > 0)
    assert not lost[nearest_with_signal(lost, 0.5)].any()


@pytest.mark.parametrize("kept", [2, 3])
def test_noise_in_most_slices_is_no_signal(kept):
    level = np.where(np.arange(12) % kept, 0.05, 1)
    lost = slices_without_signal(*noise(12, 3.0, level))
    np.testing.assert_array_equal(lost, np.arange(12) % kept > 0)


def test_a_slice_far_from_signal_is_known_by_itself_unless_it_lies_next_to_it():
    lost = np.array([False, True, True, True, False])
    np.testing.assert_array_equal(nearest_with_signal(lost, 5.0), [0, 0, 2, 4, 4])
    np.testing.assert_array_equal(nearest_with_signal(lost, 1.5), [0, 0, 2, 4, 4])
    np.testing.assert_array_equal(nearest_with_signal(np.ones(3, bool), 1.0), [0, 1, 2])


def test_what_is_empty_at_the_ends_is_left_out_and_gaps_are_not():
    assert between_lost_ends(np.array([True, True, False, True, False, True])) == slice(2, 5)
    assert between_lost_ends(np.ones(3, bool)) == slice(0, 3)
