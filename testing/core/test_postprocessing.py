"""Masks made anatomical."""

import numpy as np
import pytest

from spineseg_cli.core.postprocessing import (
    clean_cord,
    fill_holes,
    keep_cord,
    keep_inside,
    without_specks,
    without_torn_top,
)


def cord(slices):
    mask = np.zeros((12, 12, 8), bool)
    for k in slices:
        mask[3:8, 4:9, k] = True
    return mask


def test_smaller_objects_go():
    mask = cord(range(8))
    stray = mask.copy()
    stray[10:, :2, 2:5] = True
    np.testing.assert_array_equal(clean_cord(stray, 1.0), mask)


def test_one_missed_slice_costs_nothing_else():
    mask = cord([0, 1, 2, 4, 7])
    np.testing.assert_array_equal(keep_cord(mask, 3.0), mask)
    np.testing.assert_array_equal(keep_cord(cord([0, 4, 5, 6]), 3.0), cord([4, 5, 6]))


@pytest.mark.parametrize(("gap_mm", "piece_mm", "goes_on"), [(3, 40, True), (15, 15, True), (16, 40, False), (8, 10, False)])
@pytest.mark.parametrize("slice_mm", [0.5, 1.0])
def test_the_cord_goes_on_beyond_lost_signal(gap_mm, piece_mm, goes_on, slice_mm):
    upper, gap, lower = (int(length / slice_mm) for length in (50, gap_mm, piece_mm))
    mask = np.zeros((12, 12, lower + gap + upper), bool)
    mask[3:8, 4:9] = True
    mask[:, :, lower : lower + gap] = False
    expected = mask.copy()
    if not goes_on:
        expected[:, :, :lower] = False
    np.testing.assert_array_equal(keep_cord(mask, slice_mm), expected)


def test_roots_beyond_a_gap_do_not_continue_the_cord():
    mask = np.zeros((12, 12, 60), bool)
    mask[3:8, 4:9, 30:] = True
    roots = mask.copy()
    roots[3:5, 4:8, :24] = True
    np.testing.assert_array_equal(keep_cord(roots, 1.0), mask)


def test_what_lies_beside_the_cord_does_not_continue_it():
    mask = np.zeros((12, 12, 60), bool)
    mask[3:8, 4:9] = True
    beside = mask.copy()
    beside[10:, :, 10:50] = True
    np.testing.assert_array_equal(keep_cord(beside, 1.0), mask)


def test_holes_are_filled_in_their_slice():
    mask = cord(range(8))
    holed = mask.copy()
    holed[5, 6, 3] = False
    holed[:, 6, 4] = False  # a cut, not a hole
    filled = fill_holes(holed)
    assert filled[5, 6, 3]
    assert not filled[5, 6, 4]


def test_nothing_stays_nothing():
    nothing = np.zeros((4, 4, 2), bool)
    assert not fill_holes(nothing).any()
    assert not clean_cord(nothing, 1.0).any()


def test_a_torn_top_goes():
    whole = cord(range(8))
    np.testing.assert_array_equal(without_torn_top(whole), whole)
    torn = whole.copy()
    torn[5:, :, 7] = False
    np.testing.assert_array_equal(without_torn_top(torn), cord(range(7)))
    tapered = whole.copy()
    tapered[4:, :, :2] = False
    np.testing.assert_array_equal(without_torn_top(tapered), tapered, "the conus ends below")
    np.testing.assert_array_equal(without_torn_top(cord([])), cord([]))


def test_values_outside_the_cord_go():
    everywhere = np.full((12, 12, 8), 0.25, np.float32)
    inside = keep_inside(everywhere, cord([3]))
    np.testing.assert_array_equal(inside > 0, cord([3]))
    assert inside.dtype == np.float32
    assert keep_inside(everywhere > 0, cord([])).sum() == 0


def test_specks_go_and_halves_stay():
    probability = np.zeros((12, 12, 2), np.float32)
    probability[1:4, 2:8, :] = probability[6:9, 2:8, :] = 0.9  # two halves
    probability[10, 10, 1] = 0.95
    probability[4:6, 4, 1] = 0.3  # they touch, though not at 0.5
    cleaned = without_specks(probability)
    assert cleaned[10, 10, 1] == 0
    probability[10, 10, 1] = 0
    np.testing.assert_array_equal(cleaned, probability)
    assert not without_specks(np.zeros((4, 4, 2), np.float32)).any()
