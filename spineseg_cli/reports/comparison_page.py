"""The comparison of a study as one page without any other file, and its figure."""

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
    "Scores are those of the complete command on test {unit}s, of which no variant was trained or validated on any; the weights "
    "that variants start from may have been trained on scans of the extra test sets, which flatters them. Of a {unit}'s scans, "
    "the mean counts. Infinite and undefined values are left out; n says how many are left. p is of the two-sided paired "
    "Wilcoxon signed-rank test against the variant {reference}, adjusted for the number of variants (Holm)."
)


def write_comparison(folder: Path, comparison: Comparison) -> None:
    """Write to a folder the tables (see `comparison.write_tables`), `comparison.svg`, the figure, and `comparison.html`, the
    page with all of it."""
    write_tables(folder, comparison)
    for name, content in (("comparison.svg", boxes(comparison, TEST)), ("comparison.html", _page(comparison))):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")


def boxes(comparison: Comparison, data: str) -> str:
    """Return box plots of the study's metrics, a variant a box, as an SVG element."""
    charts = [
        group_boxes(
            metric, {variant.name: variant.values(data, metric) for variant in comparison.variants if data in variant.scores}
        )
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
    parts += ["<h2>Training</h2>", *_histories(comparison), html_table(_variant_rows(comparison), header=True)]
    for variant in comparison.variants:
        parts += [f"<h3>{escape(variant.name)}</h3>", *variant.figures] if variant.figures else []
    split = {part: [name for name, own in comparison.split.items() if own == part] for part in comparison.split.values()}
    parts += ["<h2>Study</h2>", html_table(list(comparison.facts.items()))]
    parts += ["<h2>Subjects</h2>", html_table([(part, f"{len(names)}: {', '.join(names)}") for part, names in split.items()])]
    parts += ["<h2>Pictures</h2>" if comparison.pictures else "", *map(html_figure, comparison.pictures)]
    return html_page(comparison.title, parts, PAGE_PX)


def _charts(comparison: Comparison, data: str) -> list[str]:
    charts = [boxes(comparison, data)] if "boxes" in comparison.charts else []
    metric, variants = comparison.metrics[0], [variant for variant in comparison.variants if data in variant.scores]
    if "histograms" in comparison.charts:
        charts.append(histograms({variant.name: variant.values(data, metric) for variant in variants}))
    values = {variant.name: variant.values(data, metric) for variant in variants}
    for factor, base in dict.fromkeys(
        (variant.factor, variant.base) for variant in variants if variant.factor and variant.base in values
    ):
        groups = {base: values[base]}
        groups |= {
            variant.value: values[variant.name] for variant in variants if (variant.factor, variant.base) == (factor, base)
        }
        charts.append(group_boxes(f"{metric} by {factor}", groups))
    return charts


def _histories(comparison: Comparison) -> list[str]:
    """Return charts of each trained variant's losses; a row of epoch -1 is the start, before any training."""
    charts = []
    for variant in (variant for variant in comparison.variants if variant.history):
        lines = {
            key: [row.get(key, np.nan) for row in variant.history] for key in ("loss", "val_loss") if key in variant.history[-1]
        }
        first = int(variant.history[0].get("epoch", 0)) + 1
        charts.append(line_chart(f"{variant.name}: loss by epoch", lines, size=(300, 200), first=first))
    return [_in_rows(charts)] if charts else []


def _mean_rows(comparison: Comparison, data: str) -> list[list[str]]:
    """Return a header and a row a variant: mean and standard deviation of each metric, and the decisive one's p."""
    rows = [["variant", "n", *comparison.metrics, f"p ({comparison.metrics[0]})"]]
    tests = comparison.tests(comparison.metrics[0], data)
    for variant in (variant for variant in comparison.variants if data in variant.scores):
        found = [summarize(variant.values(data, metric)) for metric in comparison.metrics]
        cells = [f"{f['mean']:.4g} ± {f['std']:.2g}" + _left_out(f, found[0]) if f["n"] else "-" for f in found]
        p = tests.get(variant.name, (None, None))[1]
        rows.append([variant.name, str(found[0]["n"]), *cells, "-" if p is None else f"{p:.2g}"])
    return rows


def _left_out(found: dict, first: dict) -> str:
    return f" (n {found['n']})" if found["n"] != first["n"] else ""


def _quartile_rows(comparison: Comparison, data: str) -> list[list[str]]:
    """Return a header and a row a variant: mean, MCC and the quartiles of the decisive metric."""
    metric = comparison.metrics[0]
    rows = [["variant", f"mean {metric}", "mean MCC", "P25", "P50", "P75"]]
    for variant in (variant for variant in comparison.variants if data in variant.scores):
        found, mcc = (summarize(variant.values(data, name)) for name in (metric, "MCC"))
        values = (found["mean"], mcc["mean"], found["P25"], found["median"], found["P75"])
        rows.append([variant.name, *(f"{value:.4f}" for value in values)])
    return rows


def _variant_rows(comparison: Comparison) -> list[list[str]]:
    names = list(dict.fromkeys(name for variant in comparison.variants for name in variant.facts))
    return [["variant", *names]] + [
        [variant.name, *(variant.facts.get(name, "") for name in names)] for variant in comparison.variants
    ]
