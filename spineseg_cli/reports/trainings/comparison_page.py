"""The page and the figure of the comparison of a study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spineseg_cli.core.files import write_text
from spineseg_cli.metrics.statistics import summarize
from spineseg_cli.reports.pictures.charts import draw_svg, group_boxes, histograms, line_chart
from spineseg_cli.reports.trainings.comparison import TEST, Comparison, write_tables
from spineseg_cli.reports.trainings.rendering import by_subset, render

PAGE_PX = 1230
# Inches: width of the page; width of a chart for each group, and for its axis; height of a chart.
PAGE_IN, GROUP_IN, AXIS_IN, CHART_IN = 12.5, 0.45, 1.2, 3.2

NOTE = (
    "Scores are those of the complete command on test {unit}s, of which no variant was trained or validated on any; the weights "
    "that variants start from may have been trained on scans of the extra test sets, which flatters them. Of a {unit}'s scans, "
    "the mean counts. Infinite and undefined values are left out; n says how many are left. p is of the two-sided paired "
    "Wilcoxon signed-rank test against the variant {reference}, adjusted for the number of variants (Holm)."
)


def write_comparison(folder: Path, comparison: Comparison) -> None:
    """Write a comparison to a folder: its tables (see `comparison.write_tables`), the figure `comparison.svg`, and a page.

    The page, `comparison.html`, is self-contained.
    """
    write_tables(folder, comparison)
    figure = boxes(comparison, TEST)
    page = _page(comparison, {TEST: figure})
    write_text(folder / "comparison.svg", figure)
    write_text(folder / "comparison.html", page)


def boxes(comparison: Comparison, data: str) -> str:
    """Return box plots of the metrics, with a box for each variant, as an SVG element."""
    charts = [
        group_boxes(metric, {variant.name: variant.values(data, metric) for variant in comparison.scored_on(data)})
        for metric in comparison.metrics
    ]
    return _group_svg(charts, len(comparison.variants))


def _group_svg(charts: list, groups: int) -> str:
    """Return charts with the given number of groups as an SVG element, with as many charts in a row as fit on the page."""
    width_in = AXIS_IN + GROUP_IN * max(groups, 3)
    return draw_svg(charts, max(1, int(PAGE_IN // width_in)), (width_in, CHART_IN))


def _page(comparison: Comparison, drawn: Mapping[str, str]) -> str:
    """Return the page. `drawn` holds box plots that are drawn already, by data set."""
    return render(
        "comparison.html",
        title=comparison.title,
        width=PAGE_PX,
        verdict=comparison.verdict,
        note=NOTE.format(unit=comparison.unit, reference=comparison.reference),
        data_sets=[_data_set(comparison, data, drawn.get(data)) for data in comparison.data_sets],
        curves=_histories(comparison),
        variants=_variant_rows(comparison),
        own_figures=[(variant.name, variant.figures) for variant in comparison.variants if variant.figures],
        study=list(comparison.facts.items()),
        subsets=[(name, f"{len(subjects)}: {', '.join(subjects)}") for name, subjects in by_subset(comparison.split).items()],
        pictures=comparison.pictures,
    )


def _data_set(comparison: Comparison, data: str, drawn: str | None) -> dict:
    """Return the content of the page about a data set."""
    return {
        "title": f"{'Test' if data == TEST else data} {comparison.unit}s",
        "means": _mean_rows(comparison, data),
        "quartiles": _quartile_rows(comparison, data),
        "charts": _charts(comparison, data, drawn),
    }


def _charts(comparison: Comparison, data: str, drawn: str | None) -> list[str]:
    charts = [drawn or boxes(comparison, data)] if "boxes" in comparison.charts else []
    metric, variants = comparison.metrics[0], comparison.scored_on(data)
    values = {variant.name: variant.values(data, metric) for variant in variants}
    if "histograms" in comparison.charts:
        charts.append(draw_svg(histograms(values), columns=3, size_in=(3.6, 2.4)))
    factors = dict.fromkeys((member.factor, member.base) for member in variants if member.factor and member.base in values)
    for factor, base in factors:
        groups = {base: values[base]}
        groups |= {member.value: values[member.name] for member in variants if (member.factor, member.base) == (factor, base)}
        charts.append(_group_svg([group_boxes(f"{metric} by {factor}", groups)], len(groups)))
    return charts


def _histories(comparison: Comparison) -> str:
    """Return charts of the losses of each trained variant; a row of epoch -1 is that of the initial weights."""
    charts = []
    for variant in (variant for variant in comparison.variants if variant.history):
        names = [key for key in ("loss", "val_loss") if key in variant.history[-1]]
        lines = {key: [row.get(key, np.nan) for row in variant.history] for key in names}
        first = int(variant.history[0].get("epoch", 0)) + 1
        charts.append(line_chart(f"{variant.name}: loss by epoch", lines, first=first))
    return draw_svg(charts, columns=4, size_in=(3.1, 2.2)) if charts else ""


def _mean_rows(comparison: Comparison, data: str) -> list[list[str]]:
    """Return a header and a row for each variant: mean and standard deviation of each metric, and p of the decisive one."""
    rows = [["variant", "n", *comparison.metrics, f"p ({comparison.metrics[0]})"]]
    tests = comparison.tests(comparison.metrics[0], data)
    for variant in comparison.scored_on(data):
        summaries = [summarize(variant.values(data, metric)) for metric in comparison.metrics]
        cells = [f"{f['mean']:.4g} ± {f['std']:.2g}" + _left_out(f, summaries[0]) if f["n"] else "-" for f in summaries]
        p = tests.get(variant.name, (None, None))[1]
        rows.append([variant.name, str(summaries[0]["n"]), *cells, "-" if p is None else f"{p:.2g}"])
    return rows


def _left_out(summary: dict, first: dict) -> str:
    return f" (n {summary['n']})" if summary["n"] != first["n"] else ""


def _quartile_rows(comparison: Comparison, data: str) -> list[list[str]]:
    """Return a header and a row for each variant: mean and quartiles of the decisive metric, and the mean MCC."""
    metric = comparison.metrics[0]
    rows = [["variant", f"mean {metric}", "mean MCC", "P25", "P50", "P75"]]
    for variant in comparison.scored_on(data):
        summary, mcc = (summarize(variant.values(data, name)) for name in (metric, "MCC"))
        values = (summary["mean"], mcc["mean"], summary["P25"], summary["median"], summary["P75"])
        rows.append([variant.name, *(f"{value:.4f}" for value in values)])
    return rows


def _variant_rows(comparison: Comparison) -> list[list[str]]:
    names = list(dict.fromkeys(name for variant in comparison.variants for name in variant.facts))
    return [["variant", *names]] + [
        [variant.name, *(variant.facts.get(name, "") for name in names)] for variant in comparison.variants
    ]
