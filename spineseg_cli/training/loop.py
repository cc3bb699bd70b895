"""The training loop: data from a recipe in, weights out; stops and resumes at any epoch."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import keras
import numpy as np

from spineseg_cli.core.files import atomic_path
from spineseg_cli.core.preprocessing import Preprocessing
from spineseg_cli.errors import InputError
from spineseg_cli.networks import build_network
from spineseg_cli.networks.inflate import inflate_from_2d
from spineseg_cli.training.batches import CropBatches, validation_crops
from spineseg_cli.training.checkpoint import Checkpoint, best_weights, check_state
from spineseg_cli.training.choices import OUTPUTS
from spineseg_cli.training.losses import build_loss
from spineseg_cli.training.progress import ProgressBar
from spineseg_cli.training.recipe import Recipe
from spineseg_cli.training.schedule import poly_schedule
from spineseg_cli.training.scores import SoftDice
from spineseg_cli.training.slices import load_maps, load_scans
from spineseg_cli.training.surgery import freeze_part, replace_part
from spineseg_cli.weights import read_model, write_model

log = logging.getLogger(__name__)


def train(
    recipe: Recipe, data: Path, out: Path, leave_out: Iterable[str] = (), init: Path | None = None, verbose: int = 0
) -> Path:
    """Train a network by `recipe` and return the path of its weights and card, `out/NAME.weights.h5`.

    Killed at any moment and called again with the same `out`, it goes on from the last finished epoch, and ends as if it had
    never been killed. A run that has ended is not trained again, unless its recipe now asks for more epochs.

    Parameters
    ----------
    recipe : Recipe
    data : Path
        The folder that the recipe's globs start from.
    out : Path
        The run's folder: `NAME.weights.h5` at the end (of the best epoch, if the recipe has a validation, else of the last),
        `last.weights.h5` and `history.csv` after each epoch, and the state that it resumes from.
    leave_out : iterable of str
        Scans and labels whose path holds one of these are not trained on, nor validated on.
    init : Path, optional
        Weights to start from.
    verbose : int
        0: silent; otherwise a bar on a terminal, or a line an epoch elsewhere, on stderr.

    Raises
    ------
    InputError
        If data is missing or unreadable, or `out` holds a run with other settings.
    """
    leave_out = tuple(leave_out)
    started_with = {"leave_out": sorted(leave_out), "init": init and str(init)}
    return train_on(*load_data(recipe, data, leave_out), recipe, out, started_with, init, verbose)


def train_on(
    batches: CropBatches,
    validation: tuple[np.ndarray, np.ndarray] | None,
    recipe: Recipe,
    out: Path,
    started_with: dict,
    init: Path | None = None,
    verbose: int = 0,
) -> Path:
    """Do what `train` does, with data that is loaded already.

    Parameters
    ----------
    batches : CropBatches
    validation : (images, targets) or None
        As `validation_crops` gives them.
    started_with : dict
        What decides the run beside the recipe, as JSON can hold it: a run in `out` that was started with something else is
        refused.
    recipe, out, init, verbose
        See `train`.
    """
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(recipe.seed)
    network = _compiled_network(recipe, init)
    stopping = recipe.early_stopping or {}
    settings = _settings(recipe, started_with)
    checkpoint = Checkpoint(out, network, settings, stopping.get("patience"), stopping.get("min_delta", 0.0))
    progress = checkpoint.restore()
    if progress.epoch:
        log.info("going on after %d of %d epochs in %s", progress.epoch, recipe.epochs, out)
    exported = build_network(**recipe.network)
    with (
        closing(batches.stream(progress.epoch)) as stream,
        ProgressBar(recipe.epochs, recipe.steps, progress.epoch, shown=verbose > 0) as bar,
    ):
        while progress.epoch < recipe.epochs and not progress.stopped:
            rate = float(keras.ops.convert_to_numpy(network.optimizer.learning_rate))
            scores = _train_epoch(network, islice(stream, recipe.steps), bar)
            if validation is not None:
                found = network.evaluate(*validation, batch_size=recipe.batch, return_dict=True, verbose=0)
                scores |= {f"val_{name}": value for name, value in found.items()}
            _write_weights(exported, network.get_weights(), recipe, out / "last.weights.h5")
            bar.end_epoch(checkpoint.end_epoch(rate, scores))
    best = checkpoint.best_weights
    return _write_final(exported, network.get_weights() if best is None else best, recipe, out)


def check_run(recipe: Recipe, out: Path, started_with: dict) -> None:
    """Raise InputError if `out` holds a run that `train_on` would refuse to go on with."""
    check_state(out, _settings(recipe, started_with))


def write_best(recipe: Recipe, out: Path) -> Path | None:
    """Write the best weights so far of the unfinished run in `out`, and return their path; None if no epoch was validated."""
    best = best_weights(out)
    return None if best is None else _write_final(build_network(**recipe.network), best, recipe, out)


def load_data(
    recipe: Recipe, data: Path, leave_out: Iterable[str] = ()
) -> tuple[CropBatches, tuple[np.ndarray, np.ndarray] | None]:
    """Return a recipe's batches, and the images and targets to validate on (None if it validates on nothing).

    Raises InputError if nothing is left to train or to validate on, and as `load_maps` and `load_scans` do.
    """
    leave_out = tuple(leave_out)
    steps = Preprocessing.from_dict(recipe.preprocessing)
    per_slice, grid = steps.per_slice, (steps.spacing_mm, recipe.surroundings_mm)
    unseen = leave_out + tuple(recipe.validation)
    maps = load_maps(recipe.maps, data, unseen, *grid)
    scans = load_scans(recipe.scans, data, unseen, None, recipe.raters, per_slice, *grid)
    if (recipe.real_share < 1 and not maps) or (recipe.real_share > 0 and not scans):
        raise InputError(
            f"nothing to train on: the recipe {recipe.name} has {len(maps)} sources of labels and {len(scans)} scans left "
            f"under {data}, and takes a share of {recipe.real_share:g} from scans"
        )
    validation = None
    if recipe.validation:
        unseen_scans = load_scans(recipe.scans, data, leave_out, recipe.validation, recipe.raters, per_slice, *grid)
        if not unseen_scans:
            raise InputError(f"no scan to validate on: no path under {data} holds any of {', '.join(recipe.validation)}")
        validation = validation_crops(unseen_scans, max(recipe.crop_sizes), recipe.outputs, per_slice)
    log.debug("training on %d sources of labels and %d scans", len(maps), len(scans))
    return CropBatches.from_recipe(recipe, maps, scans), validation


def _compiled_network(recipe: Recipe, init: Path | None) -> keras.Model:
    keras.mixed_precision.set_global_policy(recipe.precision)
    try:
        network = build_network(**recipe.network)
    except TypeError as error:
        raise InputError(f"the recipe {recipe.name} gives its network unknown options: {error}") from error
    finally:
        keras.mixed_precision.set_global_policy("float32")
    if init is not None:
        _start_from(network, init)
    if recipe.surgery:
        replace_part(network, recipe.surgery)
    if recipe.freeze:
        freeze_part(network, recipe.freeze)
    loss = dict(recipe.loss)
    network.compile(
        optimizer=keras.optimizers.Adam(poly_schedule(recipe)),
        loss=build_loss(loss.pop("name"), **loss),
        metrics=[SoftDice(channel, OUTPUTS[output]) for channel, output in enumerate(recipe.outputs)],
    )
    network.optimizer.build(network.trainable_variables)
    return network


def _start_from(network: keras.Model, init: Path) -> None:
    """Load weights; those of a 2-D twin are inflated, published ones are read by topology."""
    flat = read_model(init)
    if flat.network.get("dimensions") == 2 and len(network.inputs[0].shape) == 5:
        inflate_from_2d(flat.load_network(), network, spread="even")
    elif flat.legacy:
        network.set_weights(flat.load_network().get_weights())
    else:
        network.load_weights(init)


def _train_epoch(network: keras.Model, batches: Iterable[tuple[np.ndarray, np.ndarray]], bar: ProgressBar) -> dict[str, float]:
    """Return the loss and the scores, each the mean over the epoch's batches.

    `fit` would take the shape of all batches from the first two, and fail when a third has another size.
    """
    rows = []
    for images, targets in batches:
        network.reset_metrics()  # older releases of Keras give the mean since the last reset, newer ones the batch's own
        rows.append(network.train_on_batch(images, targets, return_dict=True))
        bar.end_step()
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _settings(recipe: Recipe, started_with: dict) -> dict:
    """Return what a run may not change while it goes on, as JSON holds it."""
    settings = {**asdict(recipe), **started_with}
    del settings["epochs"]  # more of them may be asked for later
    return json.loads(json.dumps(settings))


def _write_final(network: keras.Model, weights: list[np.ndarray], recipe: Recipe, out: Path) -> Path:
    path = out / f"{recipe.name}.weights.h5"
    _write_weights(network, weights, recipe, path)
    return path


def _write_weights(network: keras.Model, weights: list[np.ndarray], recipe: Recipe, path: Path) -> None:
    network.set_weights(weights)
    card = Preprocessing.from_dict(recipe.preprocessing)
    with atomic_path(path) as temporary:
        write_model(network, temporary, recipe.network, tuple(recipe.outputs), card)
