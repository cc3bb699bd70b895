"""The table of series with their proposed BIDS names, which a user may edit."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import nibabel as nib

from spineseg_cli.cohort.dicom.converted import Series
from spineseg_cli.cohort.dicom.naming import clean_text, group_subjects, guess_plane, guess_suffix, is_wanted
from spineseg_cli.core.tables import write_rows
from spineseg_cli.errors import InputError

# The path of the table in the data set; BIDS allows any files in this folder.
TABLE = Path("code") / "dicom_series.tsv"

LABEL = re.compile(r"[A-Za-z0-9]+")
ENTITIES = re.compile(r"(?:[a-z]+-[A-Za-z0-9]+(?:_[a-z]+-[A-Za-z0-9]+)*)?")


@dataclass(frozen=True)
class Row:
    """A row of the table: one series."""

    use: str  # whether the series is imported, "yes" or "no"
    # BIDS labels; the session may be empty.
    subject: str
    session: str
    entities: str  # further BIDS entities, such as `acq-axial_run-1`
    suffix: str  # BIDS suffix, such as `T2w`
    # Information for the user, which is not read again: name of the protocol, number and size of voxels, possible problems.
    protocol: str
    size: str
    note: str
    series: str  # identifier of the series: see `converted.Series.key`

    @property
    def path(self) -> Path:
        """Path of the image in the data set."""
        folders = [f"sub-{self.subject}", *([f"ses-{self.session}"] if self.session else [])]
        name = "_".join([*folders, *([self.entities] if self.entities else []), self.suffix])
        return Path(*folders, "dwi" if self.suffix == "dwi" else "anat", f"{name}.nii.gz")


def propose(series: Sequence[Series], known: Sequence[Row] = ()) -> list[Row]:
    """Return a row for each series: the `known` row if there is one, otherwise a proposal from the header.

    New series of a known subject get its label.
    """
    rows = {row.series: row for row in known}
    subjects_and_sessions = group_subjects(series)
    labels = {
        subject: rows[one.key].subject
        for one, (subject, *_) in zip(series, subjects_and_sessions, strict=True)
        if one.key in rows
    }
    taken = {row.subject for row in known}
    for subject in sorted({subject for subject, *_ in subjects_and_sessions} - labels.keys()):
        number = 1
        while f"{number:02d}" in taken:
            number += 1
        labels[subject] = f"{number:02d}"
        taken.add(labels[subject])
    proposed = []
    for one, (subject, session, sessions) in zip(series, subjects_and_sessions, strict=True):
        wanted, why = is_wanted(one)
        name = clean_text(str(one.fields.get("SeriesDescription") or one.fields.get("ProtocolName") or ""), one.fields)
        proposed.append(Row(
            use="yes" if wanted else "no",
            subject=labels[subject],
            session=f"{session:02d}" if sessions > 1 else "",
            entities=_entities(one),
            suffix=guess_suffix(one.fields),
            protocol=name,
            size=_size(one.image),
            note="; ".join(filter(None, (why, *one.notes))),
            series=one.key,
        ))  # fmt: skip
    return [rows.get(row.series, row) for row in _with_runs(proposed)]


def read_table(path: Path) -> list[Row]:
    """Return the rows of a table after checking them; no rows if the file does not exist.

    Raises InputError if a column is missing, a label is invalid, or two images would have the same name.
    """
    if not path.is_file():
        return []
    names = [entry.name for entry in fields(Row)]
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = [Row(**{name: (line[name] or "").strip() for name in names}) for line in csv.DictReader(file, delimiter="\t")]
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise InputError(
            f"cannot read {path} ({error}); expected the columns {', '.join(names)}, with tabs between them"
        ) from error
    for number, row in enumerate(rows, 2):
        fault = _fault(row)
        if fault:
            raise InputError(f"line {number} of {path}: {fault}")
    paths = [row.path for row in rows if row.use == "yes"]
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice:
        raise InputError(f"two series of {path} would both be {twice}: give them run-1 and run-2 under entities, or use one")
    return rows


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write the table, sorted by subject."""
    in_order = sorted(rows, key=lambda row: (row.subject, row.session, str(row.path), row.series))
    write_rows(path, [entry.name for entry in fields(Row)], map(asdict, in_order), delimiter="\t")


def _entities(series: Series) -> str:
    plane, echo = guess_plane(series.image), series.fields.get("EchoNumber")
    parts = [f"acq-{plane}"] if plane else []
    if isinstance(echo, int):
        parts.append(f"echo-{echo}")
    if series.part != "mag":
        parts.append(f"part-{series.part}")
    return "_".join(parts)


def _with_runs(rows: Sequence[Row]) -> list[Row]:
    """Return the rows, with the entity `run`, from 1, for those of equal names; BIDS requires it before echo and part."""
    used = [row.path if row.use == "yes" else Path(row.series) for row in rows]
    out = []
    for index, (row, path) in enumerate(zip(rows, used, strict=True)):
        if used.count(path) > 1:
            run = used[: index + 1].count(path)
            parts = row.entities.split("_") if row.entities else []
            position = next((i for i, part in enumerate(parts) if part.startswith(("echo-", "part-"))), len(parts))
            row = replace(row, entities="_".join([*parts[:position], f"run-{run}", *parts[position:]]))
        out.append(row)
    return out


def _size(image: Path) -> str:
    loaded: Any = nib.load(image)
    header = loaded.header
    voxels = "x".join(str(n) for n in header.get_data_shape())
    return f"{voxels} voxels of {'x'.join(f'{step:.3g}' for step in header.get_zooms()[:3])} mm"


def _fault(row: Row) -> str:
    if row.use not in ("yes", "no"):
        return f"use must be yes or no; got {row.use!r}"
    for name in ("subject", "session", "suffix"):
        value = getattr(row, name)
        if not LABEL.fullmatch(value) and not (name == "session" and not value):
            return f"the {name} must be letters and digits alone; got {value!r}"
    if not ENTITIES.fullmatch(row.entities):
        return f"entities must be as acq-axial_run-1, or nothing; got {row.entities!r}"
    return ""
