"""Schedules of the learning rate.

A schedule is a function of a `Span` and of its options: see `training.choices.SCHEDULES`. It returns what a Keras optimizer
takes, a number or a Keras schedule that counts steps; or an object with a method `of_epoch`, which sees how the epochs before
went.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from spineseg_cli.training.choices import SCHEDULES
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.config_sections import Phase


@dataclass(frozen=True)
class Span:
    """What a schedule covers: one phase of a run.

    Parameters
    ----------
    rate : float
        The highest of the phase.
    first_rate : float
        The highest of the first phase.
    """

    rate: float
    epochs: int
    steps_per_epoch: int
    first_rate: float


class BySteps(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that is a function of the optimizer's step."""

    def __init__(self, rate_at: Callable):
        self.rate_at = rate_at

    def __call__(self, step):
        """Return the rate at a step, a scalar."""
        return self.rate_at(step)


def poly(span: Span, power: float = 0.9, per: str = "step") -> BySteps:
    """Return ``rate (1 - n / total)^power``, falling to 0 over the phase: Chen et al., DeepLab (arXiv:1606.00915).

    n counts steps, or, as Perone et al. 2018 do, epochs.
    """
    hold = span.steps_per_epoch if per == "epoch" else 1
    total = span.epochs * span.steps_per_epoch // hold
    return BySteps(lambda step: span.rate * ops.maximum(1 - ops.floor(ops.cast(step, "float32") / hold) / total, 0.0) ** power)


def constant(span: Span) -> float:
    """Return the rate itself."""
    return span.rate


def triangular(span: Span, lowest: float = 1e-5, half_cycle: int = 2, per: str = "epoch") -> BySteps:
    """Return ``lowest + (rate - lowest) (1 - |n mod 2h - h| / h)``: up and down, each in h steps or epochs.

    Smith. Cyclical learning rates for training neural networks. WACV 2017 (arXiv:1506.01186). Bueno et al. 2022 train by it
    between 1e-5 and 1e-3. In a second phase, both ends are in the ratio of its rate to that of the first.
    """
    half = half_cycle * (span.steps_per_epoch if per == "epoch" else 1)
    low = lowest * (span.rate / span.first_rate if span.first_rate else 1)
    return BySteps(lambda step: low + (span.rate - low) * (1 - ops.abs(ops.cast(step % (2 * half), "float32") - half) / half))


def exponential(lowest: float, highest: float, total: int) -> BySteps:
    """Return ``lowest (highest / lowest)^(n / (total - 1))``: up to `highest` at the last of `total` steps, for a range test."""
    last = max(total - 1, 1)
    return BySteps(lambda step: lowest * (highest / lowest) ** (ops.cast(step, "float32") / last))


class ReduceOnPlateau:
    """The rate times `factor` each time that `patience` epochs had no lower validation loss.

    It depends on the losses alone, so that a run that is resumed learns at the rate of one that was never stopped.
    """

    def __init__(self, span: Span, factor: float = 0.5, patience: int = 10):
        self.rate, self.factor, self.patience = span.rate, factor, patience

    def of_epoch(self, losses: Iterable[float]) -> float:
        """Return the rate of an epoch after these validation losses; the first is what the next is measured against."""
        rate, lowest, waited = self.rate, float("inf"), 0
        for loss in losses:
            if loss < lowest:
                lowest, waited = loss, 0
            else:
                waited += 1
            if waited == self.patience:
                rate, waited = rate * self.factor, 0
        return rate


def build_schedule(config: TrainingConfig, phase: Phase):
    """Return the schedule of a phase: a number, a Keras schedule, or an object with `of_epoch`."""
    optimizer = config.optimizer
    span = Span(phase.learning_rate, phase.epochs, optimizer.steps_per_epoch, optimizer.learning_rate)
    return SCHEDULES.load(optimizer.schedule.name)(span, **optimizer.schedule.options)


def rate_of_epoch(schedule: Any, losses: Iterable[float]) -> float | None:
    """Return the rate of an epoch after these validation losses; None if the schedule does not depend on them."""
    return schedule.of_epoch(losses) if hasattr(schedule, "of_epoch") else None
