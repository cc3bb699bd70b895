"""Histograms: what is counted where."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from spineseg_cli.reports.charts import side_by_side
from spineseg_cli.reports.histograms import histogram, histograms

SVG = "{http://www.w3.org/2000/svg}"


def test_bars_and_quartiles_by_hand():
    """Ten bins of 20 px: 0.1 to 0.2 holds one, 0.9 to 1 three, with 1 and what is beyond it; quartiles of 0.15, 0.95, 1, 1.2."""
    chart = ET.fromstring(histogram("Dice <U-Net>", [0.15, 0.95, 1, 1.2, np.nan, np.inf], bins=10, size=(274, 162)))
    bars = [{name: float(bar.get(name)) for name in ("x", "y", "width", "height")} for bar in chart.iter(f"{SVG}rect")]
    assert [bar["x"] for bar in bars] == [62 + 20 + 0.5, 62 + 180 + 0.5]
    assert {bar["width"] for bar in bars} == {19}
    assert bars[1]["height"] == 100
    assert bars[0]["height"] == pytest.approx(100 / 3, abs=0.1)
    assert all(bar["y"] + bar["height"] == pytest.approx(128, abs=0.1) for bar in bars)
    dashed = [float(line.get("x1")) for line in chart.iter(f"{SVG}line") if line.get("stroke-dasharray") == "4"]
    assert dashed == pytest.approx([62 + 200 * 0.75, 62 + 200 * 0.975, 62 + 200], abs=0.1)
    assert [text.text for text in chart.iter(f"{SVG}text")][-2:] == ["n = 4", "Dice <U-Net>"]


@pytest.mark.parametrize("values", [[], [np.nan]])
def test_nothing_to_count(values):
    chart = histogram("Dice", values)
    assert "<rect" not in chart
    assert "n = 0" in chart
    assert len(re.findall("<svg", side_by_side([chart, chart]))) == 3


@pytest.mark.parametrize(
    ("groups", "low", "high"),
    [
        ({"a": [0.61, 0.93], "b": [0.88, np.nan]}, "0.6", "1"),
        ({"a": [0.61], "b": [0.0]}, "0", "0.7"),
        ({"a": [1.2, 6.5], "b": [np.inf, 3]}, "1", "7"),
        ({"a": [1.0], "b": [1.0]}, "1", "1.1"),
        ({"a": [], "b": [np.nan]}, "0", "1"),
    ],
)
def test_one_axis_for_all(groups, low, high):
    page = ET.fromstring(histograms(groups))
    charts = [[text.text for text in chart.iter(f"{SVG}text")] for chart in page.findall(f"{SVG}svg")]
    assert [chart[-1] for chart in charts] == ["a", "b"]
    assert all((chart[-5], chart[-3]) == (low, high) for chart in charts)
