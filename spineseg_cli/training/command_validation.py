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
    start : Model or None
        The weights that training starts from.
    device : {"auto", "cpu", "gpu"}
    localize : function, optional
        What finds the cord in the scans; by default, what the command takes by itself.
    """

    task: Task
    config: TrainingConfig
    scans: Sequence[LabeledScan]
    start: Model | None
    device: str = "auto"
    localize: Localize | None = None

    def of_start(self) -> dict[str, float]:
        """Return it of the weights that the run starts from, with their own thresholds."""
        assert self.start is not None  # untrained weights are not validated
        return self._of(self.start.predictor(self.device, overlap=self.config.sampling.patch_overlap))

    def of_network(self, network: Any) -> dict[str, float]:
        """Return it of a network, a `keras.Model` that is not compiled."""
        config = self.config
        return self._of(
            Predictor(
                config.name,
                "",
                config.outputs,
                config.inference,
                lambda: TensorFlowRuntime(lambda: network, self.device),
                device=self.device,
                overlap=config.sampling.patch_overlap,
            )
        )

    def _of(self, predictor: Predictor) -> dict[str, float]:
        primary = self.task.metrics.primary
        return {f"val_{primary}": evaluate_scans(self.task, predictor, self.scans, None, self.localize).mean(primary)}
