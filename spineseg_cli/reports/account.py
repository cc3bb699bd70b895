"""The account of a fine-tuning run: one page without any other file, and the weights' card."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np

from spineseg_cli.core.files import atomic_path
from spineseg_cli.metrics.agreement import METRICS
from spineseg_cli.metrics.paired import PairedComparison, compare_paired, verdict
from spineseg_cli.metrics.raters import MAJORITY
from spineseg_cli.metrics.table import Table
from spineseg_cli.reports.charts import line_chart, paired_boxes, side_by_side

# The measures of the published studies, as box plots.
BOXES = ("DSC", "JI", "CC_pct", "MSD_mm", "HSD_mm", "TPR_pct", "TNR_pct", "PPV_pct")
NOTE = (
    "Scores are those of the complete command, which finds the cord itself, on subjects that were not trained on here; the "
    "weights before may have been, which flatters them. Of a subject's scans, the mean counts. Infinite and undefined values "
    "are left out."
)

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.5 sans-serif; color: #222; max-width: 1000px; margin: 2em auto; padding: 0 1em; }}
table {{ border-collapse: collapse; margin: 0.6em 0; }}
th, td {{ padding: 3px 10px; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
.verdict {{ font-size: 1.15em; padding: 0.7em 1em; background: #f0f3f7; border-left: 4px solid #3366aa; }}
figure {{ margin: 1em 0; }} img {{ max-width: 100%; }} figcaption {{ color: #555; }}
</style></head><body>
{body}
</body></html>
"""


@dataclass(frozen=True)
class Picture:
    """A picture of a result.

    Parameters
    ----------
    caption : str
    pixels : ndarray, shape (rows, columns, 3), uint8
    """

    caption: str
    pixels: np.ndarray


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
    """

    title: str
    facts: Mapping[str, str]
    split: Mapping[str, str]
    histories: Mapping[str, Sequence[Mapping[str, float]]]
    before: Table
    after: Table
    tested: Sequence[str]
    pictures: Sequence[Picture] = field(default_factory=tuple)

    def comparison(self, metric: str) -> PairedComparison:
        """Return a metric before and after, each subject's scans averaged first."""
        return compare_paired(*(self.by_subject(table, metric) for table in (self.before, self.after)))

    def by_subject(self, table: Table, metric: str) -> dict[str, float]:
        """Return the mean of a metric over each subject's scans; of several raters, against their majority."""
        values: dict[str, list[float]] = {}
        for subject, row in zip(self.tested, decisive_rows(table), strict=True):
            values.setdefault(subject, []).append(row[metric])
        return {subject: float(np.mean(found)) for subject, found in values.items()}

    @property
    def verdict(self) -> str:
        """The sentence that says whether the new weights are better."""
        return verdict(self.comparison("DSC"))


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
    parts += ["<h2>Run</h2>", _table([(name, value) for name, value in account.facts.items()])]
    parts += ["<h2>Subjects</h2>", _table([(part, ", ".join(names)) for part, names in _parts(account.split).items()])]
    parts += ["<h2>Training</h2>", *(side_by_side(_curves(name, rows)) for name, rows in account.histories.items())]
    if account.tested:
        parts += ["<h2>Test subjects, before and after</h2>", _table(_score_rows(account), header=True), _boxes(account)]
    parts += ["<h2>Pictures</h2>" if account.pictures else "", *map(_figure, account.pictures)]
    with atomic_path(path) as temporary:
        temporary.write_text(PAGE.format(title=escape(account.title), body="\n".join(parts)), encoding="utf-8")


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
    losses = [row.get("val_loss", row["loss"]) for row in rows]
    best = int(np.argmin(losses)) if rows else None
    groups = [("loss", "val_loss")] + [(key, f"val_{key}") for key in (rows[0] if rows else ()) if key.startswith("dice_")]
    return [
        line_chart(f"{name}: {keys[0]} by epoch", {key: [row[key] for row in rows] for key in keys if key in rows[0]}, best)
        for keys in groups
        if rows
    ]


def _parts(split: Mapping[str, str]) -> dict[str, list[str]]:
    order = list(dict.fromkeys(split.values()))
    return {part: [name for name, own in split.items() if own == part] for part in order}


def _score_rows(account: Account) -> list[list[str]]:
    """Return a header and a row a metric: means of the subjects' values, and the test's p."""
    rows = [["metric", "before", "after", "subjects", "p"]]
    for metric in METRICS:
        found = account.comparison(metric)
        values = (f"{value:.4g}" if found.n else "-" for value in (found.before, found.after))
        rows.append([metric, *values, str(found.n), "-" if found.p is None else f"{found.p:.2g}"])
    return rows


def _boxes(account: Account) -> str:
    pairs = (
        (metric, *(list(account.by_subject(t, metric).values()) for t in (account.before, account.after))) for metric in BOXES
    )
    return side_by_side([paired_boxes(*pair) for pair in pairs], columns=4)


def _table(rows: Sequence[Sequence[str]], header: bool = False) -> str:
    lines = []
    for place, row in enumerate(rows):
        tag = "th" if header and place == 0 else "td"
        kind = ' class="number"' if header else ""
        lines.append("<tr>" + "".join(f"<{tag}{kind if i else ''}>{escape(str(c))}</{tag}>" for i, c in enumerate(row)) + "</tr>")
    return "<table>" + "\n".join(lines) + "</table>"


def _figure(picture: Picture) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture.pixels).save(stream, format="JPEG", quality=85)
    data = base64.b64encode(stream.getvalue()).decode()
    caption = escape(picture.caption)
    return f'<figure><img alt="{caption}" src="data:image/jpeg;base64,{data}"><figcaption>{caption}</figcaption></figure>'
