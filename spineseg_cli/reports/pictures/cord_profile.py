"""A figure of measures along the cord, with 95 % bands, levels, norms, and the change since another time point.

matplotlib is imported only when a figure is drawn, and no window is opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from spineseg_cli.core.extras import require
from spineseg_cli.core.files import atomic_path
from spineseg_cli.morphometry.comparison.alignment import Alignment, align, column, level_spans, slices_of
from spineseg_cli.morphometry.comparison.change import EDGE, change_along, change_of_rows
from spineseg_cli.morphometry.tables.columns import CHANGE, SE

# Half-width of a 95 % interval in standard errors.
WIDE = 1.96

# Panels from top to bottom: title, and the measures drawn in it with their labels and colors.
PANELS = (
    ("area (mm$^2$)", (("area_mm2", "mask", "#1f4e8c"), ("area_edge_mm2", "image's edge", "#c8501e"))),
    ("diameter (mm)", (("diameter_RL_mm", "right-left", "#1f4e8c"), ("diameter_AP_mm", "front-back", "#3c8c5a"))),
    ("gray matter (mm$^2$)", (("area_gray_mm2", "gray matter", "#6a4c93"),)),
)
CHANGE_COLOR = "#1f4e8c"

# Half of the height of the bands of norms, in standard deviations, and their opacity.
NORM_SDS, NORM_ALPHA = 2, 0.12

# Heights, as shares of the panel, of the intervals of estimated boundaries, in turn, so that neighbors do not cover each other.
INTERVAL_HEIGHTS = (0.99, 0.965, 0.94, 0.915, 0.89)
ESTIMATED = "spinal segments are estimated (experimental); bars: 90 % intervals of their boundaries"
CUT = "dotted: the mask ends or is cut there, and means leave it out"
WIDTH_IN, PANEL_IN = 9.0, 2.3

# A background that keeps numbers readable across an interval.
CLEAR = {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.5}

# Widths of the names of levels and of the numbers of their change, as shares of the axis.
NAME_WIDTH, NUMBER_WIDTH = 0.022, 0.04

# Largest change that the axis shows, in percent: at the conus, intervals of several hundred percent would hide all others.
SHOWN_CHANGE = 100.0


def draw_profile(
    rows: Sequence[Mapping],
    *,
    title: str = "",
    norms: Mapping[tuple[str, str], tuple[float, float]] | None = None,
    baseline: Sequence[Mapping] | None = None,
):
    """Return a matplotlib figure of rows of measures, top of the cord to the left.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of slices, and of levels if there are any, as `morphometry.rows.make_rows` returns them.
    norms : mapping of (str, str) to (float, float), optional
        Mean and standard deviation by level and measure. They are drawn behind the measure, as a band of two standard
        deviations.
    baseline : sequence of mapping, optional
        Rows of the same subject at another time; numbers may be text, as read from CSV. `morphometry.alignment` aligns the two,
        and the figure names the method.
    """
    require("a figure", "matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    slices = slices_of(rows)
    alignment = align(rows, baseline) if baseline is not None else None
    panels = [panel for panel in PANELS if any(name in slices[0] for name, *_ in panel[1])]
    count = len(panels) + (baseline is not None)
    figure = Figure(figsize=(WIDTH_IN, PANEL_IN * count + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(count, 1, sharex=True))
    spans = [(first, last, name) for name, (first, last) in level_spans(slices).items()]
    for ax, (label, measures) in zip(axes, panels, strict=False):
        ax.set_ylabel(label)
        shows_area = measures[0][0] == "area_mm2"
        for name, shown, color in measures:
            if name in slices[0]:
                _draw_norms(ax, spans, {level: band for (level, of), band in (norms or {}).items() if of == name}, color)
                _draw_band(ax, slices, name, shown, color)
        if baseline is not None and shows_area:
            _draw_band(ax, slices_of(baseline), "area_mm2", "baseline", "#888888", alignment)
        ax.set_ylim(bottom=0)
        ax.legend(loc="lower left", fontsize=7, ncols=4, frameon=False)
    if baseline is not None and alignment is not None:
        _draw_change(axes[-1], rows, baseline, alignment)
    _draw_levels(axes, spans)
    axes[-1].set_xlabel("distance along the cord from the top of the mask (mm)")
    estimated = _draw_intervals(axes[0], rows, column(slices, "distance_from_top_mm").max())
    cut = (column(slices, "n_slices") == 0).any()
    figure.suptitle("\n".join(filter(None, [title, ESTIMATED if estimated else "", CUT if cut else ""])), fontsize=9)
    return figure


def save_profile(figure, path: Path) -> list[Path]:
    """Write a figure as .png or .svg by its suffix, with another suffix as both, and return the files.

    Equal figures give equal files.
    """
    import matplotlib

    paths = [path] if path.suffix.lower() in (".png", ".svg") else [path.with_name(path.name + end) for end in (".png", ".svg")]
    for target in paths:
        kind = target.suffix.lower()[1:]
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        with atomic_path(target) as temporary, matplotlib.rc_context({"svg.hashsalt": "spineseg", "svg.fonttype": "none"}):
            figure.savefig(temporary, format=kind, dpi=150, metadata=metadata)
    return paths


def figure_pixels(figure) -> np.ndarray:
    """Return a figure as RGB pixels, uint8, shape (height, width, 3)."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


