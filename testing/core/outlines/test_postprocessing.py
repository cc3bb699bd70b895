"""Masks made anatomical."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from spineseg_cli.core.outlines.postprocessing import (
    eroded,
    fill_holes,
    fullest,
    in_one_piece,
    keep_inside,
    on_path,
    remove_small_components,
    whole_slices,
)


def cord(slices):
    mask = np.zeros((12, 12, 8), bool)
    for k in slices:
        mask[3:8, 4:9, k] = True
    return mask


def test_the_object_on_the_path_stays():
    """Also beyond slices without any; what lies beside the path goes, however large it is."""
    mask = cord([0, 1, 2, 6, 7])
    beside = mask.copy()
    beside[10:, :, 1:3] = True
    path = np.tile([5.0, 6.0], (8, 1))
    np.testing.assert_array_equal(on_path(beside, path, (1.0, 1.0, 3.0)), mask)
    assert not on_path(beside, path + 30, (1.0, 1.0, 3.0)).any()


def test_holes_are_filled_in_their_slice():
    mask = cord(range(8))
    holed = mask.copy()
    holed[5, 6, 3] = False
    holed[:, 6, 4] = False  # a cut, not a hole
    filled = fill_holes(holed)
    assert filled[5, 6, 3]
    assert not filled[5, 6, 4]


@given(st.integers(0, 2**31), st.floats(0.3, 0.95))
def test_what_is_sure_to_be_one_object_is_one(seed, share):
    masks = np.random.default_rng(seed).random((4, 3, 200)) < share
    masks[:, :, 0] = False
    masks[1:3, :, 1] = True
    sure = in_one_piece(masks)
    assert sure[:2].all()
    assert all(ndimage.label(masks[:, :, k])[1] <= 1 for k in np.flatnonzero(sure))


@given(st.integers(0, 2**31), st.integers(0, 3))
def test_erosion_is_that_of_scipy(seed, times):
    masks = np.random.default_rng(seed).random((9, 8, 20)) < 0.95
    cross = ndimage.generate_binary_structure(2, 1)[..., None]
    expected = ndimage.binary_erosion(masks, cross, iterations=times) if times else masks
    np.testing.assert_array_equal(eroded(masks, times), expected)


def test_a_torn_top_goes():
    assert whole_slices(np.full(8, 25)) == 8
    assert whole_slices(np.array([25] * 7 + [10])) == 7
    assert whole_slices(np.array([5, 5] + [25] * 6)) == 8, "the conus ends below"
    assert whole_slices(np.array([25, 25, 25, 9, 4, 0, 0, 0])) == 3
    assert whole_slices(np.zeros(8)) == 8


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
    cleaned = remove_small_components(probability)
    assert cleaned[10, 10, 1] == 0
    probability[10, 10, 1] = 0
    np.testing.assert_array_equal(cleaned, probability)
    assert not remove_small_components(np.zeros((4, 4, 2), np.float32)).any()


def test_the_fullest_voxels_are_as_many_as_fill_the_area():
    slices = np.zeros((2, 2, 4))
    slices[..., 0], slices[0, :, 2], slices[..., 3] = 1, 0.45, 0.9  # all, none, two below half that make one, nearly all
    assert fullest(slices).sum(axis=(0, 1)).tolist() == [4, 0, 0, 4]
    assert fullest(np.array([0.9, 0.45, 0.4, 0.2]).reshape(4, 1, 1))[:, 0, 0].tolist() == [True, True, False, False]
    assert fullest(np.zeros((3, 3, 0))).shape == (3, 3, 0)
