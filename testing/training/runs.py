"""Tiny runs on made-up crops, for tests of training."""

import csv

import numpy as np

from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.training.configs.recipe import Recipe
from spineseg_cli.weights.model import write_model

OPTIONS = {"name": "unet2d", "filters": 2, "depth": 1, "classes": 1}
RECIPE = Recipe(
    name="tiny",
    network=OPTIONS,
    outputs=["cord"],
    preprocessing={"window": 16},
    validation=["sub-2"],
    batch=4,
    steps=3,
    epochs=2,
    learning_rate=0.01,
)


def crops(*seed, count=4):
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(count, 16, 16, 1)).astype(np.float32)
    return images, (images > 0.5).astype(np.float32)


class Batches:
    """Batches that depend on the epoch and the step; `killed_at`, an epoch, the process dies before its last step."""

    def __init__(self, recipe, killed_at=None):
        self.steps, self.count, self.killed_at = recipe.steps, recipe.batch, killed_at

    def stream(self, first_epoch=0):
        epoch = first_epoch
        while True:
            for step in range(self.steps):
                if epoch == self.killed_at and step == self.steps - 1:
                    raise KeyboardInterrupt
                yield crops(epoch, step, count=self.count)
            epoch += 1


def train(recipe, out, init=None, killed_at=None):
    from spineseg_cli.training.loop import train_on

    return train_on(Batches(recipe, killed_at), crops(99, count=7), recipe, out, {"init": init and str(init)}, init)


def untrained(path, options=OPTIONS):
    """Write a network that has learned nothing to `path`, and return it."""
    from spineseg_cli.networks import build_network

    write_model(build_network(**options), path, options, ("cord",), InferenceConfig(window=16))
    return path


def history(folder):
    return list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
