"""The account of a fine-tuning run: one page without any other file, and the weights' card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np

from spineseg_cli.core.files import atomic_path
from spineseg_cli.metrics.metric_set import MASK_METRICS, MetricSet
from spineseg_cli.metrics.paired import PairedComparison, compare_paired, verdict
from spineseg_cli.metrics.raters import MAJORITY
from spineseg_cli.metrics.table import Table
from spineseg_cli.reports.charts import line_chart, paired_boxes, side_by_side
from spineseg_cli.reports.html import Picture, html_figure, html_page, html_table

NOTE = (
    "Scores are those of the complete command, which finds the cord itself, on subjects that were not trained on here; the "
    "weights before may have been, which flatters them. Of a subject's scans, the mean counts. Infinite and undefined values "
    "are left out."
)


@dataclass(frozen=True)
class Account:
    """What is told of a run.

    Parameters
    ----------
    title : str
    facts : mapping of str to str
        Data, recipe, hours and the like, in order.
    split : mapping of str to str
        The part of each subject.
    histories : mapping of str to sequence of mapping
        Rows of `history.csv` of each run, by its name.
    before, after : Table
        Metrics of the test scans, row by row the same.
    tested : sequence of str
        The subject of each test scan.
    pictures : sequence of Picture
    metrics : MetricSet
    stopped : bool
        By the user, before its end.
    """

    title: str
    facts: Mapping[str, str]
    split: Mapping[str, str]
    histories: Mapping[str, Sequence[Mapping[str, float]]]
    before: Table
    after: Table
    tested: Sequence[str]
    pictures: Sequence[Picture] = field(default_factory=tuple)
    metrics: MetricSet = MASK_METRICS
    stopped: bool = False

    def comparison(self, metric: str) -> PairedComparison:
        """Return a metric before and after, each subject's scans averaged first."""
        return compare_paired(*(self.by_subject(table, metric) for table in (self.before, self.after)))

    def by_subject(self, table: Table, metric: str) -> dict[str, float]:
        """Return the mean of a metric over each test subject's scans."""
        return by_subject(table, self.tested, metric)

    @property
    def verdict(self) -> str:
        """The sentence, one for each criterion, that says whether the new weights are better."""
        criteria = self.metrics.criteria.items()
        return " ".join(verdict(self.comparison(metric), by.label, by.lower_is_better) for metric, by in criteria)


def by_subject(table: Table, subjects: Sequence[str], metric: str) -> dict[str, float]:
    """Return a metric's mean over each subject's scans, `subjects` naming whose each scan is; of raters, their majority."""
    values: dict[str, list[float]] = {}
    for subject, row in zip(subjects, decisive_rows(table), strict=True):
        values.setdefault(subject, []).append(row[metric])
    return {subject: float(np.mean(found)) for subject, found in values.items()}


def decisive_rows(table: Table) -> list[dict]:
    """Return one row for each scan: against the majority of its raters, or its only one."""
    rows: dict[str, dict] = {}
    for row in table.rows:
        if row["prediction"] not in rows or row["rater"] == MAJORITY:
            rows[row["prediction"]] = row
    return list(rows.values())


def write_report(path: Path, account: Account) -> None:
    """Write the page; it holds its charts and pictures, and asks no network for anything."""
    parts = [f"<h1>{escape(account.title)}</h1>", f'<p class="verdict">{escape(account.verdict)}</p>']
    parts.append(f"<p>{NOTE}</p>" if account.tested else "")
    parts += ["<h2>Run</h2>", html_table([(name, value) for name, value in account.facts.items()])]
    parts += ["<h2>Subjects</h2>", html_table([(part, ", ".join(names)) for part, names in _parts(account.split).items()])]
    parts += ["<h2>Training</h2>", *(side_by_side(_curves(name, rows)) for name, rows in account.histories.items())]
    if account.tested:
        parts += ["<h2>Test subjects, before and after</h2>", html_table(_score_rows(account), header=True), _boxes(account)]
    parts += ["<h2>Pictures</h2>" if account.pictures else "", *map(html_figure, account.pictures)]
    with atomic_path(path) as temporary:
        temporary.write_text(html_page(account.title, parts), encoding="utf-8")


def write_card(path: Path, account: Account) -> None:
    """Write the weights' card, in Markdown."""
    lines = [f"# {account.title}", "", account.verdict, "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in account.facts.items()]
    lines += ["", "## Split", "", "| part | subjects |", "|---|---|"]
    lines += [f"| {part} | {', '.join(names)} |" for part, names in _parts(account.split).items()]
    if account.tested:
        lines += ["", "## Scores", "", NOTE, ""]
        header, *rows = _score_rows(account)
        lines += [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]
    lines += ["", "Research use only: not for clinical decisions. Look at the masks."]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_curves(path: Path, account: Account) -> None:
    """Write the charts of a run's losses and scores by epoch as an SVG file; a dashed line is at the epoch that was kept."""
    with atomic_path(path) as temporary:
        charts = [chart for name, rows in account.histories.items() for chart in _curves(name, rows)]
        temporary.write_text(side_by_side(charts), encoding="utf-8")


def _curves(name: str, rows: Sequence[Mapping[str, float]]) -> list[str]:
    """Return charts of loss and scores; a row of epoch -1 is the start, before any training."""
    if not rows:
        return []
    losses = [row.get("val_loss", row.get("loss", np.inf)) for row in rows]
    best, first = int(np.argmin(losses)), int(rows[0].get("epoch", 0)) + 1
    groups = [(key, f"val_{key}") for key in sorted(rows[-1], key="loss".__ne__) if key == "loss" or f"val_{key}" in rows[-1]]
    charts = []
    for keys in groups:
        series = {key: [row.get(key, np.nan) for row in rows] for key in keys if key in rows[-1]}
        charts.append(line_chart(f"{name}: {keys[0]} by epoch", series, best, first=first))
    return charts


def _parts(split: Mapping[str, str]) -> dict[str, list[str]]:
    order = list(dict.fromkeys(split.values()))
    return {part: [name for name, own in split.items() if own == part] for part in order}


def _score_rows(account: Account) -> list[list[str]]:
    """Return a header and a row a metric: means of the subjects' values, and the test's p."""
    rows = [["metric", "before", "after", "subjects", "p"]]
    for metric in account.metrics.columns:
        found = account.comparison(metric)
        values = (f"{value:.4g}" if found.n else "-" for value in (found.before, found.after))
        rows.append([metric, *values, str(found.n), "-" if found.p is None else f"{found.p:.2g}"])
    return rows


def _boxes(account: Account) -> str:
    pairs = (
        (metric, *(list(account.by_subject(t, metric).values()) for t in (account.before, account.after)))
        for metric in account.metrics.plotted
    )
    return side_by_side([paired_boxes(*pair) for pair in pairs], columns=4)
