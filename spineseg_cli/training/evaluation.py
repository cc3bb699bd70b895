"""Evaluation of weights by the complete command of a task on labeled scans: a mask of each scan and all its metrics."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.runtime import TensorFlowRuntime
from spineseg_cli.core.localization.localizer import Localizer
from spineseg_cli.metrics.table import Table
from spineseg_cli.tasks.task import Task
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.data.labeled_scans import LabeledScan
from spineseg_cli.weights.model import Model

# Returns the localizer for a labeled scan.
Localize = Callable[[LabeledScan], Localizer]


@dataclass(frozen=True)
class Evaluation:
    """The result of weights on labeled scans."""

    scans: tuple[LabeledScan, ...] = ()
    table: Table = Table(())  # all metrics, scan by scan
    masks: tuple[Path, ...] = ()  # the mask of each scan; empty if masks were not written

    @property
    def subjects(self) -> list[str]:
        """The subject of each scan."""
        return [scan.subject for scan in self.scans]

    def mean(self, metric: str) -> float:
        """Return the mean of a metric over subjects, after averaging over the scans of each; NaN if no value is finite."""
        values = [value for value in self.by_subject(metric).values() if np.isfinite(value)]
        return float(np.mean(values)) if values else float("nan")

    def by_subject(self, metric: str) -> dict[str, float]:
        """Return the mean of a metric over the scans of each subject."""
        return self.table.by_subject(self.subjects, metric)


@dataclass(frozen=True)
class NetworkInTraining:
    """A network in training, a `keras.Model` that is not compiled, in the form in which the command uses it."""

    network: Any
    config: TrainingConfig

    def predictor(self, device: str = "auto", *, overlap: float = 0.5) -> Predictor:
        """Return the network ready for use on a device, as `Model.predictor` does."""
        config = self.config
        runtime = partial(TensorFlowRuntime, lambda: self.network, device)
        return Predictor(config.name, "", config.outputs, config.inference, runtime, device=device, overlap=overlap)


@dataclass(frozen=True)
class Evaluator:
    """Evaluates weights by the complete command of a task."""

    task: Task
    device: str = "auto"
    overlap: float = 0.5  # the overlap of neighboring patches of a 3-D network, as a fraction of their length
    localize: Localize | None = None  # returns the localizer for a scan; by default, the localizer of the command is used

    def evaluate(
        self, weights: Model | NetworkInTraining, scans: Sequence[LabeledScan], folder: Path | None = None, suffix: str = ""
    ) -> Evaluation:
        """Return the result of weights on labeled scans; with a `folder`, masks are written there: 01_IMAGE`suffix`.nii.gz."""
        task, predictor = self.task, weights.predictor(self.device, overlap=self.overlap)
        localizers = map(self.localize, scans) if self.localize else itertools.repeat(task.localizer(predictor))
        rows, paths = [], []
        for number, (scan, localizer) in enumerate(zip(scans, localizers, strict=False), start=1):
            result = task.predict(read_volume(scan.image), predictor, localizer)
            name = str(scan.image)
            if folder:
                paths.append(folder / f"{number:02d}_{scan.image.name.split('.')[0]}{suffix}.nii.gz")
                write_volume(paths[-1], result.mask, np.uint8)
                name = str(paths[-1])
            references = scan.masks_of(task.label)
            volumes = [read_volume(path, kind="mask") for path in references]
            rows += task.evaluate(name, result, [str(path) for path in references], volumes)
        return Evaluation(tuple(scans), Table(tuple(rows), task.metrics.columns), tuple(paths))


@dataclass(frozen=True)
class CommandValidation:
    """The validation of a network on `scans` by the primary metric of a task and the complete command."""

    evaluator: Evaluator
    config: TrainingConfig
    start: Model | None
    scans: Sequence[LabeledScan]
    # The scans by which the final gain over the initial weights is judged: those of the validation and the training subjects.
    known: Sequence[LabeledScan]

    def column(self, network: Any = None) -> dict[str, float]:
        """Return the metric of a network (a `keras.Model` that is not compiled; by default the initial weights) as a column.

        The result maps the name of the column in the history to its value.
        """
        primary = self.evaluator.task.metrics.primary
        weights = self._weights(network)
        return {f"val_{primary}": self.evaluator.evaluate(weights, self.scans).mean(primary)}

    def gains(self, network: Any) -> list[float]:
        """Return the improvement of a network over the initial weights for each known subject."""
        metrics = self.evaluator.task.metrics
        before, after = (
            self.evaluator.evaluate(self._weights(one), self.known).by_subject(metrics.primary) for one in (None, network)
        )
        sign = -1 if metrics.criteria[metrics.primary].lower_is_better else 1
        return [sign * (after[subject] - before[subject]) for subject in before]

    def _weights(self, network: Any) -> Model | NetworkInTraining:
        """Return a network, or without one the initial weights, which have their own thresholds, in a form to evaluate."""
        if network is not None:
            return NetworkInTraining(network, self.config)
        assert self.start is not None  # untrained weights are not validated
        return self.start
