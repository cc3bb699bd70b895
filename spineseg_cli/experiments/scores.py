"""Scores of an arm's weights on sets of labeled scans; what was scored before is read again."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli.core.files import file_sha256, write_json
from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.image.orientation import from_rpi, to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.metrics.table import Table, write_table
from spineseg_cli.training.data.dataset import LabeledScan
from spineseg_cli.weights.model import Model

TEXTS = {"level", "statistic", "prediction", "reference", "rater", "slice"}

# The complete pipeline of a task, and the comparison of what it finds with references: see `training.finetune`.
Segment = Callable[..., Any]
Compare = Callable[[str, Any, Sequence[str], Sequence[Volume]], Iterable[dict]]


@dataclass(frozen=True)
class ScanSet:
    """Scans to score on.

    Parameters
    ----------
    name : str
    scans : sequence of LabeledScan
    centerline : str
        Of `files.CENTERLINES`.
    """

    name: str
    scans: Sequence[LabeledScan]
    centerline: str = "auto"

    @property
    def subjects(self) -> list[str]:
        """Whose each scan is."""
        return [scan.subject for scan in self.scans]

    def stem(self, folder: Path) -> Path:
        """Return where scores of this set are kept in a folder, without a suffix."""
        return folder / ("scores_" + "".join(c if c.isalnum() or c in "-" else "_" for c in self.name))


def references_of(scan: LabeledScan, task: str) -> list[Path]:
    """Return the masks that a scan's segmentation is compared with."""
    return list(scan.grays) if task == "gm" else [scan.cord]


def score(
    folder: Path, model: Model, chosen: ScanSet, task: str, segment: Segment, compare: Compare, device: str, **options
) -> tuple[Table, list[Path]]:
    """Segment and compare every scan of a set, or read what was found before with the same weights.

    `options` go to `segment`. Returns every metric of the scans, in their order, and the files of their masks, in `folder`.
    """
    known = recall(folder, model, chosen)
    if known is not None:
        return known
    if chosen.centerline == "center":
        segment = about_center(segment)
    runtime = model.open_runtime(device)
    rows, paths, place = [], [], chosen.stem(folder)
    for number, scan in enumerate(chosen.scans, start=1):
        references = references_of(scan, task)
        truths = [read_volume(path, kind="mask") for path in references]
        followed = {"centerline": truths[0]} if chosen.centerline == "exact" else {}
        found = segment(read_volume(scan.image), model, runtime=runtime, **followed, **options)
        path = place / f"{number:02d}_{scan.image.name.split('.')[0]}.nii.gz"
        write_volume(path, found.mask, np.uint8)
        rows += compare(str(path), found, [str(path) for path in references], truths)
        paths.append(path)
    table = Table(tuple(rows))
    remember(folder, model, chosen, table, paths)
    return table, paths


def remember(folder: Path, model: Model, chosen: ScanSet, table: Table, paths: Sequence[Path]) -> None:
    """Write scores, and what they are of."""
    stem = chosen.stem(folder)
    write_table(stem.with_suffix(".csv"), table)
    write_json(stem.with_suffix(".json"), _key(model, chosen) | {"masks": [str(path) for path in paths]})


def recall(folder: Path, model: Model, chosen: ScanSet) -> tuple[Table, list[Path]] | None:
    """Return the scores of a set and the files of its masks, if they are of the same weights and scans; else None."""
    stem = chosen.stem(folder)
    if not stem.with_suffix(".json").is_file() or not stem.with_suffix(".csv").is_file():
        return None
    content = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    masks = [Path(path) for path in content.pop("masks")]
    if content != _key(model, chosen) or not all(path.is_file() for path in masks):
        return None
    with open(stem.with_suffix(".csv"), newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["statistic"] == "value"]
    return Table(tuple({key: value if key in TEXTS else float(value) for key, value in row.items()} for row in rows)), masks


def about_center(segment: Segment) -> Segment:
    """Return a segmentation that follows the middle of the image instead of looking for the cord."""

    def segment_about_center(image: Volume, model: Model, *, centerline: Volume | None = None, **options):
        return segment(image, model, centerline=center_line(image) if centerline is None else centerline, **options)

    return segment_about_center


def center_line(image: Volume) -> Volume:
    """Return the middle voxel of each axial slice of an image, uint8, on its grid."""
    scan = to_rpi(image)
    mask = np.zeros(scan.shape, np.uint8)
    mask[scan.shape[0] // 2, scan.shape[1] // 2] = 1
    return from_rpi(mask, image)


def _key(model: Model, chosen: ScanSet) -> dict:
    """Return what scores depend on: the weights, and the bytes of the scans and of their masks, which may be corrected."""
    files = {str(path): file_sha256(path) for scan in chosen.scans for path in (scan.image, *scan.masks) if path.is_file()}
    return {"model": model.sha256, "centerline": chosen.centerline, "files": files}
