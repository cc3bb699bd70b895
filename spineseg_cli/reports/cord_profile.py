"""A figure of the cord's measures along it: with their 95 % bands, levels, norms, and the difference to another time point.

matplotlib is imported when a figure is drawn, and no window is ever opened.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from spineseg_cli.core.extras import require
from spineseg_cli.core.files import atomic_path

# Half-width of a 95 % interval in standard errors.
WIDE = 1.96

# Panels from top to bottom: title, and the measures drawn in it with their labels and colors.
PANELS = (
    ("area (mm$^2$)", (("area_mm2", "mask", "#1f4e8c"), ("area_edge_mm2", "image's edge", "#c8501e"))),
    ("diameter (mm)", (("diameter_RL_mm", "right-left", "#1f4e8c"), ("diameter_AP_mm", "front-back", "#3c8c5a"))),
    ("gray matter (mm$^2$)", (("area_gray_mm2", "gray matter", "#6a4c93"),)),
)
NORM_COLOR = "#d9d9d9"
WIDTH_IN, PANEL_IN = 9.0, 2.3


def draw_profile(
    rows: Sequence[Mapping],
    *,
    title: str = "",
    norms: Mapping[str, tuple[float, float]] | None = None,
    baseline: Sequence[Mapping] | None = None,
):
    """Return a matplotlib figure of rows of measures, top of the cord to the left.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of slices, and of levels if there are any, as `morphometry.rows.make_rows` returns them.
    title : str
        Above the figure.
    norms : mapping of str to (float, float), optional
        Mean and standard deviation of the area, mm2, by level: drawn as two standard deviations behind it.
    baseline : sequence of mapping, optional
        Rows of the same subject at another time; numbers may be text, as CSV holds them. The difference is
        that of the levels both have, or without levels of places at the same distance from the top of the mask.
    """
    require("a figure", "matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    slices = [row for row in rows if row["scope"] == "slice"]
    panels = [panel for panel in PANELS if any(name in slices[0] for name, *_ in panel[1])]
    count = len(panels) + (baseline is not None)
    figure = Figure(figsize=(WIDTH_IN, PANEL_IN * count + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(count, 1, sharex=True))
    spans = _level_spans(slices)
    for ax, (label, measures) in zip(axes, panels, strict=False):
        ax.set_ylabel(label)
        if norms and measures[0][0] == "area_mm2":
            _draw_norms(ax, spans, norms)
        for name, shown, color in measures:
            if name in slices[0]:
                _draw_band(ax, slices, name, shown, color)
        if baseline is not None and measures[0][0] == "area_mm2":
            _draw_band(ax, [row for row in baseline if row["scope"] == "slice"], "area_mm2", "baseline", "#888888")
        ax.set_ylim(bottom=0)
        ax.legend(loc="lower left", fontsize=7, ncols=4, frameon=False)
    if baseline is not None:
        _draw_difference(axes[-1], rows, baseline)
    for ax in axes:
        ax.grid(axis="y", color="#eeeeee")
        ax.spines[["top", "right"]].set_visible(False)
        for first, _, _ in spans[1:]:
            ax.axvline(first, color="#bbbbbb", linewidth=0.6, linestyle=":")
    axes[-1].set_xlabel("distance along the cord from the top of the mask (mm)")
    for first, last, name in spans:
        axes[0].annotate(name, ((first + last) / 2, 1.01), xycoords=("data", "axes fraction"), ha="center", fontsize=7)
    figure.suptitle(title, fontsize=9)
    return figure


def save_profile(figure, path: Path) -> list[Path]:
    """Write a figure as .png or .svg, as the suffix says, or as both; return the files. Equal figures give equal files."""
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


def _column(rows: Sequence[Mapping], name: str) -> np.ndarray:
    """Return a column as numbers; nan for what is empty."""
    return np.array([float(row[name]) if row.get(name) not in (None, "") else math.nan for row in rows])


def _draw_band(ax, rows: Sequence[Mapping], name: str, label: str, color: str) -> None:
    distance, value, error = (_column(rows, column) for column in ("distance_from_top_mm", name, name + "_se"))
    ax.plot(distance, value, color=color, linewidth=1.2, label=label, marker="." if len(rows) < 40 else None)
    ax.fill_between(distance, value - WIDE * error, value + WIDE * error, color=color, alpha=0.2, linewidth=0)


def _level_spans(slices: Sequence[Mapping]) -> list[tuple[float, float, str]]:
    """Return where each level begins and ends along the cord, mm, from the top."""
    distances: dict[str, list[float]] = {}
    for row in slices:
        if row["level"]:
            half = float(row["length_mm"]) / 2
            distances.setdefault(row["level"], []).extend(float(row["distance_from_top_mm"]) + side for side in (-half, half))
    return sorted((min(of_level), max(of_level), name) for name, of_level in distances.items())


def _draw_norms(ax, spans, norms: Mapping[str, tuple[float, float]]) -> None:
    label: str | None = "norms, 2 SD"
    for first, last, name in spans:
        if name in norms:
            mean, sd = norms[name]
            ax.fill_between([first, last], mean - 2 * sd, mean + 2 * sd, color=NORM_COLOR, linewidth=0, zorder=0, label=label)
            ax.plot([first, last], [mean, mean], color="#a0a0a0", linewidth=0.8, zorder=1)
            label = None


def _draw_difference(ax, rows: Sequence[Mapping], baseline: Sequence[Mapping]) -> None:
    distance, change, error = area_change(rows, baseline)
    ax.axhline(0, color="#888888", linewidth=0.8)
    ax.errorbar(distance, change, WIDE * error, fmt="o", markersize=3, color="#1f4e8c", elinewidth=0.8, capsize=2)
    ax.set_ylabel("change of area (%)")


def area_change(rows: Sequence[Mapping], baseline: Sequence[Mapping]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where the area has changed since the baseline: distances (mm), changes (%), and their standard errors (%)."""
    levels = {row["level"]: row for row in baseline if row["scope"] == "level"}
    pairs = [(row, levels[row["level"]]) for row in rows if row["scope"] == "level" and row["level"] in levels]
    if pairs:
        now, then = zip(*pairs, strict=True)
        distance, area, error = (_column(now, name) for name in ("distance_from_top_mm", "area_mm2", "area_mm2_se"))
        before, before_error = (_column(then, name) for name in ("area_mm2", "area_mm2_se"))
    else:
        now, then = ([row for row in part if row["scope"] == "slice"] for part in (rows, baseline))
        distance, area, error = (_column(now, name) for name in ("distance_from_top_mm", "area_mm2", "area_mm2_se"))
        order = np.argsort(_column(then, "distance_from_top_mm"))
        at = _column(then, "distance_from_top_mm")[order]
        before, before_error = (
            np.interp(distance, at, _column(then, name)[order], np.nan, np.nan) for name in ("area_mm2", "area_mm2_se")
        )
    change = 100 * (area / before - 1)
    return distance, change, 100 * area / before * np.hypot(error / area, before_error / before)
