"""Schedules of the learning rate. Those that count steps are Keras'; halving looks at the epochs that have ended."""

from __future__ import annotations

from collections.abc import Iterable

import keras
from keras import ops

from spineseg_cli.training.configs.recipe import Recipe
from spineseg_cli.training.phases import Phase, schedule_of


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


def halved(rate: float, losses: Iterable[float], factor: float = 0.5, patience: int = 10) -> float:
    """Return a rate after epochs with these validation losses: times `factor` each time that `patience` epochs were no better.

    It depends on the losses alone, so that a run that is resumed learns at the rate of one that was never stopped. The first
    loss is what the next is measured against.
    """
    lowest, waited = float("inf"), 0
    for loss in losses:
        if loss < lowest:
            lowest, waited = loss, 0
        else:
            waited += 1
        if waited == patience:
            rate, waited = rate * factor, 0
    return rate


def rate_at_start(recipe: Recipe, phase: Phase) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return what an optimizer takes for a phase: a schedule, or a number where it is constant or halved between epochs."""
    options, rate = schedule_of(recipe), phase.learning_rate
    if options["name"] == "poly":
        by_epoch = recipe.decay_by == "epoch"
        total, hold = (phase.epochs, recipe.steps) if by_epoch else (phase.epochs * recipe.steps, 1)
        return Poly(rate, total, recipe.decay_power, hold)
    if options["name"] == "triangular":
        # A second phase has both ends in the same ratio.
        lowest = options["lowest"] * (rate / recipe.learning_rate if recipe.learning_rate else 1)
        return Triangular(lowest, rate, options["half_cycle"] * (recipe.steps if options["by"] == "epoch" else 1))
    return rate


def rate_of_epoch(recipe: Recipe, phase: Phase, losses: Iterable[float]) -> float | None:
    """Return the rate of an epoch that comes after these validation losses; None if the optimizer's schedule knows it."""
    options = schedule_of(recipe)
    if options["name"] != "halve":
        return None
    return halved(phase.learning_rate, losses, options["factor"], options["patience"])
