"""The report of a run: its content, and its self-contained page."""

import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from spineseg_cli.metrics.agreement import METRICS
from spineseg_cli.metrics.table import Table
from spineseg_cli.reports.pictures.charts import draw_svg, line_chart, paired_boxes
from spineseg_cli.reports.trainings.rendering import Picture
from spineseg_cli.reports.trainings.run_report import RunReport, card_as_text, page_as_html


def row(scan, rater, dice):
    return {"level": "volume", "prediction": scan, "reference": "expert", "rater": rater, "slice": None} | dict.fromkeys(
        METRICS, dice
    )


@pytest.fixture
def report():
    """Two subjects: one with two scans, one seen by two raters, whose majority counts."""

    def table(shift):
        scans = (("a1", "1", 0.6), ("a2", "1", 0.8), ("b", "1", 0.1), ("b", "2", 0.2), ("b", "majority", 0.5))
        return Table(tuple(row(scan, rater, dice + shift) for scan, rater, dice in scans))

    history = [{"epoch": 0.0, "loss": 0.5, "val_loss": 0.6, "dice_cord": 0.1, "val_dice_cord": 0.2}] * 2
    return RunReport(
        title="children <b>",
        facts={"data": "a & b"},
        split={"sub-x": "train", "sub-a": "test", "sub-b": "test"},
        histories={"children": history},
        before=table(0.0),
        after=table(0.1),
        tested=["sub-a", "sub-a", "sub-b"],
        pictures=[Picture("best", np.zeros((8, 8, 3), np.uint8))],
    )


def test_subjects_count_once(report):
    assert report.by_subject(report.before, "DSC") == pytest.approx({"sub-a": 0.7, "sub-b": 0.5})
    assert report.verdict.startswith("Not known to be better: mean Dice 0.600 before, 0.700 after, on 2 test subjects")


def test_why_scores_of_kept_weights_differ_is_said(report):
    kept = replace(report, kept_start=True).verdict
    assert kept.startswith("No epoch was surely better than the weights that the run started from: these are what you get.")
    assert "Scores before and after are of the same weights" in kept
    assert kept.endswith(report.verdict)


def test_the_page_holds_everything(report):
    page = page_as_html(report)
    for text in (report.verdict, "children &lt;b&gt;", "a &amp; b", "sub-a, sub-b", *METRICS, "data:image/jpeg;base64,"):
        assert text in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)|url\((?!#)|@import|<script', page)
    assert page.count("<svg") == 1 + 1, "the curves, and the box plots"


def test_the_card(report):
    card = card_as_text(report)
    assert report.verdict in card
    assert "| test | sub-a, sub-b |" in card
    assert "| DSC | 0.6 | 0.7 | 2 | - |" in card


def test_curves(report):
    [first] = report.curves
    texts = [element.text for element in ElementTree.fromstring(first).iter() if element.text]
    assert {"children: loss by epoch", "children: dice_cord by epoch", "val_loss"} <= set(texts)
    assert replace(report).curves == [first], "equal values, equal bytes"


def test_without_test_subjects():
    empty = RunReport("x", {}, {"sub-x": "train"}, {}, Table(()), Table(()), [])
    for text in (page_as_html(empty), card_as_text(empty)):
        assert "nothing here says whether the new weights are better" in text


def test_any_values_make_a_chart():
    """Also none, one, and such that are no numbers."""
    charts = []
    for values in ([], [0.0], [1.0, 1.0], [math.nan, 2], [math.inf, -math.inf], [1e-9, 1e9]):
        charts += line_chart("loss <", {"a": values, "b & c": values}, 0), paired_boxes("DSC", values, values)
    ElementTree.fromstring(draw_svg(charts))
