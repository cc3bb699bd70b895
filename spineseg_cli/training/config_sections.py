"""The sections of a training configuration about the optimization of a network; see `training.config`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, StrictBool, model_validator

from spineseg_cli.training.choices import FROZEN, PRECISIONS, REINITIALIZED, SUBNETWORKS
from spineseg_cli.training.config_types import Metric, Probability, Schedule, Section


class Optimizer(Section):
    """The options of the optimizer, which is Adam."""

    learning_rate: NonNegativeFloat = 1e-3
    # The schedule of the learning rate: a name in `training.choices.SCHEDULES`, and its options.
    schedule: Schedule = Field(default="poly", validate_default=True)
    # The number of crops in a batch, of batches in an epoch, and of epochs.
    batch_size: PositiveInt = 16
    steps_per_epoch: PositiveInt = 100
    epochs: PositiveInt = 10
    # If above 0, the run ends with the mean of the weights after this number of last epochs; otherwise with the weights of the
    # best epoch, or of the last one without validation.
    averaged_epochs: NonNegativeInt = 0
    # The fraction of the initial weights in the final weights, which keeps what fine-tuning would unlearn about scans unlike the
    # training scans (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022, arXiv:2109.01903).
    start_share: Probability = 0.0
    precision: Literal[PRECISIONS] = "float32"
    # The number of GPUs that a batch is distributed over; it may change when a run is resumed.
    gpus: PositiveInt | Literal["all"] = 1

    @property
    def in_words(self) -> str:
        """The size of an epoch, in words."""
        return f"{self.steps_per_epoch} batches of {self.batch_size}"


@dataclass(frozen=True)
class Phase:
    """A phase of a run, in which the same subnetworks are trained."""

    frozen: tuple[str, ...]  # subnetworks that are not trained, names in `training.choices.SUBNETWORKS`
    learning_rate: float
    epochs: int


class SecondPhase(Section):
    """The second of two phases. It starts from the best weights of the first, and trains the whole network except for `freeze`.

    De Broux. Segmentation of the lumbosacral spinal cord by fine-tuning. Polytechnique Montreal, 2021: network surgery at a rate
    of 1e-3 with the rest frozen, then all of the network, or all but its encoder or decoder, at 1e-5.
    """

    freeze: Literal[FROZEN] | None = None
    learning_rate: NonNegativeFloat = 1e-5
    epochs: PositiveInt | None = None


class Surgery(Section):
    """The subnetworks that are reinitialized, and those that are frozen."""

    # The subnetworks that start untrained, a name in `training.choices.REINITIALIZED`.
    reinitialize: Literal[tuple(REINITIALIZED)] | None = None
    freeze: Literal[FROZEN] | None = None  # the subnetwork that is not trained
    second_phase: SecondPhase | None = None  # if it is given, the first phase trains only the reinitialized subnetworks

    @model_validator(mode="after")
    def _check(self):
        if self.freeze and self.reinitialize and self.freeze in REINITIALIZED[self.reinitialize]:
            raise ValueError(f"reinitialize {self.reinitialize} and freeze {self.freeze} would leave layers untrained for ever")
        if self.second_phase and not self.reinitialize:
            raise ValueError("a second_phase needs a part of the network to reinitialize")
        if self.second_phase and self.freeze:
            raise ValueError("leave out freeze: second_phase says what is frozen")
        return self

    @property
    def frozen_at_first(self) -> tuple[str, ...]:
        """The subnetworks that are frozen in the first phase."""
        if self.second_phase is None:
            return (self.freeze,) if self.freeze else ()
        return tuple(part for part in SUBNETWORKS if part not in REINITIALIZED[self.reinitialize or "all"])


class EarlyStopping(Section):
    """The criterion for ending a phase before its last epoch."""

    patience: PositiveInt  # the number of successive epochs without improvement after which the phase ends
    min_delta: NonNegativeFloat = 0.0  # the smallest change that counts as an improvement
    # The value that must improve: the criterion for the best epoch, or the validation loss.
    monitor: Literal["selection", "loss"] = "selection"


class Validation(Section):
    """How the best epoch is chosen, and when training stops."""

    subjects: tuple[str, ...] = ()  # The names of subjects that are not trained on. `finetune` draws them.
    # The criterion for the best epoch: the primary metric of the task by the complete command on the validation subjects, or the
    # loss on crops of these. Only `finetune`, and `train` with a task, run the command.
    select_by: Literal["command", "crops"] = "crops"
    # Metrics that are computed in addition to the loss, names in `training.choices.TRAINING_METRICS`.
    metrics: tuple[Metric, ...] = ("dice",)
    early_stopping: EarlyStopping | None = None  # the criterion for ending a phase early
    include_initial_weights: StrictBool = True  # whether the initial weights may be chosen as the best epoch

    @model_validator(mode="after")
    def _check(self):
        if len(set(self.metrics)) < len(self.metrics):
            raise ValueError("expected each of the metrics once")
        if self.early_stopping and not self.subjects:
            raise ValueError("early_stopping needs validation subjects")
        return self
