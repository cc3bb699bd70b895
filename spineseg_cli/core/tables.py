"""Delimited text tables with a header; None is an empty field."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spineseg_cli.core.files import write_text
from spineseg_cli.errors import InputError


def check_suffix(path: Path, suffixes: Collection[str]) -> None:
    """Raise InputError unless `path` ends in one of the `suffixes` of tables, and is not a folder."""
    if path.suffix.lower() not in suffixes:
        raise InputError(f"expected an output ending in {', '.join(suffixes)}; got {path.name!r}")
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder; name a file in it")


def table_as_text(header: Sequence[str], rows: Iterable[Mapping[str, Any] | Sequence[Any]], delimiter: str = ",") -> str:
    """Return a table as text; rows are sequences in the order of the header, or mappings, in which names may be missing."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([row.get(name) for name in header] if isinstance(row, Mapping) else row for row in rows)
    return stream.getvalue()


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return a table for a terminal: columns as wide as their longest cell, two spaces between them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def write_rows(
    path: Path, header: Sequence[str], rows: Iterable[Mapping[str, Any] | Sequence[Any]], delimiter: str = ","
) -> None:
    """Write a table atomically; see `table_as_text`."""
    write_text(path, table_as_text(header, rows, delimiter))


def read_rows(path: Path, delimiter: str = "\t") -> list[dict[str, str]]:
    """Return the rows of a table as mappings by the names in its header."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))
