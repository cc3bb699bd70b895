"""The sections of a training configuration that say how a network is trained; see `training.config`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    StrictBool,
    model_validator,
)

from spineseg_cli.training.choices import (
    FROZEN,
    PRECISIONS,
    REINITIALIZED,
    SELECTED_BY,
    SUBNETWORKS,
)
from spineseg_cli.training.config_types import (
    Metric,
    Probability,
    Schedule,
    Section,
)


class Optimizer(Section):
    """How long, how fast and on what a network is trained; the optimizer is Adam.

    Parameters
    ----------
    learning_rate : float
        The highest.
    schedule : NamedOptions
        How it changes: a name of `training.choices.SCHEDULES` and its options.
    averaged_epochs : int
        The run ends with the mean of the weights at the ends of so many of its last epochs; 0 for the weights of the best, or the
        last, epoch.
    start_share : float
        The share, in the weights that the run ends with, of those that it starts from: what fine-tuning unlearns on scans unlike
        those trained on is kept so (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022, arXiv:2109.01903).
    precision : str
        Of activations.
    gpus : int or "all"
        On how many GPUs a batch is spread; a run may go on with another number of them.
    """

    learning_rate: NonNegativeFloat = 1e-3
    schedule: Schedule = Field(default="poly", validate_default=True)
    batch_size: PositiveInt = 16
    steps_per_epoch: PositiveInt = 100
    epochs: PositiveInt = 10
    averaged_epochs: NonNegativeInt = 0
    start_share: Probability = 0.0
    precision: Literal[PRECISIONS] = "float32"
    gpus: PositiveInt | Literal["all"] = 1

    @property
    def in_words(self) -> str:
        """The size of an epoch."""
        return f"{self.steps_per_epoch} batches of {self.batch_size}"


@dataclass(frozen=True)
class Phase:
    """Epochs in which the same subnetworks are trained.

    Parameters
    ----------
    frozen : tuple of str
        Subnetworks that stay as they are, of `training.choices.SUBNETWORKS`.
    learning_rate : float
        The highest.
    epochs : int
        At most.
    """

    frozen: tuple[str, ...]
    learning_rate: float
    epochs: int


class SecondPhase(Section):
    """The second of two phases, from the best weights of the first, in which all of the network is trained but what is frozen.

    De Broux. Segmentation of the lumbosacral spinal cord by fine-tuning. Polytechnique Montreal, 2021: network surgery at a rate
    of 1e-3 with the rest frozen, then all of the network, or all but its encoder or decoder, at 1e-5.
    """

    freeze: Literal[FROZEN] | None = None
    learning_rate: NonNegativeFloat = 1e-5
    epochs: PositiveInt | None = None


class Surgery(Section):
    """Which subnetworks of the network start untrained, and which stay as they are.

    Parameters
    ----------
    reinitialize : str, optional
        Of `training.choices.REINITIALIZED`.
    freeze : {"encoder", "decoder"}, optional
    second_phase : SecondPhase, optional
        With it, the first phase trains what was reinitialized, all else frozen.
    """

    reinitialize: Literal[tuple(REINITIALIZED)] | None = None
    freeze: Literal[FROZEN] | None = None
    second_phase: SecondPhase | None = None

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
    """When a phase ends before its last epoch.

    Parameters
    ----------
    patience : int
        After so many epochs that are not better than the last good one.
    min_delta : float
        What counts as better.
    monitor : {"selection", "loss"}
        What is watched: what chooses the best epoch, or the validation loss.
    """

    patience: PositiveInt
    min_delta: NonNegativeFloat = 0.0
    monitor: Literal["selection", "loss"] = "selection"


class Validation(Section):
    """What says which epoch is the best, and when to stop.

    Parameters
    ----------
    subjects : sequence of str
        Whole subjects, by name, that are not trained on. `finetune` draws them.
    select_by : {"command", "crops"}
        The best epoch is that of the best primary metric of the task, by the complete command on the validation subjects, or
        of the lowest loss on crops of them. Only `finetune` runs the command.
    metrics : sequence of str
        What is watched beside the loss, of `training.choices.TRAINING_METRICS`.
    include_initial_weights : bool
        The weights that a run starts from may be its best epoch. False compares what training alone gives.
    """

    subjects: tuple[str, ...] = ()
    select_by: Literal[SELECTED_BY] = "crops"
    metrics: tuple[Metric, ...] = ("dice",)
    early_stopping: EarlyStopping | None = None
    include_initial_weights: StrictBool = True

    @model_validator(mode="after")
    def _check(self):
        if len(set(self.metrics)) < len(self.metrics):
            raise ValueError("expected each of the metrics once")
        if self.early_stopping and not self.subjects:
            raise ValueError("early_stopping needs validation subjects")
        return self
