"""A network while it is trained: made by a recipe, from weights or untrained, and the steps that change it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np

from spineseg_cli.errors import InputError
from spineseg_cli.networks import build_network
from spineseg_cli.networks.inflate import inflate_from_2d
from spineseg_cli.training.configs.recipe import Recipe
from spineseg_cli.training.losses import build_loss
from spineseg_cli.training.phases import Phase
from spineseg_cli.training.progress import ProgressBar
from spineseg_cli.training.replicas import LossScale, ReplicaSteps, replica_count
from spineseg_cli.training.schedule import rate_at_start
from spineseg_cli.training.scores import build_scores
from spineseg_cli.training.surgery import freeze_only, replace_part
from spineseg_cli.weights.model import read_model

# Images and targets.
Crops = tuple[np.ndarray, np.ndarray]


class Trainer:
    """A network, and how a recipe trains it; on every GPU of the strategy around it, if there is one.

    Parameters
    ----------
    recipe : Recipe
    init : Path, optional
        Weights to start from.

    Raises
    ------
    InputError
        If the network has no such options or parts.
    """

    def __init__(self, recipe: Recipe, init: Path | None = None):
        self.recipe = recipe
        self.network = _build(recipe)
        if init is not None:
            _start_from(self.network, init)
        self.given = self.network.get_weights()
        if recipe.surgery:
            replace_part(self.network, recipe.surgery)

    def begin(self, phase: Phase, rate: float | keras.optimizers.schedules.LearningRateSchedule | None = None) -> None:
        """Prepare the network for a phase, with an optimizer that has seen nothing, at the recipe's rate if no other is given."""
        recipe, network = self.recipe, self.network
        freeze_only(network, phase.frozen)
        loss = dict(recipe.loss)
        loss, scores = build_loss(loss.pop("name"), **loss), build_scores(recipe.scores, recipe.outputs)
        optimizer = keras.optimizers.Adam(rate_at_start(recipe, phase) if rate is None else rate)
        if replica_count() == 1:
            network.compile(optimizer=optimizer, loss=loss, metrics=scores)
            self.steps = _OneDeviceSteps(network)
        else:
            optimizer = LossScale(optimizer) if recipe.precision == "mixed_float16" else optimizer
            network.compile(optimizer=optimizer, auto_scale_loss=False)
            self.steps = ReplicaSteps(network, loss, scores, recipe.batch)
        network.optimizer.build(network.trainable_variables)

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return float(keras.ops.convert_to_numpy(self.network.optimizer.learning_rate))

    @rate.setter
    def rate(self, rate: float) -> None:
        self.network.optimizer.learning_rate = rate

    def train_epoch(self, batches: Iterable[Crops], bar: ProgressBar) -> dict[str, float]:
        """Return the loss and the scores, each the mean over the epoch's batches.

        `fit` would take the shape of all batches from the first two, and fail when a third has another size.
        """
        rows = []
        for images, targets in batches:
            rows.append(self.steps.train(images, targets))
            bar.end_step()
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def validate(self, crops: Crops) -> dict[str, float]:
        """Return the loss and the scores on crops, their names begun with "val_"."""
        found = self.steps.evaluate(*crops, self.recipe.batch)
        return {f"val_{name}": value for name, value in found.items()}

    def validate_given(self, crops: Crops) -> dict[str, float]:
        """Return what `validate` does, of the weights to start from, as they were before surgery."""
        own = self.network.get_weights()
        self.network.set_weights(self.given)
        found = self.validate(crops)
        self.network.set_weights(own)
        return found


class _OneDeviceSteps:
    """Steps of training and validation on one device; see `replicas.ReplicaSteps`."""

    def __init__(self, network: keras.Model):
        self.network = network

    def train(self, images: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        self.network.reset_metrics()  # older releases of Keras give the mean since the last reset, newer ones the batch's own
        return self.network.train_on_batch(images, targets, return_dict=True)

    def evaluate(self, images: np.ndarray, targets: np.ndarray, batch: int) -> dict[str, float]:
        return self.network.evaluate(images, targets, batch_size=batch, return_dict=True, verbose=0)


def _build(recipe: Recipe) -> keras.Model:
    keras.mixed_precision.set_global_policy(recipe.precision)
    try:
        return build_network(**recipe.network)
    except TypeError as error:
        raise InputError(f"the recipe {recipe.name} gives its network unknown options: {error}") from error
    finally:
        keras.mixed_precision.set_global_policy("float32")


def _start_from(network: keras.Model, init: Path) -> None:
    """Load weights; those of a 2-D twin are inflated, published ones are read by topology."""
    flat = read_model(init)
    if flat.network.get("dimensions") == 2 and len(network.inputs[0].shape) == 5:
        inflate_from_2d(flat.load_network(), network, spread="even")
    elif flat.legacy:
        network.set_weights(flat.load_network().get_weights())
    else:
        network.load_weights(init)
