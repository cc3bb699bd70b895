"""Ratings that were exported from the page of a cohort, lists of scans, and the agreement of two raters."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from spineseg_cli.core.file_checks import check_present
from spineseg_cli.core.yaml_files import read_yaml
from spineseg_cli.errors import InputError

# Marks of scans that are excluded from a run or need to be corrected.
BAD_MARKS = ("fail", "artifact")

YAML = (".yaml", ".yml")


def read_ratings(path: Path) -> list[dict[str, str]]:
    """Return the rows of ratings in TSV or YAML: `scan`, `step`, `mark`, `rating`, `note`, `rater`.

    Raises InputError if the file cannot be read, or has no scans and marks.
    """
    if path.suffix.lower() in YAML:
        rows = read_yaml(path, f"the ratings {path}").get("ratings")
    else:
        rows = list(csv.DictReader(_lines_of(path), delimiter="\t"))
    if not isinstance(rows, list) or any(not isinstance(row, dict) or not row.get("scan") or "mark" not in row for row in rows):
        raise InputError(f"expected ratings exported from the page in {path}: a row a scan, with the columns scan and mark")
    return [{key: str(value if value is not None else "") for key, value in row.items()} for row in rows]


def read_list(path: Path) -> tuple[str, ...]:
    """Return the lines of a list of subjects, sessions or scans, or the scans with a bad mark in exported ratings.

    Raises InputError if there is no such file, or it is empty.
    """
    lines = _lines_of(path)
    if path.suffix.lower() in YAML or (lines and "mark" in lines[0].split("\t")):
        entries = [row["scan"] for row in read_ratings(path) if row["mark"] in BAD_MARKS]
    else:
        texts = [line.split("#")[0].strip() for line in lines]
        entries = [text.split("\t")[0] for text in texts if text and text != "participant_id"]
    if not entries:
        raise InputError(f"{path} names nothing: expected a line a subject, session or scan, or ratings exported from the page")
    return tuple(dict.fromkeys(entries))


def _lines_of(path: Path) -> list[str]:
    check_present(path)
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read {path}: {error}") from error


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Return Cohen's kappa (1960), the agreement of two raters beyond chance: (observed - expected) / (1 - expected).

    It is nan if both raters used the same single mark, or there are no marks.
    """
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
