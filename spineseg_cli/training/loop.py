"""The training loop: data from a recipe in, weights out; stops and resumes at any epoch."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import keras

from spineseg_cli.networks import build_network
from spineseg_cli.training.batches import CropBatches
from spineseg_cli.training.losses import build_loss, soft_dice
from spineseg_cli.training.recipe import Recipe
from spineseg_cli.training.slices import find_files, label_slices, phantom_slices, scan_slices

log = logging.getLogger(__name__)


class _EpochOfData(keras.callbacks.Callback):
    """Tell the data which epoch it is, so that a resumed run sees the crops that an unbroken one would have seen."""

    def __init__(self, batches: CropBatches):
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.epoch = epoch


def train(
    recipe: Recipe, data: Path, out: Path, leave_out: Iterable[str] = (), init: Path | None = None, verbose: int = 0
) -> Path:
    """Train a network by `recipe` and return the path of its weights, `out/model.weights.h5`.

    Killed at any moment and called again with the same `out`, it goes on from the last finished epoch.

    Parameters
    ----------
    recipe : Recipe
    data : Path
        The folder that the recipe's globs start from.
    out : Path
        The run's folder: weights, `history.csv` and, while it runs, the backup it resumes from.
    leave_out : iterable of str
        Scans and labels whose path holds one of these are not trained on.
    init : Path, optional
        Weights to start from.
    verbose : int
        Keras' progress: 0 none, 1 a bar, 2 a line an epoch.

    Raises
    ------
    InputError
        If data is missing or unreadable.
    """
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(recipe.seed)
    batches = _load_batches(recipe, data, tuple(leave_out))
    keras.mixed_precision.set_global_policy(recipe.precision)
    network = build_network(**recipe.network)
    keras.mixed_precision.set_global_policy("float32")
    if init is not None:
        network.load_weights(init)
    rate = keras.optimizers.schedules.PolynomialDecay(
        recipe.learning_rate, recipe.epochs * recipe.steps, end_learning_rate=0.0, power=recipe.decay_power
    )
    loss_options = dict(recipe.loss)
    network.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=build_loss(loss_options.pop("name"), **loss_options),
        metrics=[soft_dice(0, "dice_gray"), soft_dice(1, "dice_cord")],
    )
    weights = out / "model.weights.h5"
    callbacks = [
        keras.callbacks.BackupAndRestore(out / "backup"),
        _EpochOfData(batches),
        keras.callbacks.CSVLogger(out / "history.csv", append=True),
        keras.callbacks.ModelCheckpoint(weights, save_weights_only=True),
    ]
    network.fit(batches, epochs=recipe.epochs, callbacks=callbacks, verbose=verbose)
    return weights


def _load_batches(recipe: Recipe, data: Path, leave_out: tuple[str, ...]) -> CropBatches:
    maps, scans = [], []
    for source in recipe.maps:
        maps.append([labels for part in _load_maps(source, data, leave_out) for labels in part])
    for source in recipe.scans:
        images = find_files(data, source["image"], leave_out)
        cords = find_files(data, source["cord"], leave_out)
        grays = find_files(data, source["gray"], leave_out)
        scans += [scan_slices(*paths) for paths in zip(images, cords, grays, strict=True)]
    log.debug("training on %d sources of labels and %d scans", len(maps), len(scans))
    return CropBatches(maps, scans, recipe.real_share, recipe.batch, recipe.steps, recipe.crop_sizes, recipe.seed)


def _load_maps(source: dict, data: Path, leave_out: tuple[str, ...]) -> list:
    if "phantom" in source:
        return phantom_slices(source["phantom"])
    files = [find_files(data, source[name], leave_out) if name in source else None for name in ("cord", "gray", "csf")]
    count = len(files[0])
    files = [paths if paths is not None else [None] * count for paths in files]
    return [label_slices(*paths, step=source.get("step", 1)) for paths in zip(*files, strict=True)]
