"""A user's labeled scans: found in a BIDS folder or listed in a table, and checked before anything slow starts."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spineseg_cli.core.image.grid import check_same_grid
from spineseg_cli.core.image.nifti import NIFTI_SUFFIXES, read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.errors import InputError
from spineseg_cli.tasks.registry import TASKS, label_kinds
from spineseg_cli.tasks.task import CORD_LABEL, LabelKind
from spineseg_cli.training.choices import LABEL_COVERAGE
from spineseg_cli.training.data.pairing import match_masks
from spineseg_cli.training.data.patterns import SUBJECT, pair_by_patterns

# What versions 0.8 and 0.9 call columns of such a table.
OLD_COLUMNS = {"gray": "gray_matter", "complete": "label_coverage"}
LEAST_SUBJECTS = 3

# A session at the end of a subject's name.
SESSION = re.compile(r"([_-]ses-?[A-Za-z0-9]+|Ses[0-9]+)$")


@dataclass(frozen=True)
class LabeledScan:
    """A scan and its masks.

    Parameters
    ----------
    subject : str
        Whose it is: scans of one subject stay together when subjects are split.
    image : Path
    masks : mapping of str to tuple of Path
        Its masks by their kind (a key of `tasks.registry.label_kinds`), one for each rater; of the cord there is one at most.
    label_coverage : str or None
        Of `training.choices.LABEL_COVERAGE`: on which side nothing was left unlabeled.
    """

    subject: str
    image: Path
    masks: Mapping[str, tuple[Path, ...]]
    label_coverage: str | None = None

    @property
    def cord(self) -> Path | None:
        """Its mask of the cord."""
        return next(iter(self.masks_of(CORD_LABEL)), None)

    @property
    def all_masks(self) -> tuple[Path, ...]:
        """Every mask of the scan."""
        return tuple(path for paths in self.masks.values() for path in paths)

    def masks_of(self, label: LabelKind) -> tuple[Path, ...]:
        """Return its masks of one kind: those of each rater."""
        return self.masks.get(label.key, ())

    def with_cord(self, path: Path) -> LabeledScan:
        """Return the scan with a mask of the cord."""
        return replace(self, masks={**self.masks, CORD_LABEL.key: (path,)})


def find_scans(
    data: Path, task: str, patterns: tuple[str, str] | None = None, label_coverage: str | None = None, person: str | None = None
) -> list[LabeledScan]:
    """Return the scans that have the label which `task` needs, in order.

    Parameters
    ----------
    data : Path
        A BIDS folder with derivatives (those in `derivatives/labels`, if there is such a folder), or a table (.tsv) of scans:
        the columns image, gray_matter, cord or of another kind of mask (paths from the table's folder; those of several raters
        with a semicolon between them), subject and label_coverage. All but image may be left out, subject where the path of
        the image holds sub-NAME. With `patterns`, any folder.
    task : str
        The name of one of `tasks.registry.TASKS`.
    patterns : (str, str), optional
        Globs of the images and of the masks that the task needs: see `patterns.pair_by_patterns`.
    label_coverage : str, optional
        See `LabeledScan`; of scans whose row in a table does not say it.
    person : str, optional
        A column of `participants.tsv`, or of the table, whose equal entries are one person. Sessions of one subject that the
        names show (sub-01_ses-2, sub-01Ses2) are of one person anyway.

    Raises
    ------
    InputError
        If there is no such folder or table, nothing in it fits, a mask may belong to two scans, or a file is missing.
    """
    label = TASKS[task].label
    if patterns:
        scans = [_scan_of_files(*files, label) for files in pair_by_patterns(data, *patterns, label.adjective)]
        looked_for = " and ".join(patterns)
    elif data.is_dir():
        scans = [scan for folder in sorted(data.glob("sub-*")) if folder.is_dir() for scan in _scans_of_subject(data, folder)]
        looked_for = f"sub-*/[ses-*/]anat/*.nii.gz, with masks derivatives/**/{label.file_hint}"
    elif data.suffix == ".tsv":
        scans = [_scan_of_row(row, data) for row in read_rows(data, ["image"])]
        looked_for = f"rows with an image and its mask in the column {label.key}"
    else:
        raise InputError(f"expected a BIDS folder, or a table ending in .tsv; there is neither at {data}")
    fitting = [scan for scan in scans if scan.masks_of(label)]
    if not fitting:
        raise InputError(f"no scan with a {label.adjective} mask in {data}; searched for {looked_for}")
    persons = _persons(data, person) if person else {}
    return [
        replace(
            scan,
            subject=persons.get(scan.subject) or person_of(scan.subject),
            label_coverage=scan.label_coverage or label_coverage,
        )
        for scan in fitting
    ]


def check_scans(scans: Sequence[LabeledScan]) -> None:
    """Read every file once, and raise InputError (or GridMismatchError) at the first that cannot be trained on.

    There must be three subjects or more; images and masks must be readable and 3-D, each mask on its image's grid, from 0 to 1,
    and not empty, and those of each kind must have a slice in common with the cord.
    """
    subjects = sorted({scan.subject for scan in scans})
    if len(subjects) < LEAST_SUBJECTS:
        raise InputError(
            f"expected labeled scans of {LEAST_SUBJECTS} subjects or more, to train, validate and test on; found "
            f"{len(subjects)} ({', '.join(subjects)})"
        )
    for scan in scans:
        image, slices = read_volume(scan.image), {}
        for path in scan.all_masks:
            mask = read_volume(path, kind="mask")
            check_same_grid(image, mask, str(scan.image), str(path))
            low, high = float(mask.data.min()), float(mask.data.max())
            if low < 0 or high > 1:
                raise InputError(f"expected a mask of values from 0 to 1; {path} has {low:g} to {high:g}: make it 0 and 1")
            if high <= 0.5:
                raise InputError(f"the mask {path} is empty: draw it, or leave this scan out")
            slices[path] = set(np.flatnonzero((to_rpi(mask).data > 0.5).any(axis=(0, 1))))
        for key, paths in scan.masks.items():
            if scan.cord and not slices[scan.cord] & {k for path in paths for k in slices[path]}:
                name = key.replace("_", " ")
                raise InputError(f"no slice of {scan.image} has both {name} and cord in its masks: draw both in some slices")


def person_of(subject: str) -> str:
    """Return a subject's name without a session in it: "sub-01" of "sub-01_ses-2", "sub-01Ses2" and "anna_ses-b"."""
    return SESSION.sub("", subject) or subject


