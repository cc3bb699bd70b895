"""Masks made anatomical."""

import numpy as np

from spineseg_cli.core.postprocessing import clean_cord, fill_holes, keep_inside, keep_largest_object


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


def test_values_outside_the_cord_go():
    everywhere = np.full((12, 12, 8), 0.25, np.float32)
    strict, grown = keep_inside(everywhere, cord([3]), margin_vx=0), keep_inside(everywhere, cord([3]))
    np.testing.assert_array_equal(strict > 0, cord([3]))
    assert strict.dtype == np.float32
    assert (grown > 0).sum() == 25 + 4 * 5  # a voxel on each side, in plane only
    assert grown[:, :, [2, 4]].max() == 0
    assert keep_inside(everywhere > 0, cord([])).sum() == 0
