"""Ratings that were exported from the page of a cohort, and the agreement of two raters."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from spineseg_cli.core.files import check_present
from spineseg_cli.errors import InputError

# Marks of scans that are excluded from a run or need to be corrected.
BAD_MARKS = ("fail", "artifact")


def read_ratings(path: Path) -> list[dict[str, str]]:
    """Return the rows of ratings in TSV or YAML: `scan`, `step`, `mark`, `rating`, `note`, `rater`.

    Raises InputError if the file cannot be read, or has no scans and marks.
    """
    check_present(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the ratings {path}: {error}") from error
    is_yaml = path.suffix.lower() in (".yaml", ".yml")
    rows = _from_yaml(text, path) if is_yaml else list(csv.DictReader(io.StringIO(text), delimiter="\t"))
    if any(not row.get("scan") or "mark" not in row for row in rows):
        raise InputError(f"expected ratings exported from the page in {path}: a row a scan, with the columns scan and mark")
    return [{key: str(value if value is not None else "") for key, value in row.items()} for row in rows]


def read_listed(path: Path) -> Iterator[str]:
    """Yield the entries of a list: the lines of a text file, or the scans with a bad mark in ratings exported from the page."""
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
    """Return Cohen's kappa (1960), the agreement of two raters beyond chance: (observed - expected) / (1 - expected).

    It is nan if both raters used the same single mark, or there are no marks.
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
    """Return the number of results that both raters have marked, and Cohen's kappa of these marks."""
    marks = [{(row["scan"], row.get("step", "")): row["mark"] for row in rows if row["mark"]} for rows in (first, second)]
    both = sorted(marks[0].keys() & marks[1].keys())
    return len(both), cohens_kappa([marks[0][key] for key in both], [marks[1][key] for key in both])


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
