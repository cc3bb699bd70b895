"""Tables of labeled scans, and of the persons who were scanned."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from spineseg_cli.core.file_checks import check_present
from spineseg_cli.errors import InputError
from spineseg_cli.tasks.registry import label_kinds
from spineseg_cli.training.choices import LABEL_COVERAGE
from spineseg_cli.training.data.labeled_scans import LabeledScan
from spineseg_cli.training.data.patterns import SUBJECT

# The session at the end of the name of a subject.
SESSION = re.compile(r"([_-]ses-?[A-Za-z0-9]+|Ses[0-9]+)$")


def read_scan_table(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """Return the rows of a tab-separated table with a header. Raises InputError if it, or one of `columns`, is missing."""
    if not path.is_file():
        raise InputError(f"no such table: {path}")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter="\t", restval="")
            rows, header = list(reader), list(reader.fieldnames or [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a table of tabs: {error}") from error
    missing = [name for name in columns if name not in header]
    if missing:
        raise InputError(f"expected the columns {', '.join(missing)} in {path}; it has {', '.join(header) or 'none'}")
    return rows


def scan_of_row(row: dict[str, str], table: Path) -> LabeledScan:
    """Return the scan in a row of a table: see `find_scans.find_scans`.

    Raises InputError if the row is incomplete or ambiguous.
    """
    files = {
        name: [table.parent / part.strip() for part in (row.get(name) or "").split(";") if part.strip() not in ("", "n/a")]
        for name in ("image", *label_kinds())
    }
    for path in (path for paths in files.values() for path in paths):
        try:
            check_present(path)
        except InputError as error:
            raise InputError(f"{table} lists a file that cannot be read: {error}") from error
    images = files.pop("image")
    if len(images) != 1 or len(files["cord"]) > 1:
        raise InputError(f"expected one image, and at most one cord mask, in each row of {table}; got {dict(row)}")
    image = images[0]
    named = SUBJECT.search(str(row["image"]))
    subject = row.get("subject") or (named.group() if named else "")
    if not subject:
        raise InputError(f"whose scan is {image}? Give {table} a column subject")
    coverage = (row.get("label_coverage") or "").strip()
    if coverage not in ("", "n/a", *LABEL_COVERAGE):
        known = ", ".join(LABEL_COVERAGE)
        raise InputError(f"expected one of {known} or nothing in the column label_coverage of {table}; got {coverage!r}")
    masks = {key: tuple(paths) for key, paths in files.items() if paths}
    return LabeledScan(subject, image, masks, coverage if coverage in LABEL_COVERAGE else None)


def person_of(subject: str) -> str:
    """Return the name of a subject without a session: "sub-01" for "sub-01_ses-2" and for "sub-01Ses2"."""
    return SESSION.sub("", subject) or subject


def read_traits(data: Path, column: str, person: str | None = None) -> dict[str, str]:
    """Return the value of each person in a column of `participants.tsv`, or of `data` if it is a table of scans.

    Persons have the names that `find_scans` gives them. Raises InputError if there is no such file or column.
    """
    entries = {row[person] if person else person_of(name): row[column] for name, row in _rows_of_subjects(data, column, person)}
    return {name: entry for name, entry in entries.items() if name}


def read_persons(data: Path, column: str) -> dict[str, str]:
    """Return the person of each subject from a column that names the person."""
    return {name: row[column] for name, row in _rows_of_subjects(data, column)}


def _rows_of_subjects(data: Path, *columns: str | None) -> list[tuple[str, dict[str, str]]]:
    """Return the name and the row of each subject in `participants.tsv`, or in `data` if it is a table of scans."""
    needed = [name for name in columns if name]
    if data.is_dir():
        rows = read_scan_table(data / "participants.tsv", ["participant_id", *needed])
        return [(row["participant_id"], row) for row in rows]
    return [(scan_of_row(row, data).subject, row) for row in read_scan_table(data, ["image", *needed])]
