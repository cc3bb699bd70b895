"""The poly schedule of the learning rate."""

from __future__ import annotations

import keras
from keras import ops

from spineseg_cli.training.recipe import Recipe


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


def poly_schedule(recipe: Recipe) -> Poly:
    """Return the schedule that a recipe asks for."""
    if recipe.decay_by == "epoch":
        return Poly(recipe.learning_rate, recipe.epochs, recipe.decay_power, recipe.steps)
    return Poly(recipe.learning_rate, recipe.epochs * recipe.steps, recipe.decay_power)
