"""The comparison of a study: its verdict for hand-made scores, and its self-contained page."""

import csv
import math
import re
from xml.etree import ElementTree

import pytest

from spineseg_cli.metrics.agreement import METRICS
from spineseg_cli.metrics.table import Table
from spineseg_cli.reports.trainings.comparison import Comparison, VariantResult, comparison_rows, scores_by_subject
from spineseg_cli.reports.trainings.comparison_page import write_comparison

SUBJECTS = [f"sub-{n}" for n in range(8)]


def variant(name, values, **more):
    scores = {metric: dict(zip(SUBJECTS, values, strict=False)) for metric in METRICS}
    return VariantResult(name, {"test": scores}, **more)


def compared(*variants, **more):
    return Comparison("Children <b>", ("DSC", "MSD_mm"), "best", variants, "Someone 2000", "best is best", **more)


LOW = [0.50 + 0.01 * n for n in range(8)]
HIGH = [0.80 + 0.001 * n for n in range(8)]


def test_a_finding_that_holds():
    """Eight pairs, all better: p = 2 / 2^8 = 0.0078, twice that for two variants."""
    found = compared(variant("low", LOW), variant("lower", [v - 0.1 for v in LOW]), variant("best", HIGH))
    assert found.tests("DSC")["low"][0].p == pytest.approx(2 / 2**8)
    assert found.tests("DSC")["low"][1] == pytest.approx(4 / 2**8)
    assert "Someone 2000 found: best is best. That holds here." in found.verdict
    assert "DSC of best: 0.803 +- 0.002 on 8 subjects, the best mean" in found.verdict
    assert "shown to be better than low (p = 0.016), lower (p = 0.016)" in found.verdict
    assert "smallest of all" in found.verdict


def test_a_finding_that_holds_in_part_or_not():
    near = [v + (0.004, -0.005)[n % 2] for n, v in enumerate(HIGH)]
    found = compared(variant("low", LOW), variant("near", near), variant("best", HIGH)).verdict
    assert "That holds here in part." in found
    assert "not shown to differ from near" in found
    found = compared(variant("low", LOW), variant("higher", [v + 0.1 for v in HIGH]), variant("best", HIGH)).verdict
    assert "That does not hold here." in found
    assert "not the best mean, which is that of higher (0.90" in found
    assert "; shown to be better than low (p = 0.016)" in found
    assert "shown to be worse than higher" in found


def test_few_subjects_and_variants_that_are_missing():
    found = compared(variant("low", LOW[:3]), variant("best", HIGH[:3]), planned=5).verdict
    assert "too few subjects for a test (6 are needed)" in found
    assert "3 of 5 variants are not done yet" in found
    assert "holds here in part" in found, "nothing is shown without a test"
    many = compared(variant("best", HIGH), *(variant(f"near{n}", HIGH) for n in range(7))).verdict
    assert "not shown to differ from 7 of the other variants" in many
    assert "no score yet" in compared(variant("low", LOW)).verdict
    assert "no score yet" in compared(variant("best", [math.nan] * 8)).verdict


def test_a_short_budget_is_told():
    assert "a finding at a short budget" in compared(variant("low", LOW), variant("best", HIGH), short_budget=True).verdict
    assert "short budget" not in compared(variant("low", LOW), variant("best", HIGH)).verdict


def test_one_subject_has_no_spread():
    found = compared(variant("low", LOW[:1]), variant("best", HIGH[:1])).verdict
    assert "That cannot be told from one subject. DSC of best: 0.800 on 1 subject, the best mean; too few" in found
    assert "nan" not in found
    assert "spread" not in found


def test_scans_of_a_subject_count_once():
    rows = [
        {"prediction": name, "rater": "1"} | dict.fromkeys(METRICS, value) for name, value in (("a", 0.2), ("b", 0.4), ("c", 1))
    ]
    scores = scores_by_subject(Table(tuple(rows)), ["sub-0", "sub-0", "sub-1"])
    assert scores["DSC"] == pytest.approx({"sub-0": 0.3, "sub-1": 1})


def test_the_files(tmp_path):
    history = [{"epoch": -1.0, "val_loss": 0.7}, {"epoch": 0.0, "loss": 0.5, "val_loss": 0.6}]
    variants = (
        variant("low", [math.inf, *LOW[1:]], history=history, facts={"minutes": "3"}),
        variant("best", HIGH, figures=["<svg id='own'></svg>"]),
        variant("base", LOW),
        variant("rate=1", LOW, factor="rate", value="1"),
    )
    found = compared(*variants, charts=("boxes", "histograms"), split={"sub-0": "test"}, facts={"data": "a & b"})
    write_comparison(tmp_path, found)
    rows = list(csv.DictReader((tmp_path / "comparison.csv").read_text().splitlines()))
    assert len(rows) == 4 * len(METRICS) == len(comparison_rows(found))
    assert (rows[0]["variant"], rows[0]["metric"], rows[0]["n"], rows[0]["n_infinite"], rows[0]["pairs"]) == (
        "low",
        "DSC",
        "7",
        "1",
        "7",
    )
    assert rows[len(METRICS)]["p"] == "", "the reference is not compared with itself"
    scores = list(csv.DictReader((tmp_path / "scores.csv").read_text().splitlines()))
    assert len(scores) == 32
    assert (scores[0]["subject"], scores[0]["DSC"], scores[8]["DSC"]) == ("sub-0", "inf", "0.8")
    page = (tmp_path / "comparison.html").read_text()
    for text in ("Children &lt;b&gt;", "a &amp; b", "<svg id='own'></svg>", "DSC by rate", "low (7/8)", "0.803"):
        assert text in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)|url\((?!#)|@import|<script', page)
    texts = [element.text for element in ElementTree.parse(tmp_path / "comparison.svg").iter()]
    assert {"DSC", "MSD_mm", "low (7/8)"} <= set(texts), "a chart for each metric"
