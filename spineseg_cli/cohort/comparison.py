"""Metrics of the masks of a cohort against masks that experts have drawn."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from spineseg_cli.cohort.bids import Scan
from spineseg_cli.cohort.derivatives import output_path
from spineseg_cli.cohort.labels import find_label
from spineseg_cli.core.files import write_json
from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.errors import SpinesegError

log = logging.getLogger(__name__)


def write_label_metrics(out: Path, scans: Sequence[Scan]) -> list[Path]:
    """Write the metrics of the masks against those in `derivatives/labels`, and return the tables that were written."""
    tables = []
    for kind, name in (("cord", "cord"), ("gray", "gm")):
        masks_and_labels = [(output_path(out, scan, kind), find_label(scan, kind)) for scan in scans]
        pairs = [(mask, label) for mask, label in masks_and_labels if label and mask.is_file()]
        if pairs:
            tables += _compare_masks(out / f"group_metrics_{name}.tsv", pairs, out)
    return tables


def _compare_masks(table_path: Path, pairs: Sequence[tuple[Path, Path]], out: Path) -> list[Path]:
    """Write a table of the metrics of pairs of a mask and its reference, with its data dictionary.

    Pairs that cannot be compared are left out with a warning. Returns the path of the table, or nothing if no pair is left.
    """
    from spineseg_cli.metrics.evaluate import evaluate
    from spineseg_cli.metrics.table import data_dictionary, write_table

    cases = list(_cases(pairs, out))
    if not cases:
        return []
    write_table(table_path, evaluate(iter(cases)))
    write_json(table_path.with_suffix(".json"), data_dictionary())
    return [table_path]


def _cases(pairs: Sequence[tuple[Path, Path]], out: Path) -> Iterator:
    from spineseg_cli.core.image.grid import check_same_grid
    from spineseg_cli.core.image.orientation import turned_to
    from spineseg_cli.metrics.evaluate import Case

    for mask_path, label_path in pairs:
        try:
            mask, label = (read_volume(path, kind="mask") for path in (mask_path, label_path))
            check_same_grid(mask, turned_to(label, mask), str(mask_path), str(label_path))
        except SpinesegError as error:
            log.warning("%s", error)
            continue
        yield Case(mask_path.relative_to(out).as_posix(), mask, (label_path.name,), (label,))
