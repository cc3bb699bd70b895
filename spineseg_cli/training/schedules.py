"""Schedules of the learning rate.

A schedule is a function of a `Span` and of its options: see `training.choices.SCHEDULES`. It returns a learning rate for a
Keras optimizer (a number, or a Keras schedule that counts steps), or an object with a method `of_epoch` that computes the rate
of an epoch from the validation losses of the epochs before.
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
    """The phase of a run that a schedule covers."""

    rate: float  # the highest rate of the phase
    # The number of epochs in the phase, and of steps in an epoch.
    epochs: int
    steps_per_epoch: int
    first_rate: float  # the highest rate of the first phase


class BySteps(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that is a function of the optimizer's step."""

    def __init__(self, rate_at: Callable):
        self.rate_at = rate_at

    def __call__(self, step):
        """Return the rate at a step, a scalar."""
        return self.rate_at(step)


def poly(span: Span, power: float = 0.9, per: str = "step") -> BySteps:
    """Return ``rate (1 - n / total)^power``, which falls to 0 over the phase: Chen et al., DeepLab (arXiv:1606.00915).

    n counts steps or, as in Perone et al. 2018, epochs.
    """
    hold = span.steps_per_epoch if per == "epoch" else 1
    total = span.epochs * span.steps_per_epoch // hold
    return BySteps(lambda step: span.rate * ops.maximum(1 - ops.floor(ops.cast(step, "float32") / hold) / total, 0.0) ** power)


def constant(span: Span) -> float:
    """Return the highest rate of the phase."""
    return span.rate


def triangular(span: Span, lowest: float = 1e-5, half_cycle: int = 2, per: str = "epoch") -> BySteps:
    """Return ``lowest + (rate - lowest) (1 - |n mod 2h - h| / h)``, which rises and falls in h steps or epochs each.

    Smith. Cyclical learning rates for training neural networks. WACV 2017 (arXiv:1506.01186). Bueno et al. 2022 use it between
    1e-5 and 1e-3. In a second phase, `lowest` is scaled by the ratio of the phase's rate to that of the first phase.
    """
    half = half_cycle * (span.steps_per_epoch if per == "epoch" else 1)
    low = lowest * (span.rate / span.first_rate if span.first_rate else 1)
    return BySteps(lambda step: low + (span.rate - low) * (1 - ops.abs(ops.cast(step % (2 * half), "float32") - half) / half))


def exponential(lowest: float, highest: float, total: int) -> BySteps:
    """Return ``lowest (highest / lowest)^(n / (total - 1))``, which reaches `highest` in the last of `total` steps."""
    last = max(total - 1, 1)
    return BySteps(lambda step: lowest * (highest / lowest) ** (ops.cast(step, "float32") / last))


class ReduceOnPlateau:
    """A rate that is multiplied by `factor` whenever the validation loss has not decreased for `patience` epochs.

    It depends only on the losses, so that a resumed run has the same rate as an uninterrupted one.
    """

    def __init__(self, span: Span, factor: float = 0.5, patience: int = 10):
        self.rate, self.factor, self.patience = span.rate, factor, patience

    def of_epoch(self, losses: Iterable[float]) -> float:
        """Return the rate of the epoch after these validation losses, the first of which is only a reference."""
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
    """Return the rate of the epoch after these validation losses, None if the schedule does not depend on them."""
    return schedule.of_epoch(losses) if hasattr(schedule, "of_epoch") else None
