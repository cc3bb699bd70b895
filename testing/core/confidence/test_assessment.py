"""The confidence of masks: what lowers it, what it says of empty slices, and how it is tabulated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from spineseg_cli.core.confidence.assessment import GOOD, LOOK, REASONS, MaskPart, assess, coefficients
from spineseg_cli.core.confidence.features import SAMPLE_MM, sampled_slices
from spineseg_cli.core.confidence.wording import COLUMNS
from spineseg_cli.core.image.volume import Volume

SPACING_MM = (0.5, 0.5, 4.0)
TRUST = {"trust": np.ones(8), "moved_mm": np.full(8, 0.1)}


def a_disc(radius_mm=4.5, slices=8, shift_mm=0.0):
    """The share of each voxel in a disc, shape (60, 64, slices), and its scan: dark in bright surroundings."""
    x, y = ((np.arange(n) - (n - 1) / 2) * 0.5 for n in (60, 64))
    share = np.clip((radius_mm - np.hypot(x[:, None] - shift_mm, y[None, :])) / 0.5 + 0.5, 0, 1)
    share = np.repeat(share[..., None], slices, axis=2)
    noise = 2 * np.random.default_rng(0).standard_normal(share.shape)
    return share, Volume(100 - 60 * ndimage.gaussian_filter(share, (0.5, 0.5, 0)) + noise, np.diag([-0.5, 0.5, 4.0, 1.0]))


def confidence_of(share, scan, mask=None, presence=0.98, more=TRUST):
    mask = share > 0.5 if mask is None else mask
    centers = np.full((8, 2), (29.5, 31.5))
    part = MaskPart(planes_of(scan.data, share, mask), mask.sum(axis=(0, 1)), centers_vx=centers)
    return assess("cord", part, scan.spacing_mm, np.full(8, presence), more)


def planes_of(*stacks):
    return lambda k: tuple(stack[:, :, k] for stack in stacks)


def test_a_clean_cord_is_called_good():
    found = confidence_of(*a_disc())
    assert found.slices.min() > GOOD
    assert (found.verdict, len(found.doubtful), set(found.reasons)) == ("good", 0, {""})


@pytest.mark.parametrize("spoil", ["vague", "beside", "no edge", "ragged"])
def test_what_is_wrong_in_one_slice_lowers_its_confidence_alone(spoil):
    share, scan = a_disc()
    mask, more = share > 0.5, {name: values.copy() for name, values in TRUST.items()}
    if spoil == "vague":
        share[..., 3] = ndimage.gaussian_filter(share[..., 3], 4)
    elif spoil == "beside":
        mask[..., 3] = np.roll(mask[..., 3], 12, axis=0)
        share[..., 3] = np.roll(share[..., 3], 12, axis=0)
    elif spoil == "no edge":
        more["trust"][3], more["moved_mm"][3] = 0.1, 0.7
    else:
        mask[20:, 31:33, 3] = True
        mask[:, 30:, 3] &= np.arange(60)[:, None] % 3 > 0
    clean, found = confidence_of(*a_disc()), confidence_of(share, scan, mask, more=more)
    assert found.slices[3] < clean.slices[3] - 0.02
    np.testing.assert_allclose(np.delete(found.slices, [2, 3, 4]), np.delete(clean.slices, [2, 3, 4]), atol=0.03)
    assert found.reasons[3] in REASONS or found.slices[3] >= GOOD


def test_empty_slices_have_the_probability_that_there_is_no_cord():
    share, scan = a_disc()
    share[..., 5:] = 0
    found = confidence_of(share, scan, presence=0.3)
    np.testing.assert_allclose(found.slices[5:], 0.7)
    assert found.filled.tolist() == [True] * 5 + [False] * 3
    nothing = confidence_of(0 * share, scan, presence=0.1)
    assert (nothing.verdict, nothing.scan) == ("empty", pytest.approx(0.9))
    assert (nothing.between_ends(3, 5).verdict, nothing.between_ends(3, 5).scan) == ("empty", nothing.scan)


def test_a_part_of_the_scan_is_enough():
    share, scan = a_disc()
    share[..., 6:] = 0
    more = {name: values[1:7] for name, values in TRUST.items()}
    box = (slice(10, 50), slice(5, 58), slice(1, 7))
    share[..., 0] = 0
    mask = share[box] > 0.5
    planes = planes_of(scan.data[box], share[box], mask)
    part = MaskPart(planes, mask.sum(axis=(0, 1)), first=1, centers_vx=np.full((6, 2), (19.5, 26.5)))
    found = assess("cord", part, scan.spacing_mm, np.full(8, 0.98), more)
    whole = confidence_of(share, scan)
    np.testing.assert_allclose(found.slices, whole.slices)
    np.testing.assert_array_equal(found.area_mm2, whole.area_mm2)


def test_the_table_has_a_row_a_slice():
    share, scan = a_disc()
    share[..., 0] = 0
    found = confidence_of(share, scan, more={"trust": np.zeros(8), "moved_mm": np.full(8, 2.0)})
    rows = found.table()
    assert COLUMNS == ("slice", "area_mm2", "confidence", "verdict", "doubt")
    assert {len(row) for row in rows} == {len(COLUMNS)}
    assert [row[0] for row in rows] == list(range(8))
    assert rows[0][1:] == [0.0, 0.02, "empty", ""]
    for row in rows[1:]:
        assert row[1] == pytest.approx(np.pi * 4.5**2, rel=0.05)
        assert row[3] == ("look" if row[2] < LOOK else "fair" if row[2] < GOOD else "good")


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.floats(0.3, 8))
def test_sampled_slices_are_filled_and_hold_the_ends(filled, distance_mm):
    filled = np.array(filled)
    slices = sampled_slices(filled, distance_mm)
    assert filled[slices].all()
    assert (np.diff(slices) > 0).all()
    if filled.any():
        assert {np.flatnonzero(filled)[0], np.flatnonzero(filled)[-1]} <= set(slices.tolist())
    if distance_mm >= SAMPLE_MM:
        np.testing.assert_array_equal(slices, np.flatnonzero(filled))


@pytest.mark.parametrize("structure", ["cord", "gray_matter"])
def test_the_coefficients_are_whole(structure):
    model = coefficients()[structure]
    lengths = {len(model[key]) for key in ("features", "weights", "means", "scales", "limits")}
    assert len(lengths) == 1
    named = {name for names in REASONS.values() for name in names}
    assert set(model["features"]) <= named, "each feature has a reason that can be told"
