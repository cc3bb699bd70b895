"""The validation of a training by the complete command, and what it means for the best epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.runtime import TensorFlowRuntime
from spineseg_cli.tasks.task import Task
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.data.labeled_scans import LabeledScan
from spineseg_cli.training.evaluation import Localize, evaluate_scans
from spineseg_cli.training.run import LOSS
from spineseg_cli.training.state import Selection
from spineseg_cli.weights.model import Model


def selection_of(config: TrainingConfig, task: Task | None) -> Selection:
    """Return what chooses the best epoch: the primary metric of the task by the complete command, or the loss on crops."""
    if config.validation.select_by == "crops" or task is None:
        return LOSS
    metrics = task.metrics
    return Selection(f"val_{metrics.primary}", not metrics.criteria[metrics.primary].lower_is_better)


@dataclass(frozen=True)
class CommandValidation:
    """The primary metric of a task on labeled scans, by the complete command, as a column of the history.

    Parameters
    ----------
    task : Task
    config : TrainingConfig
    scans : sequence of LabeledScan
        Of the validation subjects.
    known : sequence of LabeledScan
        Of all subjects that the gain over the start is judged by at the end: those trained on too, where they are few.
    start : Model or None
        The weights that training starts from.
    device : {"auto", "cpu", "gpu"}
    localize : function, optional
        What finds the cord in the scans; by default, what the command takes by itself.
    """

    task: Task
    config: TrainingConfig
    scans: Sequence[LabeledScan]
    known: Sequence[LabeledScan]
    start: Model | None
    device: str = "auto"
    localize: Localize | None = None

    def of_start(self) -> dict[str, float]:
        """Return it of the weights that the run starts from, with their own thresholds."""
        return self._of(self._start())

    def of_network(self, network: Any) -> dict[str, float]:
        """Return it of a network, a `keras.Model` that is not compiled."""
        return self._of(self._predictor(network))

    def gains(self, network: Any) -> list[float]:
        """Return how much better a network is than the start, for each subject that is known."""
        primary = self.task.metrics.primary
        before, after = (
            evaluate_scans(self.task, predictor, self.known, None, self.localize).by_subject(primary)
            for predictor in (self._start(), self._predictor(network))
        )
        sign = -1 if self.task.metrics.criteria[primary].lower_is_better else 1
        return [sign * (after[subject] - before[subject]) for subject in before]

    def _of(self, predictor: Predictor) -> dict[str, float]:
        primary = self.task.metrics.primary
        return {f"val_{primary}": evaluate_scans(self.task, predictor, self.scans, None, self.localize).mean(primary)}

    def _start(self) -> Predictor:
        assert self.start is not None  # untrained weights are not validated
        return self.start.predictor(self.device, overlap=self.config.sampling.patch_overlap)

    def _predictor(self, network: Any) -> Predictor:
        config = self.config
        return Predictor(
            config.name,
            "",
            config.outputs,
            config.inference,
            lambda: TensorFlowRuntime(lambda: network, self.device),
            device=self.device,
            overlap=config.sampling.patch_overlap,
        )
