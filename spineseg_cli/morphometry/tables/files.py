"""Writing of rows as CSV, TSV or JSON, rounded by their uncertainty, and under the column names of SCT."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from spineseg_cli import __version__
from spineseg_cli.core.file_checks import check_writable
from spineseg_cli.core.files import write_json, write_text
from spineseg_cli.core.tables import aligned, check_suffix, table_as_text
from spineseg_cli.errors import InputError
from spineseg_cli.morphometry.levels.names import level_number
from spineseg_cli.morphometry.tables.columns import CENTILE, SD, SE, SEGMENT, describe

SUFFIXES = {".csv": ",", ".tsv": "\t", ".json": None}

# Number of digits of a standard error; its value is rounded to the same place (GUM, JCGM 100:2008, 7.2.6).
ERROR_DIGITS = 2
MOST_DECIMALS = 6
PLAIN_DECIMALS = 3

# Number of decimals of a centile, and of the ends of estimated segments, mm, whose intervals are at least 8 mm wide.
CENTILE_DECIMALS, SEGMENT_DECIMALS = 1, 1

# sct_process_segmentation's measures, in its order, by ours.
SCT_MEANS = {
    "area": "area_mm2",
    "angle_AP": "angle_AP_deg",
    "angle_RL": "angle_RL_deg",
    "diameter_AP": "diameter_AP_mm",
    "diameter_RL": "diameter_RL_mm",
    "eccentricity": "eccentricity",
    "orientation": "orientation_deg",
    "solidity": "solidity",
}
# Columns that are printed in the terminal.
TERMINAL = (
    "area_mm2", "area_mm2_change_pct", "diameter_AP_mm", "diameter_RL_mm", "angle_AP_deg", "angle_RL_deg", "area_gray_mm2",
    "area_edge_mm2", "area_edge_mm2_change_pct",
)  # fmt: skip

SCT_KEYS = ("Timestamp", "SCT Version", "Filename", "Slice (I->S)", "VertLevel", "DistancePMJ")


def check_table_path(path: Path, append: bool) -> None:
    """Raise InputError if no table can be written to `path`, or appended to it. Nothing on disk is changed."""
    check_suffix(path, SUFFIXES)
    check_writable(path)
    if append and path.exists():
        read_rows(path)


def write_rows(path: Path, rows: Sequence[dict], append: bool = False) -> int:
    """Write rows with the same columns in the format of the suffix of `path`, and return the number of rows in the file.

    Appended rows must have the columns of the file. The file is written completely or not at all.

    Raises
    ------
    InputError
        If the file to append to has other columns, or is not such a table.
    """
    header = list(rows[0])
    rows = [_rounded_row(row) if path.suffix.lower() == ".json" else format_row(row) for row in rows]
    before = read_rows(path) if append and path.exists() else []
    if before and list(before[0]) != header:
        raise InputError(f"cannot append to {path}: {_remedy(list(before[0]), header)}")
    everything = [*before, *rows]
    write_text(path, _text(path, header, everything))
    return len(everything)


def _remedy(there: list[str], header: list[str]) -> str:
    """Return advice for a table whose columns differ from those of the rows to be appended."""
    if _is_sct(there) and not _is_sct(header):
        return "it has the columns of SCT; add --format sct"
    if _is_sct(header) and not _is_sct(there):
        return "it lacks the columns of SCT; leave out --format sct"
    return "its columns differ; measure with the same options, or name a new table"


def _is_sct(header: list[str]) -> bool:
    return "SUM(length)" in header


def sct_row(row: dict) -> dict:
    """Return a row of `tables.rows.make_rows`, with `file`, under the column names of `sct_process_segmentation`.

    The time is empty, so that equal runs give equal files, and so is the distance to the pontomedullary junction.
    """
    levels = ":".join(str(level_number(name, row["level_kind"])) for name in row["level"].split(":") if name)
    out = dict(zip(SCT_KEYS, ("", f"spineseg {__version__}", row["file"], row["slice"], levels, ""), strict=True))
    for theirs, ours in SCT_MEANS.items():
        out |= {f"MEAN({theirs})": row[ours], f"STD({theirs})": 0.0 if row[ours + SD] is None else row[ours + SD]}
    return out | {"SUM(length)": row["length_mm"]}


def dictionary_path(path: Path) -> Path | None:
    """Return the path of a table's data dictionary as in BIDS, `areas.json` for `areas.tsv`; None for JSON."""
    return None if path.suffix.lower() == ".json" else path.with_suffix(".json")