def _draw_band(ax, rows: Sequence[Mapping], name: str, label: str, color: str, alignment: Alignment | None = None) -> None:
    distance, value, error = (column(rows, key) for key in ("distance_from_top_mm", name, name + SE))
    distance = alignment.to_now(distance) if alignment else distance
    if name == EDGE:
        value = np.where(["edge_not_visible" in row["flags"] for row in rows], np.nan, value)
    whole = column(rows, "n_slices") > 0
    if not whole.all():
        ax.plot(distance, value, color=color, linewidth=0.9, linestyle=":")
    value = np.where(whole, value, np.nan)
    ax.plot(distance, value, color=color, linewidth=1.2, label=label, marker="." if len(rows) < 40 else None)
    ax.fill_between(distance, value - WIDE * error, value + WIDE * error, color=color, alpha=0.2, linewidth=0)


def _draw_intervals(ax, rows: Sequence[Mapping], end_mm: float) -> bool:
    """Draw the intervals of the boundaries of estimated segments that are in view, and return whether there are any."""
    levels = [row for row in rows if row["scope"] == "level" and row.get("segment_top_mm") is not None]
    ends = {float(row[f"segment_{end}_mm"]): (row, end) for row in levels for end in ("top", "bottom")}
    known = [entry for position, entry in sorted(ends.items(), key=lambda item: item[0]) if 0 <= position <= end_mm]
    ax.set_ylim(top=ax.get_ylim()[1] / (min(INTERVAL_HEIGHTS) if known else 1))
    for i, (row, end) in enumerate(known):
        low, high = (float(row[f"segment_{end}_{side}_mm"]) for side in ("low", "high"))
        height = INTERVAL_HEIGHTS[i % len(INTERVAL_HEIGHTS)]
        span = [max(low, 0.0), min(high, end_mm)]
        ax.plot(span, [height] * 2, color="#888888", linewidth=1.0, transform=ax.get_xaxis_transform())
        ax.plot(float(row[f"segment_{end}_mm"]), height, ".", color="#555555", markersize=4, transform=ax.get_xaxis_transform())
    return bool(levels)


def _lines_of_text(ax, positions: Sequence[float], width: float) -> list[int]:
    """Return the line of each text, from 0, so that texts whose middles are closer than `width` are on different lines.

    `width` is a share of the axis, whose curves are drawn already. `positions` increase.
    """
    low, high = ax.get_xlim()
    last: list[float] = []  # the position of the last text of each line
    lines = []
    for at in positions:
        line = next((i for i, before in enumerate(last) if at - before >= width * (high - low)), len(last))
        last[line : line + 1] = [at]
        lines.append(line)
    return lines


