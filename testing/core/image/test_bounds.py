"""Ranges and boxes in which masks are true."""

import numpy as np

from spineseg_cli.core.image.bounds import bounding_box, true_range


def test_a_range_goes_from_the_first_to_after_the_last_true():
    assert true_range(np.array([0, 1, 0, 1, 0], bool)) == slice(1, 4)
    assert true_range(np.zeros(5, bool)) == slice(0, 0)


def test_a_box_holds_all_of_a_mask_and_each_of_its_faces_touches_it():
    mask = np.random.default_rng(0).random((9, 8, 7)) > 0.99
    box = bounding_box(mask)
    assert mask[box].sum() == mask.sum() > 0
    for axis, side in enumerate(box):
        along = np.moveaxis(mask, axis, 0)
        assert along[side.start].any()
        assert along[side.stop - 1].any()
    assert mask[bounding_box(np.zeros_like(mask))].size == 0
