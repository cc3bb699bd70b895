"""The report of a fine-tuning run: a self-contained page, and the model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from spineseg_cli.core.files import write_text
from spineseg_cli.metrics.metric_set import MASK_METRICS, MetricSet
from spineseg_cli.metrics.paired import PairedComparison, compare_paired, verdict
from spineseg_cli.metrics.table import Table
from spineseg_cli.reports.pictures.charts import Chart, draw_svg, line_chart, paired_boxes
from spineseg_cli.reports.trainings.rendering import Picture, by_subset, render

NOTE = (
    "Scores are those of the complete command, which finds the cord itself, on subjects that were not trained on here; the "
    "weights before may have been, which flatters them. Of a subject's scans, the mean counts. Infinite and undefined values "
    "are left out."
)

PAGE_PX = 1000

# Shipped weights run in 8-bit arithmetic, and the file that a run writes in 32-bit arithmetic, so that scores differ slightly.
KEPT_START = (
    "No epoch was surely better than the weights that the run started from: these are what you get. Scores before and after are "
    "of the same weights; shipped ones run in 8-bit arithmetic before, and in 32-bit arithmetic after."
)


@dataclass(frozen=True)
class RunReport:
    """The content of the report of one or several runs."""

    title: str
    facts: Mapping[str, str]  # information about data, configuration, hours and so on, in order
    split: Mapping[str, str]  # the subset of each subject
    histories: Mapping[str, Sequence[Mapping[str, float]]]  # the rows of `history.csv` of each run, by its name
    # The metrics of the test scans by the baseline and by the new weights, with the scans in the same order.
    before: Table
    after: Table
    tested: Sequence[str]  # the subject of each test scan
    # The epoch with which each run ends, from 0; -1 for its initial weights, None for the last epoch.
    best: Mapping[str, int | None] = field(default_factory=dict)
    pictures: Sequence[Picture] = field(default_factory=tuple)
    metrics: MetricSet = MASK_METRICS
    kept_start: bool = False  # whether no epoch was better than the initial weights
    stopped: bool = False  # whether the user ended the run early

    def comparison(self, metric: str) -> PairedComparison:
        """Return the comparison of a metric before and after, with the scans of each subject averaged."""
        return compare_paired(*(self.by_subject(table, metric) for table in (self.before, self.after)))

    def by_subject(self, table: Table, metric: str) -> dict[str, float]:
        """Return the mean of a metric over the scans of each test subject."""
        return table.by_subject(self.tested, metric)

    @cached_property
    def curves(self) -> list[str]:
        """Charts of the losses and metrics of each run by epoch as SVG, with a dashed line at the final epoch."""
        charts = [_curves(name, rows, self.best.get(name)) for name, rows in self.histories.items()]
        return [draw_svg(of_run) for of_run in charts if of_run]

    @property
    def verdict(self) -> str:
        """One sentence for each criterion that says whether the new weights are better."""
        criteria = self.metrics.criteria.items()
        sentences = [verdict(self.comparison(metric), by.label, by.lower_is_better) for metric, by in criteria]
        return " ".join([KEPT_START, *sentences] if self.kept_start else sentences)


def write_run_report(folder: Path, report: RunReport) -> None:
    """Write the page of a run (`report.html`), its model card (`model_card.md`), and its charts by epoch (`curves.svg`)."""
    write_text(folder / "curves.svg", "".join(report.curves))
    write_text(folder / "model_card.md", card_as_text(report))
    write_text(folder / "report.html", page_as_html(report))


def page_as_html(report: RunReport) -> str:
    """Return the page, which is self-contained."""
    return render(
        "run_report.html",
        title=report.title,
        width=PAGE_PX,
        verdict=report.verdict,
        note=NOTE,
        run=list(report.facts.items()),
        subsets=[(subset, ", ".join(names)) for subset, names in by_subset(report.split).items()],
        curves=report.curves,
        metrics=_metric_rows(report) if report.tested else [],
        boxes=_boxes(report) if report.tested else "",
        pictures=report.pictures,
    )


def card_as_text(report: RunReport) -> str:
    """Return the model card, in Markdown."""
    lines = [f"# {report.title}", "", report.verdict, "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in report.facts.items()]
    lines += ["", "## Split", "", "| subset | subjects |", "|---|---|"]
    lines += [f"| {subset} | {', '.join(names)} |" for subset, names in by_subset(report.split).items()]
    if report.tested:
        lines += ["", "## Metrics", "", NOTE, ""]
        header, *rows = _metric_rows(report)
        lines += [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]
    lines += ["", "Research use only: not for clinical decisions. Look at the masks."]
    return "\n".join(lines) + "\n"


def _curves(name: str, rows: Sequence[Mapping[str, float]], best: int | None = None) -> list[Chart]:
    """Return charts of the loss and the metrics; a row of epoch -1 is that of the initial weights."""
    if not rows:
        return []
    first = int(rows[0].get("epoch", 0)) + 1
    best = None if best is None else best + 1 - first
    names = [key.removeprefix("val_") for key in rows[-1] if key not in ("epoch", "phase", "learning_rate")]
    groups = [(key, f"val_{key}") for key in sorted(dict.fromkeys(names), key="loss".__ne__)]
    charts = []
    for keys in groups:
        series = {key: [row.get(key, np.nan) for row in rows] for key in keys if key in rows[-1]}
        charts.append(line_chart(f"{name}: {keys[0]} by epoch", series, best, first=first))
    return charts


def _metric_rows(report: RunReport) -> list[list[str]]:
    """Return a header and a row for each metric: means over subjects before and after, and p of the test."""
    rows = [["metric", "before", "after", "subjects", "p"]]
    for metric in report.metrics.columns:
        paired = report.comparison(metric)
        values = (f"{value:.4g}" if paired.n else "-" for value in (paired.before, paired.after))
        rows.append([metric, *values, str(paired.n), "-" if paired.p is None else f"{paired.p:.2g}"])
    return rows


def _boxes(report: RunReport) -> str:
    charts = []
    for metric in report.metrics.plotted:
        before, after = (list(report.by_subject(table, metric).values()) for table in (report.before, report.after))
        charts.append(paired_boxes(metric, before, after))
    return draw_svg(charts, columns=4, size_in=(2.4, 2.5))
