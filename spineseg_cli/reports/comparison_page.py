"""The account of a study as one page without any other file, and its figure."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

import numpy as np

from spineseg_cli.core.files import atomic_path
from spineseg_cli.metrics.statistics import summarize
from spineseg_cli.reports.box_charts import group_boxes
from spineseg_cli.reports.charts import line_chart, side_by_side
from spineseg_cli.reports.comparison import TEST, Comparison, write_tables
from spineseg_cli.reports.histograms import histograms
from spineseg_cli.reports.html import html_figure, html_page, html_table

PAGE_PX = 1230

NOTE = (
    "Scores are those of the complete command on test {unit}s, of which no arm was trained or validated on any; the weights that "
    "arms start from may have been trained on scans that are reported on beside them, which flatters those. Of a {unit}'s scans, "
    "the mean counts. Infinite and undefined values are left out; n says how many are left. p is of the two-sided paired "
    "Wilcoxon signed-rank test against the arm {reference}, adjusted for the number of arms (Holm)."
)


def write_comparison(folder: Path, comparison: Comparison) -> None:
    """Write to a folder the tables (see `comparison.write_tables`), `comparison.svg`, the figure, and `comparison.html`, the
    page with all of it."""
    write_tables(folder, comparison)
    for name, content in (("comparison.svg", boxes(comparison, TEST)), ("comparison.html", _page(comparison))):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")


def boxes(comparison: Comparison, data: str) -> str:
    """Return box plots of the study's metrics, an arm a box, as an SVG element."""
    charts = [
        group_boxes(metric, {arm.name: arm.values(data, metric) for arm in comparison.arms if data in arm.scores})
        for metric in comparison.metrics
    ]
    return _in_rows(charts)


def _in_rows(charts: list[str]) -> str:
    """Return charts of one size as one SVG element, as many in a row as the page is wide."""
    widths = [int(re.search(r'width="(\d+)"', chart).group(1)) for chart in charts[:1]]
    return side_by_side(charts, max(1, PAGE_PX // max(widths, default=PAGE_PX)))


def _page(comparison: Comparison) -> str:
    title = escape(comparison.title)
    note = NOTE.format(unit=comparison.unit, reference=comparison.reference)
    parts = [f"<h1>{title}</h1>", f'<p class="verdict">{escape(comparison.verdict)}</p>', f"<p>{escape(note)}</p>"]
    for data in comparison.data_sets:
        parts.append(f"<h2>{'Test' if data == TEST else escape(data)} {escape(comparison.unit)}s</h2>")
        parts += [
            html_table(_mean_rows(comparison, data), header=True),
            html_table(_quartile_rows(comparison, data), header=True),
        ]
        parts += [f'<div style="display: inline-block">{chart}</div>' for chart in _charts(comparison, data)]
    parts += ["<h2>Training</h2>", *_histories(comparison), html_table(_arm_rows(comparison), header=True)]
    for arm in comparison.arms:
        parts += [f"<h3>{escape(arm.name)}</h3>", *arm.figures] if arm.figures else []
    split = {part: [name for name, own in comparison.split.items() if own == part] for part in comparison.split.values()}
    parts += ["<h2>Study</h2>", html_table(list(comparison.facts.items()))]
    parts += ["<h2>Subjects</h2>", html_table([(part, f"{len(names)}: {', '.join(names)}") for part, names in split.items()])]
    parts += ["<h2>Pictures</h2>" if comparison.pictures else "", *map(html_figure, comparison.pictures)]
    return html_page(comparison.title, parts, PAGE_PX)


def _charts(comparison: Comparison, data: str) -> list[str]:
    charts = [boxes(comparison, data)] if "boxes" in comparison.charts else []
    metric, arms = comparison.metrics[0], [arm for arm in comparison.arms if data in arm.scores]
    if "histograms" in comparison.charts:
        charts.append(histograms({arm.name: arm.values(data, metric) for arm in arms}))
    values = {arm.name: arm.values(data, metric) for arm in arms}
    for factor, base in dict.fromkeys((arm.factor, arm.base) for arm in arms if arm.factor and arm.base in values):
        groups = {base: values[base]}
        groups |= {arm.value: values[arm.name] for arm in arms if (arm.factor, arm.base) == (factor, base)}
        charts.append(group_boxes(f"{metric} by {factor}", groups))
    return charts


def _histories(comparison: Comparison) -> list[str]:
    """Return charts of each trained arm's losses; a row of epoch -1 is the start, before any training."""
    charts = []
    for arm in (arm for arm in comparison.arms if arm.history):
        lines = {key: [row.get(key, np.nan) for row in arm.history] for key in ("loss", "val_loss") if key in arm.history[-1]}
        first = int(arm.history[0].get("epoch", 0)) + 1
        charts.append(line_chart(f"{arm.name}: loss by epoch", lines, size=(300, 200), first=first))
    return [_in_rows(charts)] if charts else []


def _mean_rows(comparison: Comparison, data: str) -> list[list[str]]:
    """Return a header and a row an arm: mean and standard deviation of each metric, and the decisive one's p."""
    rows = [["arm", "n", *comparison.metrics, f"p ({comparison.metrics[0]})"]]
    tests = comparison.tests(comparison.metrics[0], data)
    for arm in (arm for arm in comparison.arms if data in arm.scores):
        found = [summarize(arm.values(data, metric)) for metric in comparison.metrics]
        cells = [f"{f['mean']:.4g} ± {f['std']:.2g}" + _left_out(f, found[0]) if f["n"] else "-" for f in found]
        p = tests.get(arm.name, (None, None))[1]
        rows.append([arm.name, str(found[0]["n"]), *cells, "-" if p is None else f"{p:.2g}"])
    return rows


def _left_out(found: dict, first: dict) -> str:
    return f" (n {found['n']})" if found["n"] != first["n"] else ""


def _quartile_rows(comparison: Comparison, data: str) -> list[list[str]]:
    """Return a header and a row an arm: mean, MCC and the quartiles of the decisive metric."""
    metric = comparison.metrics[0]
    rows = [["arm", f"mean {metric}", "mean MCC", "P25", "P50", "P75"]]
    for arm in (arm for arm in comparison.arms if data in arm.scores):
        found, mcc = (summarize(arm.values(data, name)) for name in (metric, "MCC"))
        values = (found["mean"], mcc["mean"], found["P25"], found["median"], found["P75"])
        rows.append([arm.name, *(f"{value:.4f}" for value in values)])
    return rows


def _arm_rows(comparison: Comparison) -> list[list[str]]:
    names = list(dict.fromkeys(name for arm in comparison.arms for name in arm.facts))
    return [["arm", *names]] + [[arm.name, *(arm.facts.get(name, "") for name in names)] for arm in comparison.arms]
