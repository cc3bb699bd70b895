"""Ratings that raters give on the page of a cohort: reading what it exports, and how far two raters agree."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from spineseg_cli.errors import InputError

# Marks that take a scan out of a table, or send it back to be corrected.
BAD_MARKS = ("fail", "artifact")


def read_ratings(path: Path) -> list[dict[str, str]]:
    """Return the rows of a file that the page has exported, TSV or YAML: `scan`, `step`, `mark`, `rating`, `note`, `rater`.

    Raises InputError if it cannot be read, or has no scans and marks.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the ratings {path}: {error}") from error
    rows = _from_yaml(text, path) if path.suffix.lower() in (".yaml", ".yml") else _from_tsv(text)
    if any(not row.get("scan") or "mark" not in row for row in rows):
        raise InputError(f"expected ratings exported from the page in {path}: a row a scan, with the columns scan and mark")
    return [{key: str(value if value is not None else "") for key, value in row.items()} for row in rows]


def read_listed(path: Path) -> Iterator[str]:
    """Yield what a list names: the lines of a text file, or the scans marked as bad in ratings exported from the page."""
    try:
        first = path.read_text(encoding="utf-8-sig").split("\n", 1)[0]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the list {path}: {error}") from error
    if path.suffix.lower() in (".yaml", ".yml") or "mark" in first.split("\t"):
        yield from dict.fromkeys(row["scan"] for row in read_ratings(path) if row["mark"] in BAD_MARKS)
        return
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        text = line.split("#")[0].strip()
        if text and text != "participant_id":
            yield text.split("\t")[0]


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Return the agreement of two raters' marks beyond chance (Cohen 1960), nan if both used one mark alone or rated nothing.

    kappa = (observed - expected) / (1 - expected)
    """
    if len(first) != len(second):
        raise ValueError("expected as many marks of both raters")
    if not first:
        return float("nan")
    n = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    expected = sum((first.count(mark) / n) * (second.count(mark) / n) for mark in set(first) | set(second))
    return float("nan") if expected == 1 else (observed - expected) / (1 - expected)


def rater_agreement(first: Sequence[dict[str, str]], second: Sequence[dict[str, str]]) -> tuple[int, float]:
    """Return how many results both raters have marked, and Cohen's kappa over these."""
    marks = [{(row["scan"], row.get("step", "")): row["mark"] for row in rows if row["mark"]} for rows in (first, second)]
    both = sorted(marks[0].keys() & marks[1].keys())
    return len(both), cohens_kappa([marks[0][key] for key in both], [marks[1][key] for key in both])


def _from_tsv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


def _from_yaml(text: str, path: Path) -> list[dict[str, str]]:
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    rows = content.get("ratings") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"expected ratings exported from the page in {path}: a list under `ratings`")
    return rows
