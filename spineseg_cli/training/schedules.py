"""Schedules of the learning rate.

A schedule is a function of a `Span` and of its options: see `training.choices.SCHEDULES`. It returns what a Keras optimizer
takes, a number or a Keras schedule that counts steps; or an object with a method `of_epoch`, which sees how the epochs before
went.
"""

from __future__ import annotations

from collections.abc import Iterable
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

    def steps(self, count: int, per: str) -> int:
        """Return so many steps, or epochs, in steps."""
        return count * (self.steps_per_epoch if per == "epoch" else 1)


@keras.saving.register_keras_serializable(package="spineseg")
class Poly(keras.optimizers.schedules.LearningRateSchedule):
    """``rate (1 - n / total)^power``, where n counts blocks of `hold` steps: Chen et al., DeepLab (arXiv:1606.00915).

    Parameters
    ----------
    rate : float
        At the start.
    total : int
        Blocks after which it is 0.
    power : float
        0 keeps the rate as it is.
    hold : int
        Steps of the optimizer that share a rate: 1, or an epoch's, as Perone et al. 2018 count.
    """

    def __init__(self, rate: float, total: int, power: float = 0.9, hold: int = 1):
        self.rate, self.total, self.power, self.hold = rate, total, power, hold

    def __call__(self, step):
        """Return the rate at a step of the optimizer, a scalar."""
        blocks = ops.floor(ops.cast(step, "float32") / self.hold)
        return self.rate * ops.maximum(1 - blocks / self.total, 0.0) ** self.power

    def get_config(self) -> dict:
        """Return what rebuilds this schedule."""
        return {"rate": self.rate, "total": self.total, "power": self.power, "hold": self.hold}


@keras.saving.register_keras_serializable(package="spineseg")
class Triangular(keras.optimizers.schedules.LearningRateSchedule):
    """``lowest + (highest - lowest) (1 - |n mod 2h - h| / h)``: up and down, each in h steps.

    Smith. Cyclical learning rates for training neural networks. WACV 2017 (arXiv:1506.01186). Bueno et al. 2022 train by it
    between 1e-5 and 1e-3.

    Parameters
    ----------
    lowest, highest : float
        At step 0, and at step h.
    half_cycle : int
        h, steps.
    """

    def __init__(self, lowest: float, highest: float, half_cycle: int):
        self.lowest, self.highest, self.half_cycle = lowest, highest, half_cycle

    def __call__(self, step):
        """Return the rate at a step of the optimizer, a scalar."""
        half = self.half_cycle
        height = 1 - ops.abs(ops.cast(step % (2 * half), "float32") - half) / half
        return self.lowest + (self.highest - self.lowest) * height

    def get_config(self) -> dict:
        """Return what rebuilds this schedule."""
        return {"lowest": self.lowest, "highest": self.highest, "half_cycle": self.half_cycle}


@keras.saving.register_keras_serializable(package="spineseg")
class Exponential(keras.optimizers.schedules.LearningRateSchedule):
    """``lowest (highest / lowest)^(n / (total - 1))``: up to `highest` at the last of `total` steps, for a range test."""

    def __init__(self, lowest: float, highest: float, total: int):
        self.lowest, self.highest, self.total = lowest, highest, total

    def __call__(self, step):
        """Return the rate at a step of the optimizer, a scalar."""
        share = ops.cast(step, "float32") / max(self.total - 1, 1)
        return self.lowest * (self.highest / self.lowest) ** share

    def get_config(self) -> dict:
        """Return what rebuilds this schedule."""
        return {"lowest": self.lowest, "highest": self.highest, "total": self.total}


def poly(span: Span, power: float = 0.9, per: str = "step") -> Poly:
    """Return a `Poly` that falls to 0 over the phase, in each step or in each epoch."""
    hold = span.steps_per_epoch if per == "epoch" else 1
    return Poly(span.rate, span.epochs * span.steps_per_epoch // hold, power, hold)


def constant(span: Span) -> float:
    """Return the rate itself."""
    return span.rate


def triangular(span: Span, lowest: float = 1e-5, half_cycle: int = 2, per: str = "epoch") -> Triangular:
    """Return a `Triangular`; in a second phase, both ends are in the ratio of its rate to that of the first."""
    ratio = span.rate / span.first_rate if span.first_rate else 1
    return Triangular(lowest * ratio, span.rate, span.steps(half_cycle, per))


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
