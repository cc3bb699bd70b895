"""Gray matter beside its mirror image, and beside the slice below."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.image.packed import PackedMasks
from spineseg_cli.core.outlines.symmetry import mirror_symmetry, overlap_when_aligned, unreliable_superior_slices


def butterfly(tilt_deg=0.0, x=32.0, y=32.0, halves=(-1, 1)):
    """Two horns, and the bar between them: shape (64, 64), as at 0.25 mm."""
    i, j = np.meshgrid(np.arange(64) - x, np.arange(64) - y, indexing="ij")
    tilt = np.deg2rad(tilt_deg)
    across, along = i * np.cos(tilt) + j * np.sin(tilt), j * np.cos(tilt) - i * np.sin(tilt)
    horns = (np.abs(np.abs(across) - 8) < 3) & (np.abs(along - 2) < 10)
    bar = (np.abs(across) < 8) & (np.abs(along) < 2)
    return (horns | bar) & np.isin(np.where(across < 0, -1, 1), halves)


def packed(slices):
    masks = PackedMasks()
    masks.extend(np.array(slices))
    return masks


@given(st.floats(-16, 16), st.floats(25, 40), st.floats(25, 40))
def test_a_butterfly_is_like_its_mirror_image_wherever_it_sits_and_however_it_tilts(tilt_deg, x, y):
    assert mirror_symmetry(butterfly(tilt_deg, x, y)) > 0.88
    assert overlap_when_aligned(butterfly(tilt_deg, x, y), butterfly(tilt_deg)) > 0.85


def test_by_hand():
    square = np.zeros((9, 9), bool)
    square[2:6, 2:6] = True
    assert mirror_symmetry(square) == overlap_when_aligned(square, np.roll(square, 3, axis=1)) == 1
    half = square.copy()
    half[4:] = False
    assert overlap_when_aligned(half, square) == pytest.approx(2 * 8 / (8 + 16))
    nothing = square & False
    assert mirror_symmetry(nothing) == overlap_when_aligned(nothing, square) == overlap_when_aligned(square, nothing) == 0
    corner = np.zeros((9, 9), bool)
    corner[0, 0] = True
    assert overlap_when_aligned(corner, square) == pytest.approx(2 / 17), "nothing lies beyond the edge"


short, short_behind = (butterfly() & ~(butterfly(halves=(1,)) & part) for part in (np.arange(64) < 32, np.arange(64) > 34))
whole, left, lower, nothing = butterfly(), butterfly(halves=(-1,)), butterfly() & (np.arange(64) < 31), np.zeros((64, 64), bool)


@pytest.mark.parametrize(
    ("slices", "torn"),
    [
        ([whole] * 9, 0),
        ([whole] * 7 + [left, lower], 2),
        ([whole] * 7 + [left, nothing], 2),
        ([whole] * 7 + [left, whole], 2),  # what lies above a torn slice is as doubtful
        ([whole] * 8 + [short], 0),  # one odd slice is no evidence
        ([whole] * 6 + [short, whole, short], 0),
        ([whole] * 7 + [short, short_behind, short], 3),
        ([whole] * 7 + [short, short_behind, short, nothing], 4),
        ([left, lower] + [whole] * 7, 0),
        ([whole], 0),
        ([left], 0),
        ([nothing] * 5, 0),
        ([np.random.default_rng(k).random((64, 64)) < 0.1 for k in range(20)], 0),  # each is as unlike as the others
        ([whole] * 500 + [lower] * 30, 0),  # each is like the one below it, but for the first
    ],
)
def test_torn_slices_are_counted_from_the_top(slices, torn):
    assert unreliable_superior_slices(packed(slices)) == torn


def test_slices_without_the_contrast_of_the_others_are_unreliable_too():
    masks = packed([whole] * 9)
    contrast = np.full(9, 3.0)
    for inverted in (1, -1):
        assert unreliable_superior_slices(masks, inverted * contrast) == 0
        faded = inverted * np.array([3.0] * 5 + [1.6, 1.4, 0.2, -2.0])  # half is enough, and a little less is not much
        assert unreliable_superior_slices(masks, faded) == 2
    assert unreliable_superior_slices(masks, np.zeros(9)) == 0, "there is none to go by"
