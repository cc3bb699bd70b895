"""Changes between two times: at the same places along the cord, whatever the fields of view, and right by their errors."""

import numpy as np
import pytest

from spineseg_cli.morphometry.comparison.alignment import BY_AGREEMENT, BY_PROFILE, BY_TOP, align
from spineseg_cli.morphometry.comparison.change import change_along, with_change
from testing.morphometry.subjects import simulate_subject

STEP_MM = 2.0


def rows_of(place_mm, area, ratio, top_mm, bottom_mm, levels=(), kind="vertebral"):
    """Rows of the slices between two places along the cord, and of the whole; levels are (name, first, last), mm."""
    seen = np.flatnonzero((place_mm >= top_mm) & (place_mm <= bottom_mm))
    rows = []
    for slice_number, i in enumerate(seen[::-1]):
        names = [name for name, first, last in levels if first <= place_mm[i] < last]
        rows.append({
            "scope": "slice", "slice": str(slice_number), "level": names[0] if names else "", "n_slices": 1,
            "level_kind": kind if levels else "", "distance_from_top_mm": place_mm[i] - place_mm[seen[0]],
            "length_mm": STEP_MM, "flags": "", "area_mm2": area[i], "area_mm2_se": 0.5, "compression_ratio": ratio[i],
        })  # fmt: skip
    mean = {"scope": "whole", "slice": f"0:{len(seen) - 1}", "area_mm2": area[seen].mean(), "area_mm2_se": 0.1}
    return [*rows, mean | {"distance_from_top_mm": (bottom_mm - top_mm) / 2}]


def make_subject(seed):
    """Places every 2 mm along a simulated cord, and its area and compression ratio there."""
    found = simulate_subject(np.random.default_rng(seed))
    place = np.arange(0, found.boundaries_mm[-1], STEP_MM)
    area, ratio = (np.interp(place, found.place_mm, values) for values in (found.area_mm2, found.ratio))
    return place, area, ratio


@pytest.fixture(scope="module")
def subject():
    return make_subject(3)


LEVELS = (("C2", 10, 26), ("C3", 26, 42), ("C4", 42, 58), ("C5", 58, 74), ("C6", 74, 90))


def test_levels_align_fields_of_view_that_differ(subject):
    """One begins 16 mm lower, in the middle of C3, and the cord has lost 3 % of its area."""
    place, area, ratio = subject
    before = rows_of(place, area, ratio, 10, 90, LEVELS)
    now = rows_of(place, 0.97 * area, ratio, 34, 90, LEVELS)
    alignment = align(now, before)
    assert alignment.how == "vertebral levels"
    np.testing.assert_allclose(alignment.to_now(np.array([24.0, 40.0, 60.0])), [0.0, 16.0, 36.0])
    change = change_along(now, before, "area_mm2", alignment)
    np.testing.assert_allclose(change.percent, -3, atol=1e-6)
    np.testing.assert_allclose(change.error, 97 * np.hypot(0.5 / now[0]["area_mm2"], 0.5 / now[0]["area_mm2"] * 0.97), rtol=0.2)
    measured, how = with_change(now[-1:], now, before)
    assert how == alignment.how
    assert measured[0]["area_mm2_change_pct"] == pytest.approx(-3)
    assert measured[0]["area_mm2_change_pct_se"] == pytest.approx(change.error.mean() / 5, rel=0.01)


def test_without_levels_the_profiles_align_them():
    """Fields of view that begin 24 mm apart, with noise of 2 %; three of ten subjects are unlike the average."""
    rng = np.random.default_rng(0)
    for seed in range(6):
        place, area, ratio = make_subject(seed)
        noisy = area * np.exp(rng.normal(0, 0.02, len(area)))
        alignment = align(rows_of(place, noisy, ratio, 24, 250), rows_of(place, area, ratio, 0, 250))
        assert alignment.how == BY_PROFILE
        np.testing.assert_allclose(alignment.to_now(np.array([50.0, 100.0])), [26.0, 76.0], atol=1)


def test_too_little_of_the_cord_is_aligned_by_its_top_and_says_so(subject):
    place, area, ratio = subject
    before, now = rows_of(place, area, ratio, 150, 190), rows_of(place, area, ratio, 160, 190)
    alignment = align(now, before)
    assert alignment.how == BY_TOP
    assert "equal fields of view" in BY_TOP
    np.testing.assert_array_equal(alignment.to_now(np.array([5.0])), [5.0])


def test_the_agreement_alone_aligns_the_middle_of_the_cord_or_says_that_it_does_not():
    """Parts of 100 mm in which no segment is sure, 24 mm apart; where another shift agrees about as well, the tops are taken."""
    rng, methods = np.random.default_rng(0), []
    for seed in range(6):
        place, area, ratio = make_subject(seed)
        noisy = area * np.exp(rng.normal(0, 0.02, len(area)))
        alignment = align(rows_of(place, noisy, ratio, 154, 254), rows_of(place, area, ratio, 130, 230))
        methods.append(alignment.how)
        expected = 26.0 if alignment.how == BY_AGREEMENT else 50.0
        np.testing.assert_allclose(alignment.to_now(np.array([50.0])), expected, atol=1)
    assert methods.count(BY_AGREEMENT) >= 4
    assert set(methods) == {BY_AGREEMENT, BY_TOP}


def test_a_cord_that_is_alike_everywhere_is_aligned_by_its_top(subject):
    place, *_ = subject
    rng = np.random.default_rng(0)
    now, before = (rows_of(place, 60 + rng.normal(0, 1, len(place)), np.full(len(place), 0.7), 130, 230) for _ in range(2))
    assert align(now, before).how == BY_TOP


def test_estimated_segments_do_not_align_as_levels_do(subject):
    """Those of the second time are 8 mm lower, by the errors of an estimate, as its field of view begins 24 mm lower."""
    place, area, ratio = subject
    lower = [(name, first + 8, last + 8) for name, first, last in LEVELS]
    before = rows_of(place, area, ratio, 0, 250, LEVELS, "spinal_estimate")
    alignment = align(rows_of(place, area, ratio, 24, 250, lower, "spinal_estimate"), before)
    np.testing.assert_allclose(alignment.to_now(np.array([50.0, 100.0])), [26.0, 76.0], atol=1)


def test_levels_of_another_kind_do_not_align(subject):
    place, area, ratio = subject
    now, before = (rows_of(place, area, ratio, 10, 90, LEVELS, kind) for kind in ("vertebral", "spinal"))
    assert align(now, before).how != "vertebral levels"


def test_places_that_only_one_has_are_left_out(subject):
    place, area, ratio = subject
    now, before = rows_of(place, area, ratio, 10, 58, LEVELS), rows_of(place, area, ratio, 42, 90, LEVELS)
    change = change_along(now, before, "area_mm2", align(now, before))
    assert change.distance_mm.min() == pytest.approx(32)
    apart = rows_of(place, area, ratio, 200, 240, (("T5", 200, 240),))
    measured, _ = with_change(now[-1:], now, apart)
    assert set(measured[0]) > {"area_mm2_change_pct"}


def test_edges_that_are_not_seen_are_left_out(subject):
    place, area, ratio = subject
    now, before = (rows_of(place, area, ratio, 10, 90, LEVELS) for _ in range(2))
    for row in [*now, *before]:
        row |= {"area_edge_mm2": row["area_mm2"], "area_edge_mm2_se": 0.5}
    before[3] |= {"flags": "edge_not_visible", "area_edge_mm2": 5.0}
    change = change_along(now, before, "area_edge_mm2", align(now, before))
    assert abs(change.percent).max() < 10
