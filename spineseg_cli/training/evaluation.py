"""Weights judged by the complete command on labeled scans: a mask of each scan, and every metric against its references."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

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

# What finds the cord in a labeled scan.
Localize = Callable[[LabeledScan], Localizer]


@dataclass(frozen=True)
class Evaluation:
    """What weights give on labeled scans.

    Parameters
    ----------
    table : Table
        Every metric of each scan, scan by scan.
    masks : tuple of Path
        The file of each scan's mask; empty if they were not written.
    """

    scans: tuple[LabeledScan, ...] = ()
    table: Table = Table(())
    masks: tuple[Path, ...] = ()

    @property
    def subjects(self) -> list[str]:
        """The subject of each scan."""
        return [scan.subject for scan in self.scans]

    def mean(self, metric: str) -> float:
        """Return the mean of a metric over subjects, each subject's scans averaged first; NaN if none is finite."""
        values = [value for value in self.by_subject(metric).values() if np.isfinite(value)]
        return float(np.mean(values)) if values else float("nan")

    def by_subject(self, metric: str) -> dict[str, float]:
        """Return the mean of a metric over each subject's scans."""
        return self.table.by_subject(self.subjects, metric)


class Weights(Protocol):
    """What can be judged: a `Model`, or a network that is being trained."""

    def predictor(self, device: str = "auto", *, overlap: float = 0.5) -> Predictor:
        """Return the network, ready to use, on a device and with so much overlap of the patches of a 3-D one."""


@dataclass(frozen=True)
class NetworkInTraining:
    """A network that is being trained, as the command would use it.

    Parameters
    ----------
    network : keras.Model
        Not compiled.
    """

    network: Any
    config: TrainingConfig

    def predictor(self, device: str = "auto", *, overlap: float = 0.5) -> Predictor:
        """Return the network, ready to use; see `Weights`."""
        config = self.config
        runtime = partial(TensorFlowRuntime, lambda: self.network, device)
        return Predictor(config.name, "", config.outputs, config.inference, runtime, device=device, overlap=overlap)


@dataclass(frozen=True)
class Evaluator:
    """The complete command of a task, by which weights are judged.

    Parameters
    ----------
    device : {"auto", "cpu", "gpu"}
        The device that networks run on.
    overlap : float
        The overlap of neighboring patches of a 3-D network, as a fraction of their length.
    localize : function, optional
        What finds the cord in the scans; by default, what the task's command takes by itself.
    """

    task: Task
    device: str = "auto"
    overlap: float = 0.5
    localize: Localize | None = None

    def evaluate(
        self, weights: Weights, scans: Sequence[LabeledScan], files: Callable[[int, LabeledScan], Path] | None = None
    ) -> Evaluation:
        """Return what weights give on labeled scans.

        Parameters
        ----------
        files : function, optional
            Returns the file that a mask is written to, by the scan's number, from 1, and the scan; none is written by default.
        """
        task, localize = self.task, self.localize
        predictor = weights.predictor(self.device, overlap=self.overlap)
        if localize is None:
            usual = task.localizer(predictor)
            localize = lambda _scan: usual  # noqa: E731
        rows, paths = [], []
        for number, scan in enumerate(scans, start=1):
            result = task.predict(read_volume(scan.image), predictor, localize(scan))
            name = str(scan.image)
            if files:
                paths.append(files(number, scan))
                write_volume(paths[-1], result.mask, np.uint8)
                name = str(paths[-1])
            references = scan.masks_of(task.label)
            volumes = [read_volume(path, kind="mask") for path in references]
            rows += task.evaluate(name, result, [str(path) for path in references], volumes)
        return Evaluation(tuple(scans), Table(tuple(rows), task.metrics.columns), tuple(paths))


@dataclass(frozen=True)
class CommandValidation:
    """The primary metric of a task on labeled scans, by the complete command, as a column of the history.

    Parameters
    ----------
    start : Model or None
        The weights that training starts from.
    scans : sequence of LabeledScan
        Of the validation subjects.
    known : sequence of LabeledScan
        Of all subjects that the gain over the start is judged by at the end: those trained on too, where they are few.
    """

    evaluator: Evaluator
    config: TrainingConfig
    start: Model | None
    scans: Sequence[LabeledScan]
    known: Sequence[LabeledScan]

    def column(self, network: Any = None) -> dict[str, float]:
        """Return it, by its name, of a network, a `keras.Model` that is not compiled; by default, of the start."""
        primary = self.evaluator.task.metrics.primary
        weights = self._weights(network)
        return {f"val_{primary}": self.evaluator.evaluate(weights, self.scans).mean(primary)}

    def gains(self, network: Any) -> list[float]:
        """Return how much better a network is than the start, for each subject that is known."""
        metrics = self.evaluator.task.metrics
        before, after = (
            self.evaluator.evaluate(self._weights(one), self.known).by_subject(metrics.primary) for one in (None, network)
        )
        sign = -1 if metrics.criteria[metrics.primary].lower_is_better else 1
        return [sign * (after[subject] - before[subject]) for subject in before]

    def _weights(self, network: Any) -> Weights:
        """Return a network as weights to judge; without one, the start, which has thresholds of its own."""
        if network is not None:
            return NetworkInTraining(network, self.config)
        assert self.start is not None  # untrained weights are not validated
        return self.start
