"""Evaluations of the weights of a variant on sets of labeled scans, which are stored and reused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spineseg_cli.core.files import file_sha256, write_json
from spineseg_cli.core.tables import read_rows
from spineseg_cli.metrics.table import KEYS, Table, write_table
from spineseg_cli.training.data.labeled_scans import LabeledScan
from spineseg_cli.training.evaluation import Evaluation, Evaluator
from spineseg_cli.weights.model import Model


@dataclass(frozen=True)
class ScanSet:
    """A set of scans to evaluate on."""

    name: str
    scans: Sequence[LabeledScan]
    localizer: str = "network"  # how the cord is found in the scans, a name in `localizers.LOCALIZERS`

    def stem(self, folder: Path) -> Path:
        """Return the path, without a suffix, at which evaluations on this set are stored in a folder."""
        return folder / ("metrics_" + "".join(c if c.isalnum() or c in "-" else "_" for c in self.name))


def evaluate(folder: Path, evaluator: Evaluator, model: Model, chosen: ScanSet) -> Evaluation:
    """Return the evaluation of a model on a set of scans, which is read from `folder` if it is stored there."""
    known = recall(folder, model, chosen)
    if known is not None:
        return known
    evaluation = evaluator.evaluate(model, chosen.scans, chosen.stem(folder))
    remember(folder, model, chosen, evaluation)
    return evaluation


def remember(folder: Path, model: Model, chosen: ScanSet, evaluation: Evaluation) -> None:
    """Store an evaluation in a folder, with everything that it depends on."""
    stem = chosen.stem(folder)
    write_table(stem.with_suffix(".csv"), evaluation.table)
    write_json(stem.with_suffix(".json"), _key(model, chosen) | {"masks": [str(path) for path in evaluation.masks]})


def recall(folder: Path, model: Model, chosen: ScanSet) -> Evaluation | None:
    """Return the stored evaluation if it is of the same weights and scans, otherwise None."""
    stem = chosen.stem(folder)
    if not stem.with_suffix(".json").is_file() or not stem.with_suffix(".csv").is_file():
        return None
    content = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    masks = tuple(Path(path) for path in content.pop("masks"))
    if content != _key(model, chosen) or not all(path.is_file() for path in masks):
        return None
    rows = [row for row in read_rows(stem.with_suffix(".csv"), delimiter=",") if row["statistic"] == "value"]
    table = Table(tuple({key: value if key in KEYS else float(value) for key, value in row.items()} for row in rows))
    return Evaluation(tuple(chosen.scans), table, masks)


def _key(model: Model, chosen: ScanSet) -> dict[str, Any]:
    """Return everything that an evaluation depends on: the weights, the localizer, and the content of scans and masks."""
    files = {str(path): file_sha256(path) for scan in chosen.scans for path in (scan.image, *scan.all_masks) if path.is_file()}
    return {"model": model.sha256, "localizer": chosen.localizer, "files": files}
