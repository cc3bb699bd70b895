"""Evaluations of a variant's weights on sets of labeled scans; what was evaluated before is read again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spineseg_cli.core.files import file_sha256, write_json
from spineseg_cli.core.tables import read_rows
from spineseg_cli.metrics.table import Table, write_table
from spineseg_cli.training.data.labeled_scans import LabeledScan
from spineseg_cli.training.evaluation import Evaluation, Evaluator
from spineseg_cli.weights.model import Model

TEXTS = {"level", "statistic", "prediction", "reference", "rater", "slice"}


@dataclass(frozen=True)
class ScanSet:
    """Scans to evaluate on.

    Parameters
    ----------
    localizer : str
        Of `localizers.LOCALIZERS`: what finds the cord in them.
    """

    name: str
    scans: Sequence[LabeledScan]
    localizer: str = "network"

    def stem(self, folder: Path) -> Path:
        """Return where evaluations on this set are kept in a folder, without a suffix."""
        return folder / ("metrics_" + "".join(c if c.isalnum() or c in "-" else "_" for c in self.name))


def evaluate(folder: Path, evaluator: Evaluator, model: Model, chosen: ScanSet) -> Evaluation:
    """Segment and compare every scan of a set, or read what was found before with the same weights.

    The masks are in `folder`.
    """
    known = recall(folder, model, chosen)
    if known is not None:
        return known

    def file(number: int, scan: LabeledScan) -> Path:
        return chosen.stem(folder) / f"{number:02d}_{scan.image.name.split('.')[0]}.nii.gz"

    evaluation = evaluator.evaluate(model, chosen.scans, file)
    remember(folder, model, chosen, evaluation)
    return evaluation


def remember(folder: Path, model: Model, chosen: ScanSet, evaluation: Evaluation) -> None:
    """Write an evaluation, and what it is of."""
    stem = chosen.stem(folder)
    write_table(stem.with_suffix(".csv"), evaluation.table)
    write_json(stem.with_suffix(".json"), _key(model, chosen) | {"masks": [str(path) for path in evaluation.masks]})


def recall(folder: Path, model: Model, chosen: ScanSet) -> Evaluation | None:
    """Return an evaluation, if it is of the same weights and scans; else None."""
    stem = chosen.stem(folder)
    if not stem.with_suffix(".json").is_file() or not stem.with_suffix(".csv").is_file():
        return None
    content = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    masks = tuple(Path(path) for path in content.pop("masks"))
    if content != _key(model, chosen) or not all(path.is_file() for path in masks):
        return None
    rows = [row for row in read_rows(stem.with_suffix(".csv"), delimiter=",") if row["statistic"] == "value"]
    table = Table(tuple({key: value if key in TEXTS else float(value) for key, value in row.items()} for row in rows))
    return Evaluation(tuple(chosen.scans), table, masks)


def _key(model: Model, chosen: ScanSet) -> dict[str, Any]:
    """Return what an evaluation depends on: the weights, and the bytes of scans and masks, which may be corrected."""
    files = {str(path): file_sha256(path) for scan in chosen.scans for path in (scan.image, *scan.all_masks) if path.is_file()}
    return {"model": model.sha256, "localizer": chosen.localizer, "files": files}
