"""Metrics of the masks of a cohort against masks that experts have drawn."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from spineseg_cli.cohort.bids import Scan
from spineseg_cli.cohort.derivatives import output_path
from spineseg_cli.cohort.labels import find_label
from spineseg_cli.core.files import write_json
from spineseg_cli.core.image.grid import check_same_grid
from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import turned_to
from spineseg_cli.errors import SpinesegError
from spineseg_cli.metrics.evaluate import Case, evaluate
from spineseg_cli.metrics.table import data_dictionary, write_table

log = logging.getLogger(__name__)


def write_label_metrics(out: Path, scans: Sequence[Scan]) -> list[Path]:
    """Write tables, with data dictionaries, of the metrics of the masks against those in `derivatives/labels`.

    Pairs that cannot be compared are left out with a warning. Returns the paths of the tables that were written.
    """
    tables = []
    for kind, name in (("cord", "cord"), ("gray", "gm")):
        masks_and_labels = [(output_path(out, scan, kind), find_label(scan, kind)) for scan in scans]
        cases = list(_cases([(mask, label) for mask, label in masks_and_labels if label and mask.is_file()], out))
        if cases:
            tables.append(out / f"group_metrics_{name}.tsv")
            write_table(tables[-1], evaluate(cases))
            write_json(tables[-1].with_suffix(".json"), data_dictionary())
    return tables


def _cases(pairs: Sequence[tuple[Path, Path]], out: Path) -> Iterator[Case]:
    for mask_path, label_path in pairs:
        try:
            mask, label = (read_volume(path, kind="mask") for path in (mask_path, label_path))
            check_same_grid(mask, turned_to(label, mask), str(mask_path), str(label_path))
        except SpinesegError as error:
            log.warning("%s", error)
            continue
        yield Case(mask_path.relative_to(out).as_posix(), mask, (label_path.name,), (label,))