def read_traits(data: Path, column: str, person: str | None = None) -> dict[str, str]:
    """Return each person's entry in a column of `participants.tsv`, or of the table of scans that `data` is.

    Persons are named as `find_scans` does. Raises InputError if there is no such file or column.
    """
    entries = {row[person] if person else person_of(name): row[column] for name, row in _rows_of_subjects(data, column, person)}
    return {name: entry for name, entry in entries.items() if name}


def _persons(data: Path, column: str) -> dict[str, str]:
    """Return the person that each subject is, by a column that says so."""
    return {name: row[column] for name, row in _rows_of_subjects(data, column)}


def _rows_of_subjects(data: Path, *columns: str | None) -> list[tuple[str, dict[str, str]]]:
    """Return each subject's name and row in `participants.tsv`, or in the table of scans that `data` is."""
    needed = [name for name in columns if name]
    if data.is_dir():
        rows = read_rows(data / "participants.tsv", ["participant_id", *needed])
        return [(row["participant_id"], row) for row in rows]
    return [(_scan_of_row(row, data).subject, row) for row in read_rows(data, ["image", *needed])]


def read_rows(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """Return the rows of a table of tabs with a header. Raises InputError if it is missing, or lacks one of `columns`."""
    if not path.is_file():
        raise InputError(f"no such table: {path}")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter="\t", restval="")
            rows, header = list(reader), list(reader.fieldnames or [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a table of tabs: {error}") from error
    for old, new in OLD_COLUMNS.items():
        if old in header and new not in header:
            header[header.index(old)] = new
            rows = [{new if name == old else name: value for name, value in row.items()} for row in rows]
    missing = [name for name in columns if name not in header]
    if missing:
        raise InputError(f"expected the columns {', '.join(missing)} in {path}; it has {', '.join(header) or 'none'}")
    return rows


def _scans_of_subject(data: Path, folder: Path) -> list[LabeledScan]:
    images = [path for anat in ("anat", "ses-*/anat") for path in sorted(folder.glob(f"{anat}/*")) if _is_nifti(path)]
    root = data / "derivatives"
    root = root / "labels" if (root / "labels").is_dir() else root
    masks = [path for path in sorted(root.glob(f"**/{folder.name}/**/*")) if _is_nifti(path)]
    matched: dict[str, list[list[Path]]] = {}
    for label in label_kinds().values():  # the first that fits counts
        chosen = [path for path in masks if label.file_pattern.search(path.name)]
        masks = [path for path in masks if path not in chosen]
        matched[label.key] = match_masks(images, chosen, label.adjective) if images else []
    masks_of = {image: {key: tuple(lists[index]) for key, lists in matched.items()} for index, image in enumerate(images)}
    return [_scan(folder.name, image, masks_of[image], "list the scans in a .tsv instead") for image in images]


def _scan_of_files(subject: str, image: Path, masks: list[Path], label: LabelKind) -> LabeledScan:
    return _scan(subject, image, {label.key: tuple(masks)}, "narrow it down")


def _scan(subject: str, image: Path, masks: Mapping[str, tuple[Path, ...]], advice: str) -> LabeledScan:
    """Return a scan with the masks that it has; raise InputError, with some advice, if several are of the cord."""
    cords = masks.get(CORD_LABEL.key, ())
    if len(cords) > 1:
        raise InputError(f"expected one cord mask for {image}; found {', '.join(map(str, cords))}: {advice}")
    return LabeledScan(subject, image, {key: paths for key, paths in masks.items() if paths})


def _scan_of_row(row: dict[str, str], table: Path) -> LabeledScan:
    files = {
        name: [table.parent / part.strip() for part in (row.get(name) or "").split(";") if part.strip() not in ("", "n/a")]
        for name in ("image", *label_kinds())
    }
    for path in (path for paths in files.values() for path in paths):
        if not path.is_file():
            raise InputError(f"no such file: {path}, which {table} lists")
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


def _is_nifti(path: Path) -> bool:
    return path.name.endswith(NIFTI_SUFFIXES) and not path.name.startswith(".")
