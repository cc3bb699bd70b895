"""A table of metrics, and its formats: CSV, TSV, JSON and text for a terminal.

CSV and TSV hold one row for each prediction, reference and volume or slice (`statistic` is `value`), then the summary, one
row a statistic. Undefined is `nan` and infinite `inf` or `-inf`, which Python, R and pandas read as numbers; JSON, which has
neither, gets `null`, `"Infinity"` and `"-Infinity"`.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli.core.files import atomic_path
from spineseg_cli.core.tables import aligned, check_suffix, table_as_text
from spineseg_cli.metrics.metric_set import METRICS
from spineseg_cli.metrics.statistics import STATISTICS, summarize

KEYS = ("level", "statistic", "prediction", "reference", "rater", "slice")
MAX_TURNED_ROWS = 4
MAJORITY = "majority"  # name of the combined rater


@dataclass(frozen=True)
class Table:
    """Rows of metrics."""

    rows: tuple[dict[str, Any], ...]  # rows with the columns `KEYS` and the metrics; `slice` is None in the row of a volume
    metrics: tuple[str, ...] = METRICS  # names of the metrics: those of masks, or of centerlines, which have no summary

    @property
    def is_undefined(self) -> bool:
        """True if there is nothing to compare in any row: both masks are empty."""
        return all(row["prediction_mm3"] == row["reference_mm3"] == 0 for row in self.rows)

    @property
    def decisive_rows(self) -> list[dict[str, Any]]:
        """One row for each prediction, against the majority of its raters or its only rater."""
        rows: dict[str, dict[str, Any]] = {}
        for row in self.rows:
            if row["prediction"] not in rows or row["rater"] == MAJORITY:
                rows[row["prediction"]] = row
        return list(rows.values())

    def by_subject(self, subjects: Sequence[str], metric: str) -> dict[str, float]:
        """Return the mean of a metric over each subject's scans, NaN without rows; `subjects` holds the subject of each scan.

        With several raters, their majority is the reference.
        """
        if not self.rows:
            return dict.fromkeys(subjects, math.nan)
        values: dict[str, list[float]] = {}
        for subject, row in zip(subjects, self.decisive_rows, strict=True):
            values.setdefault(subject, []).append(row[metric])
        return {subject: float(np.mean(of_subject)) for subject, of_subject in values.items()}

    def summary(self) -> tuple[dict[str, Any], ...]:
        """Return one row per statistic, with the same columns, separately for volumes and slices and for each rater."""
        if self.metrics != METRICS:
            return ()
        groups = dict.fromkeys((row["level"], row["rater"]) for row in self.rows)
        out = []
        for level, rater in groups:
            rows = [row for row in self.rows if (row["level"], row["rater"]) == (level, rater)]
            columns = {metric: summarize(row[metric] for row in rows) for metric in METRICS}
            for statistic in STATISTICS:
                key = dict.fromkeys(KEYS) | {"level": level, "statistic": statistic, "rater": rater}
                out.append(key | {metric: columns[metric][statistic] for metric in METRICS})
        return tuple(out)


def to_csv(table: Table, delimiter: str = ",") -> str:
    """Return the rows, then the summary, as delimited text with a header line; None is an empty field."""
    return table_as_text(KEYS + table.metrics, (*table.rows, *table.summary()), delimiter)


def to_json(table: Table) -> str:
    """Return `{"rows": [...], "summary": {level: {rater: {metric: {statistic: value}}}}}` as strict JSON."""
    summary: dict[str, Any] = {}
    for row in table.summary():
        metrics = summary.setdefault(row["level"], {}).setdefault(row["rater"], {})
        for metric in METRICS:
            metrics.setdefault(metric, {})[row["statistic"]] = _json_value(row[metric])
    rows = [{key: _json_value(value) for key, value in row.items() if key != "statistic"} for row in table.rows]
    return json.dumps({"rows": rows, "summary": summary}, indent=2, allow_nan=False) + "\n"


def to_text(table: Table) -> str:
    """Return the table for a terminal: aligned, numbers rounded, names without their common folder.

    Columns that say nothing here and summaries of a single row are left out; a few rows are turned, one metric a line.
    """
    counts = Counter((row["level"], row["rater"]) for row in table.rows)
    rows = [*table.rows, *(row for row in table.summary() if counts[row["level"], row["rater"]] > 1)]
    shown = [key for key in KEYS if key in ("prediction", "reference") or len({row[key] for row in rows}) > 1]
    short = {None: ""} | _short_names(table, "prediction") | _short_names(table, "reference")
    cells = [[*shown, *METRICS]]
    cells += [[*(short.get(row[key], str(row[key])) for key in shown), *(f"{row[m]:.5g}" for m in METRICS)] for row in rows]
    if len(rows) <= MAX_TURNED_ROWS:
        cells = [list(line) for line in zip(*cells, strict=True)]
    return aligned(cells)


WRITERS: dict[str, Callable[[Table], str]] = {".csv": to_csv, ".tsv": partial(to_csv, delimiter="\t"), ".json": to_json}


def write_table(path: Path, table: Table) -> None:
    """Write `table` atomically, in the format of the suffix of `path`. Raises InputError if it is not among `WRITERS`."""
    check_suffix(path, WRITERS)
    with atomic_path(path) as temporary:
        # A file's name may hold bytes that are no text.
        temporary.write_text(WRITERS[path.suffix.lower()](table), encoding="utf-8", errors="backslashreplace")


def _json_value(value: Any) -> Any:
    if not isinstance(value, float) or math.isfinite(value):
        return value
    if math.isnan(value):
        return None
    return "Infinity" if value > 0 else "-Infinity"


def _short_names(table: Table, key: str) -> dict[str, str]:
    """Map each file of a column to its path from the folder that all of them share."""
    paths = {row[key]: os.path.abspath(row[key]) for row in table.rows if key == "prediction" or row["rater"] != MAJORITY}
    folder = os.path.commonpath([os.path.dirname(path) for path in paths.values()]) if paths else ""
    return {name: os.path.relpath(path, folder) for name, path in paths.items()}


MEANING: dict[str, tuple[str, str]] = {
    "level": ("volume: of whole masks; slice: of one axial slice", ""),
    "statistic": ("value: of one mask; else a statistic of all masks, or how many values are undefined or infinite", ""),
    "prediction": ("The mask that is judged", ""),
    "reference": ("The mask that it is compared with", ""),
    "rater": ("Which of the references: 1 for the first, majority for the majority of all", ""),
    "slice": ("Axial slice, 0 for the most inferior", ""),
    "DSC": ("Dice similarity coefficient", ""),
    "JI": ("Jaccard index", ""),
    "CC_pct": ("Conformity coefficient, which may be negative", "%"),
    "MSD_mm": ("Mean distance of the two surfaces, both ways", "mm"),
    "HSD_mm": ("Hausdorff distance of the surfaces: the largest", "mm"),
    "HD95_mm": ("95th percentile of the distances of the surfaces", "mm"),
    "SHD_mm": ("Hausdorff distance of the skeletons", "mm"),
    "SMD_mm": ("Median distance of the skeletons", "mm"),
    "TPR_pct": ("True positive rate: share of the reference that is in the mask", "%"),
    "TNR_pct": ("True negative rate: share of what is outside the reference that is outside the mask", "%"),
    "PPV_pct": ("Positive predictive value: share of the mask that is in the reference", "%"),
    "ACC_pct": ("Accuracy: share of all voxels on which the two agree", "%"),
    "MCC": ("Matthews correlation coefficient", ""),
    "VD_mm3": ("Volume of the mask less that of the reference", "mm^3"),
    "VD_pct": ("The same, in percent of the reference", "%"),
    "prediction_mm3": ("Volume of the mask", "mm^3"),
    "reference_mm3": ("Volume of the reference", "mm^3"),
}


def data_dictionary() -> dict[str, dict[str, str]]:
    """Return `{name: {"Description": ..., "Units": ...}}` for each of `KEYS` and `METRICS`."""
    return {name: {"Description": text} | ({"Units": units} if units else {}) for name, (text, units) in MEANING.items()}