def _draw_levels(axes: np.ndarray, spans: Sequence[tuple[float, float, str]]) -> None:
    """Draw the boundaries of levels on all panels, and their names above the first.

    `spans` holds the first and the last distance of each level, mm, and its name.
    """
    for ax in axes:
        ax.grid(axis="y", color="#eeeeee")
        ax.spines[["top", "right"]].set_visible(False)
        for first, _, _ in spans[1:]:
            ax.axvline(first, color="#bbbbbb", linewidth=0.6, linestyle=":")
    middles = [(first + last) / 2 for first, last, _ in spans]
    for (_, _, name), at, line in zip(spans, middles, _lines_of_text(axes[0], middles, NAME_WIDTH), strict=True):
        axes[0].annotate(name, (at, 1.01 + 0.07 * line), xycoords=("data", "axes fraction"), ha="center", fontsize=7)


def _draw_norms(ax, spans, norms: Mapping[str, tuple[float, float]], color: str) -> None:
    """Draw the norms of a measure, by level, as bands in the measure's color."""
    label: str | None = f"norms, {NORM_SDS} SD"
    for first, last, name in spans:
        if name in norms:
            mean, sd = norms[name]
            low, high = mean - NORM_SDS * sd, mean + NORM_SDS * sd
            ax.fill_between([first, last], low, high, color=color, alpha=NORM_ALPHA, linewidth=0, zorder=0, label=label)
            ax.plot([first, last], [mean, mean], color=color, linewidth=0.8, linestyle="--", zorder=1)
            label = None


def _draw_change(ax, rows: Sequence[Mapping], baseline: Sequence[Mapping], alignment: Alignment) -> None:
    """Draw the change of the area along the cord, and its mean over each level or over all slices, with 95 % intervals."""
    along = change_along(rows, baseline, "area_mm2", alignment)
    means = [row for row in rows if row["scope"] == "level"] or [row for row in rows if row["scope"] == "whole"]
    changes = change_of_rows(means, rows, baseline, alignment)
    ax.axhline(0, color="#888888", linewidth=0.8)
    ax.plot(along.distance_mm, along.percent, color=CHANGE_COLOR, linewidth=1.0)
    low, high = (along.percent + side * WIDE * along.error for side in (-1, 1))
    ax.fill_between(along.distance_mm, low, high, color=CHANGE_COLOR, alpha=0.15, linewidth=0)
    drawn = []
    for row, change in zip(means, changes, strict=True):
        mean, error = change["area_mm2" + CHANGE], change["area_mm2" + CHANGE + SE]
        if mean is not None and error is not None:
            at = float(row["distance_from_top_mm"]) if row["scope"] == "level" else float(along.distance_mm.mean())
            ax.errorbar(at, mean, WIDE * error, fmt="o", markersize=3, color="black", elinewidth=0.8, capsize=2)
            drawn.append((at, f"{round(mean, 1) + 0.0:+.1f}\n\u00b1{WIDE * error:.1f}"))  # adding 0.0 makes -0.0 positive
    for (at, label), line in zip(drawn, _lines_of_text(ax, [at for at, _ in drawn], NUMBER_WIDTH), strict=True):
        style = {"ha": "center", "va": "top", "fontsize": 6, "bbox": CLEAR}
        ax.annotate(label, (at, 0.99 - 0.1 * line), xycoords=("data", "axes fraction"), **style)
    ax.margins(y=0.6)
    lowest, highest = ax.get_ylim()
    ax.set_ylim(max(lowest, -SHOWN_CHANGE), min(highest, SHOWN_CHANGE))
    ax.set_ylabel("change of area (%)")
    ax.set_title(f"since the baseline, \u00b1 95 % interval; aligned by {alignment.how}", fontsize=7, loc="left")