def write_dictionary(path: Path, header: Sequence[str]) -> None:
    """Write the descriptions and units of a table's columns to a file beside it."""
    dictionary = dictionary_path(path)
    if dictionary:
        write_json(dictionary, describe(header))


def to_text(rows: Sequence[dict]) -> str:
    """Return the main columns of rows for a terminal, aligned, each value with its standard error."""
    keys = [key for key in ("scope", "level", "slice", "n_slices") if any(row[key] for row in rows)]
    shown = [name for name in TERMINAL if name in rows[0]]
    cells = [[*keys, *shown, "flags"]]
    for row in map(format_row, rows):
        numbers = (f"{row[name]} +- {row[name + SE]}" if row[name] else "" for name in shown)
        cells.append([*(row[key] for key in keys), *numbers, row["flags"]])
    return aligned(cells)


def format_row(row: dict) -> dict[str, str]:
    """Return the cells of a row as text: numbers are rounded by their standard errors, and empty if they are not finite."""
    decimals = {error: _decimals(row.get(error)) for error in set(map(_error_name, row))}

    def of(name: str) -> int:
        if name.endswith(CENTILE):
            return CENTILE_DECIMALS
        return SEGMENT_DECIMALS if name.startswith(SEGMENT) else decimals[_error_name(name)]

    return {name: _cell(value, of(name)) for name, value in row.items()}


def _decimals(error: float | None) -> int:
    """Return the number of decimals to which a value with this standard error is rounded."""
    if not isinstance(error, float) or not math.isfinite(error) or error <= 0:
        return PLAIN_DECIMALS
    return min(max(ERROR_DIGITS - 1 - math.floor(math.log10(error)), 0), MOST_DECIMALS)


@cache
def _error_name(name: str) -> str:
    return name.removesuffix(SE).removesuffix(SD) + SE


def _cell(value, decimals: int) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return f"{round(value, decimals) + 0.0:.{decimals}f}" if isinstance(value, float) else str(value)  # + 0.0: no minus zero


def _rounded_row(row: dict) -> dict:
    cells = format_row(row)
    return {
        name: (float(cells[name]) if cells[name] else None) if isinstance(value, float) else value for name, value in row.items()
    }


def _text(path: Path, header: list[str], rows: list[dict]) -> str:
    delimiter = SUFFIXES[path.suffix.lower()]
    if delimiter is None:
        return json.dumps({"rows": rows, "columns": describe(header)}, indent=2, allow_nan=False) + "\n"
    return table_as_text(header, rows, delimiter)


def read_slices(path: Path) -> list[dict]:
    """Return the rows of a table of measures with rows of slices. Raises InputError if it has none, or is not such a table."""
    rows = read_rows(path)
    if not rows or not {"scope", "distance_from_top_mm", "area_mm2", "area_mm2_se"} <= set(rows[0]):
        raise InputError(f"expected a table of measure_cord in {path}, in its own format; got other columns")
    if not any(row["scope"] == "slice" for row in rows):
        raise InputError(f"expected rows of slices in {path}; got none: measure it without -z, -vert and -perlevel")
    masks = {row.get("file") for row in rows}
    if len(masks) > 1:
        raise InputError(f"expected the rows of one mask in {path}; got those of {len(masks)}: give a table of that mask alone")
    return rows


def read_rows(path: Path) -> list[dict]:
    """Return the rows of a table of measures, whose values are text in CSV and TSV. Raises InputError if it is not a table."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".json":
            return list(json.loads(text)["rows"])
        return list(csv.DictReader(io.StringIO(text), delimiter=SUFFIXES[path.suffix.lower()] or ","))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"cannot read {path}: it is no table of measures ({error}); write a new one") from error
