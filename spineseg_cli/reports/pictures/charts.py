"""Charts as inline SVG for self-contained pages. matplotlib is imported only when a chart is drawn.

A chart is a function that draws on the axes of matplotlib; `draw_svg` draws several charts side by side. Equal values give equal
bytes, and no window is opened.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from spineseg_cli.core.extras import require

COLORS = ("#3366aa", "#cc5522", "#338855", "#996699", "#b08a1e", "#2a8c99", "#aa3355", "#667788")
QUARTILES = (25, 50, 75)
LONGEST_NAME = 26
HISTOGRAM_BINS = 20
STYLE = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
    "svg.hashsalt": "spineseg",
    "svg.fonttype": "none",
}

# A function that draws a chart on the axes of matplotlib.
Chart = Callable[[Any], None]


def draw_svg(charts: Sequence[Chart], columns: int = 2, size_in: tuple[float, float] = (4.6, 2.7)) -> str:
    """Return charts, row by row, as one SVG element.

    There are `columns` charts in a row; `size_in` is the width and height of each, in inches.
    """
    require("a chart", "matplotlib")
    import matplotlib
    from matplotlib.figure import Figure

    columns = min(columns, len(charts)) or 1
    rows = -(-len(charts) // columns) or 1
    stream = io.StringIO()
    with matplotlib.rc_context(dict[Any, Any](STYLE)):
        figure = Figure(figsize=(size_in[0] * columns, size_in[1] * rows), layout="constrained")
        for index, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
            if index < len(charts):
                charts[index](axes)
            else:
                axes.set_axis_off()
        figure.savefig(stream, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = stream.getvalue()
    return text[text.index("<svg") :]


def line_chart(title: str, series: Mapping[str, Sequence[float]], marked: int | None = None, first: int = 1) -> Chart:
    """Return a chart of lines over `first`, `first` + 1, ...

    `series` holds the values of each line, by its name; lines have gaps at values that are not finite. `marked` is the index,
    from 0, at which a vertical line is drawn.
    """

    def draw(axes) -> None:
        """Draw the lines, and the vertical one, on matplotlib axes."""
        if marked is not None:
            axes.axvline(marked + first, color="#aaaaaa", linestyle="--", linewidth=1)
        for color, (name, values) in zip(COLORS, series.items(), strict=False):
            finite = _finite_or_nan(values)
            axes.plot(np.arange(len(finite)) + first, finite, color=color, label=name, linewidth=1.4, marker=".", markersize=4)
        axes.set_title(title)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if series:
            axes.legend(frameon=False)

    return draw


def rate_chart(title: str, rates: Sequence[float], series: Mapping[str, Sequence[float]], marked: Sequence[float] = ()) -> Chart:
    """Return a chart of lines over learning rates on a logarithmic axis. Values far above the first ones are cut off.

    `rates` increase and are above 0; `series` holds the values of each line, one for each rate, by its name; vertical lines
    are drawn at the rates `marked`.
    """
    values = np.concatenate([np.asarray(line, float) for line in series.values()])
    start, lowest = float(np.median(values[: max(len(values) // 10, 1)])), float(values.min())
    margin = start - lowest or abs(start) or 1.0

    def draw(axes) -> None:
        """Draw the lines, and the marked rates, on matplotlib axes."""
        axes.set_xscale("log")
        for color, (name, line) in zip(COLORS, series.items(), strict=False):
            axes.plot(rates, line, color=color, label=name, linewidth=1.2)
        for rate in marked:
            axes.axvline(rate, color="#aaaaaa", linestyle="--", linewidth=1)
        axes.set_ylim(lowest - 0.06 * margin, start + margin)
        axes.set_title(title)
        axes.set_xlabel("learning rate")
        axes.legend(frameon=False)

    return draw


def paired_boxes(title: str, before: Sequence[float], after: Sequence[float]) -> Chart:
    """Return box plots of paired values, with whiskers to the extremes and a line for each pair.

    Pairs with a value that is not finite are left out.
    """
    pairs = np.array([pair for pair in zip(before, after, strict=True) if np.isfinite(pair).all()], float).reshape(-1, 2)

    def draw(axes) -> None:
        """Draw the boxes, and a line for each pair, on matplotlib axes."""
        for pair in pairs:
            axes.plot((1, 2), pair, color="#bbbbbb", linewidth=0.8, zorder=1)
        _draw_boxes(axes, {"before": pairs[:, 0], "after": pairs[:, 1]}, spread=0.0)
        axes.set_title(title)

    return draw


def group_boxes(title: str, groups: Mapping[str, Sequence[float]]) -> Chart:
    """Return one box plot for each group, side by side on one axis.

    A box extends from the first to the third quartile, with a line at the median and a cross at the mean. Whiskers extend to the
    extremes, and each value is a point. Values that are not finite are left out; the name of the group then has the number of
    values that are shown.
    """
    finite = {}
    for name, values in groups.items():
        kept = np.array([value for value in values if np.isfinite(value)], float)
        shown = f"{name} ({len(kept)}/{len(values)})" if len(kept) < len(values) else name
        finite[shown] = kept

    def draw(axes) -> None:
        """Draw the boxes, and the names of the groups aslant, on matplotlib axes."""
        _draw_boxes(axes, finite, spread=0.18, means=True)
        axes.set_title(title)
        for label in axes.get_xticklabels():
            label.set(rotation=38, ha="right", rotation_mode="anchor")

    return draw


def histograms(groups: Mapping[str, Sequence[float]]) -> list[Chart]:
    """Return a histogram of each group, all with the same limits of the axis: see `chart_limits`."""
    limits = chart_limits([value for values in groups.values() for value in values if np.isfinite(value)])
    return [histogram(name, values, limits) for name, values in groups.items()]


def histogram(title: str, values: Sequence[float], limits: tuple[float, float] = (0, 1)) -> Chart:
    """Return a histogram between the limits, and dashed lines at the quartiles.

    Values that are not finite are left out, and the number of values is shown. Values beyond the limits count in the outer bins.
    """
    finite = np.array([value for value in values if np.isfinite(value)], float)

    def draw(axes) -> None:
        """Draw the bins and the quartiles on matplotlib axes."""
        axes.hist(finite.clip(*limits), HISTOGRAM_BINS, range=limits, color=COLORS[0], alpha=0.6)
        for quartile in np.percentile(finite, QUARTILES) if len(finite) else ():
            axes.axvline(float(np.clip(quartile, *limits)), color=COLORS[1], linestyle="--", linewidth=1)
        axes.set_xlim(*limits)
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.set_title(f"{title} (n = {len(finite)})")

    return draw


def chart_limits(values: Sequence[float]) -> tuple[float, float]:
    """Return limits around all values, 0 and 1 without any.

    They are rounded outwards to a tenth of the power of ten that no value exceeds: for values like 0.61 and 0.93, to 0.6 and 1.
    """
    if not values:
        return 0.0, 1.0
    step = 10.0 ** np.ceil(np.log10(max(np.abs(values).max(), 1e-6))) / 10
    low, high = np.floor(min(values) / step) * step, np.ceil(max(values) / step) * step
    return float(low), float(high if high > low else low + step)


def _draw_boxes(axes, groups: Mapping[str, np.ndarray], spread: float, means: bool = False) -> None:
    """Draw a box plot of each group with its values as points, which are spread sideways by up to `spread`."""
    for position, values in enumerate(groups.values(), start=1):
        if not len(values):
            continue
        color = COLORS[(position - 1) % len(COLORS)]
        line = {"color": color}
        axes.boxplot(
            values, positions=[position], widths=0.6, whis=(0, 100), showfliers=False, patch_artist=True, manage_ticks=False,
            showmeans=means, meanprops={"marker": "x", "markeredgecolor": "#222222", "markersize": 5},
            boxprops={"facecolor": color, "alpha": 0.25, "linewidth": 0}, medianprops={**line, "linewidth": 2},
            whiskerprops=line, capprops=line,
        )  # fmt: skip
        offsets = np.linspace(-spread, spread, len(values)) if len(values) > 1 else 0.0
        axes.scatter(position + offsets * np.ones(len(values)), values, s=7, color=color, alpha=0.7, zorder=3, linewidths=0)
    axes.set_xticks(range(1, len(groups) + 1), [_short(name) for name in groups])
    axes.set_xlim(0.4, len(groups) + 0.6)
    axes.grid(axis="x", visible=False)


def _finite_or_nan(values: Sequence[float]) -> np.ndarray:
    numbers = np.asarray(values, float)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
