"""A user's labeled scans: in a BIDS folder, in a table, or matched by two globs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from spineseg_cli.core.image.file_names import is_nifti_name
from spineseg_cli.core.ranges import listed_names
from spineseg_cli.errors import InputError
from spineseg_cli.tasks.registry import TASKS, label_kinds
from spineseg_cli.tasks.task import CORD_LABEL
from spineseg_cli.training.data.labeled_scans import LabeledScan
from spineseg_cli.training.data.patterns import pair_by_patterns
from spineseg_cli.training.data.scan_tables import person_of, read_persons, read_scan_table, scan_of_row
from spineseg_cli.training.data.sources import match_masks

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScanSource:
    """Where a user's labeled scans are, and what is known of them."""

    # A BIDS folder with derivatives (those in `derivatives/labels` if this folder exists), or a table (.tsv) of scans, which has
    # the columns image, gray_matter, cord or another kind of mask, subject, and label_coverage. Paths are relative to its folder,
    # and masks of several raters are separated by semicolons. Only the column image is required, and subject if the path of an
    # image does not contain sub-NAME. With `patterns`, any folder.
    data: Path
    patterns: tuple[str, str] | None = None  # globs of the images and of the masks: see `patterns.pair_by_patterns`
    label_coverage: str | None = None  # see `LabeledScan`; the default for scans whose row in a table does not give it
    # A column of `participants.tsv`, or of the table, with the person of each subject. Sessions that are part of a subject's name
    # (sub-01_ses-2, sub-01Ses2) belong to one person in any case.
    person: str | None = None


def find_scans(source: ScanSource, task: str) -> list[LabeledScan]:
    """Return the scans that have the label that a task, one of `tasks.registry.TASKS`, needs, in order.

    A warning names scans without that label. Raises InputError if there is no such folder or table, it has no suitable scan, a
    mask may belong to two scans, or a file is missing.
    """
    label, data, patterns = TASKS[task].label, source.data, source.patterns
    if patterns:
        scans = [
            _scan(subject, image, {label.key: tuple(masks)}, "narrow it down")
            for subject, image, masks in pair_by_patterns(data, *patterns, label.adjective)
        ]
        looked_for = " and ".join(patterns)
    elif data.is_dir():
        scans = [scan for folder in sorted(data.glob("sub-*")) if folder.is_dir() for scan in _scans_of_subject(data, folder)]
        looked_for = f"sub-*/[ses-*/]anat/*.nii.gz, with masks derivatives/**/{label.file_hint}"
    elif data.suffix == ".tsv":
        scans = [scan_of_row(row, data) for row in read_scan_table(data, ["image"])]
        looked_for = f"rows with an image and its mask in the column {label.key}"
    else:
        raise InputError(f"expected a BIDS folder, or a table ending in .tsv; there is neither at {data}")
    fitting = [scan for scan in scans if scan.masks_of(label)]
    if not fitting:
        raise InputError(f"no scan with a {label.adjective} mask in {data}; searched for {looked_for}")
    if len(fitting) < len(scans):
        unlabeled = [scan.image.name for scan in scans if not scan.masks_of(label)]
        names = listed_names(unlabeled)
        log.warning("left out for want of a %s mask: %d of %d scans (%s)", label.adjective, len(unlabeled), len(scans), names)
    persons = read_persons(data, source.person) if source.person else {}
    return [
        replace(
            scan,
            subject=persons.get(scan.subject) or person_of(scan.subject),
            label_coverage=scan.label_coverage or source.label_coverage,
        )
        for scan in fitting
    ]


def _scans_of_subject(data: Path, folder: Path) -> list[LabeledScan]:
    images = [path for anat in ("anat", "ses-*/anat") for path in sorted(folder.glob(f"{anat}/*")) if _is_nifti(path)]
    root = data / "derivatives"
    root = root / "labels" if (root / "labels").is_dir() else root
    masks = [path for path in sorted(root.glob(f"**/{folder.name}/**/*")) if _is_nifti(path)]
    matched: dict[str, list[list[Path]]] = {}
    for label in label_kinds().values():  # a mask belongs to the first kind that its name matches
        chosen = [path for path in masks if label.file_pattern.search(path.name)]
        masks = [path for path in masks if path not in chosen]
        matched[label.key] = match_masks(images, chosen, label.adjective) if images else []
    masks_of = {image: {key: tuple(lists[index]) for key, lists in matched.items()} for index, image in enumerate(images)}
    return [_scan(folder.name, image, masks_of[image], "list the scans in a .tsv instead") for image in images]


def _scan(subject: str, image: Path, masks: Mapping[str, tuple[Path, ...]], advice: str) -> LabeledScan:
    """Return a scan with its masks. Raises InputError, with some advice, if there are several masks of the cord."""
    cords = masks.get(CORD_LABEL.key, ())
    if len(cords) > 1:
        raise InputError(f"expected one cord mask for {image}; found {', '.join(map(str, cords))}: {advice}")
    return LabeledScan(subject, image, {key: paths for key, paths in masks.items() if paths})


def _is_nifti(path: Path) -> bool:
    return is_nifti_name(path.name) and not path.name.startswith(".")
