"""Masks made anatomical."""

import numpy as np

from spineseg_cli.core.postprocessing import (
    clean_cord,
    fill_holes,
    keep_inside,
    keep_largest_object,
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
    np.testing.assert_array_equal(clean_cord(stray), mask)


def test_one_missed_slice_costs_nothing_else():
    mask = cord([0, 1, 2, 4, 7])
    np.testing.assert_array_equal(keep_largest_object(mask), mask)
    np.testing.assert_array_equal(keep_largest_object(cord([0, 4, 5, 6])), cord([4, 5, 6]))


def test_holes_are_filled_in_their_slice():
    mask = cord(range(8))
    holed = mask.copy()
    holed[5, 6, 3] = False
    holed[:, 6, 4] = False  # a cut, not a hole
    filled = fill_holes(holed)
    assert filled[5, 6, 3]
    assert not filled[5, 6, 4]


def test_nothing_stays_nothing():
    for function in (keep_largest_object, fill_holes, clean_cord):
        assert not function(np.zeros((4, 4, 2), bool)).any()


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
