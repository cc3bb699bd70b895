"""Outliers of a cohort."""

import pytest

from spineseg_cli.reports.qc.bands import OUTLIER_Z, robust_z


def entries(areas_of_subjects):
    return [
        {"title": f"{subject}_{i}", "subject": subject, "contrast": "T2w", "area_mm2": area}
        for subject, areas in areas_of_subjects.items() for i, area in enumerate(areas)
    ]  # fmt: skip


def test_scans_of_one_subject_are_no_cohort():
    """Four rescans of one person agree within 1 %; another healthy person is no outlier."""
    assert robust_z(entries({"01": [90.5, 90.7, 90.9, 91.0], "02": [85.9]})) == [None] * 5


def test_a_cohort_that_is_alike_by_chance():
    areas = {f"{i:02d}": [80.0 + 0.1 * i] for i in range(6)} | {"06": [74.0], "07": [40.0]}
    *alike, healthy, half = robust_z(entries(areas))
    assert max(abs(z) for z in alike) < 0.2
    assert abs(healthy) < OUTLIER_Z < abs(half)


def test_a_cohort_that_varies_is_measured_by_its_own_spread():
    areas = [60.0, 70.0, 80.0, 90.0, 100.0]
    expected = [round((area - 80.0) / (1.4826 * 10.0), 2) for area in areas]
    assert robust_z(entries({str(i): [area] for i, area in enumerate(areas)})) == pytest.approx(expected)


def test_rows_that_are_compared_with_nothing():
    rows = entries({str(i): [80.0] for i in range(5)})
    others = [{"title": "a", "subject": "", "contrast": "T1w", "area_mm2": 80.0}, {**rows[0], "area_mm2": None}]
    assert robust_z(rows + others) == [0.0] * 5 + [None, None]
    assert robust_z([{**row, "subject": ""} for row in rows]) == [0.0] * 5, "without names, each is a subject"
