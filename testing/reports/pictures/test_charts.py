"""Charts: their content, read from the axes of matplotlib."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from spineseg_cli.reports.pictures.charts import (
    chart_limits,
    group_boxes,
    histogram,
    histograms,
    line_chart,
    rate_chart,
)


def drawn(chart):
    axes = Figure().subplots()
    chart(axes)
    return axes


def test_a_histogram_by_hand():
    """Of 20 bins, 0.15 to 0.2 holds one value, 0.95 to 1 three, with 1 and what is beyond it; quartiles of 0.17, 0.97, 1, 1.2."""
    axes = drawn(histogram("Dice <U-Net>", [0.17, 0.97, 1, 1.2, np.nan, np.inf]))
    counts = [bar.get_height() for bar in axes.patches]
    assert counts == [0, 0, 0, 1, *[0] * 15, 3]
    assert [line.get_xdata()[0] for line in axes.lines] == pytest.approx([0.77, 0.985, 1.0])
    assert axes.get_title() == "Dice <U-Net> (n = 4)"


@pytest.mark.parametrize(
    ("groups", "limits"),
    [
        ({"a": [0.61, 0.93], "b": [0.88, np.nan]}, (0.6, 1)),
        ({"a": [0.61], "b": [0.0]}, (0, 0.7)),
        ({"a": [1.2, 6.5], "b": [np.inf, 3]}, (1, 7)),
        ({"a": [1.0], "b": [1.0]}, (1, 1.1)),
        ({"a": [], "b": [np.nan]}, (0, 1)),
    ],
)
def test_one_axis_for_all(groups, limits):
    assert [drawn(chart).get_xlim() for chart in histograms(groups)] == [pytest.approx(limits)] * 2
    assert chart_limits([]) == (0, 1)


def test_lines_have_gaps_and_a_mark():
    axes = drawn(line_chart("loss", {"loss": [1, np.inf, 2], "val_loss": [3, 2, 1]}, marked=1, first=0))
    mark, loss, _ = axes.lines
    assert mark.get_xdata()[0] == 1
    assert list(loss.get_xdata()) == [0, 1, 2]
    assert np.isnan(loss.get_ydata()[1])


@pytest.mark.parametrize("losses", [[1, 0.5, 80], [-0.5, -0.9, -0.1], [1, 1, 1]])
def test_what_is_far_above_the_first_losses_is_cut(losses):
    axes = drawn(rate_chart("loss", [1e-3, 1e-2, 1e-1], {"loss": losses}, [1e-2]))
    assert axes.get_xscale() == "log"
    low, high = axes.get_ylim()
    assert low <= min(losses) < high < 4


def test_groups_of_values_that_are_left_out():
    axes = drawn(group_boxes("DSC", {"all": [1.0, 2.0], "some": [1.0, np.nan], "none": [np.inf]}))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["all", "some (1/2)", "none (0/1)"]
