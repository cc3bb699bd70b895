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
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.errors import InputError
from spineseg_cli.networks import build_network
from spineseg_cli.training.checkpoint import Checkpoint, best_weights, check_state
from spineseg_cli.training.configs.recipe import Recipe
from spineseg_cli.training.data.batches import CropBatches
from spineseg_cli.training.data.material import finder_of
from spineseg_cli.training.data.slices import check_left_out, load_maps, load_scans
from spineseg_cli.training.data.validation import validation_set
from spineseg_cli.training.phases import phases_of
from spineseg_cli.training.progress import ProgressBar
from spineseg_cli.training.schedule import rate_of_epoch
from spineseg_cli.training.trainer import Trainer
from spineseg_cli.weights.model import write_model

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
        The run's folder: `NAME.weights.h5` at the end (of the best epoch, if the recipe has a validation, else of the last; if
        none is better than the weights it started from, these), `last.weights.h5` and `history.csv` after each epoch, and the
        state that it resumes from. In the history, epoch -1 is the validation of the weights it started from.
    leave_out : iterable of str
        Scans and labels whose path holds one of these are not trained on, nor validated on.
    init : Path, optional
        Weights to start from.
    verbose : int
        0: silent; otherwise a bar on a terminal, or a line an epoch elsewhere, on stderr.

    Raises
    ------
    InputError
        If data is missing or unreadable, `out` holds a run with other settings, or there is nothing to unfreeze.
    """
    leave_out = tuple(leave_out)
    started_with = {"leave_out": sorted(leave_out), "init": init and str(init)}
    check_run(recipe, out, started_with)  # before the data, which may take minutes
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
    check_run(recipe, out, started_with)
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(recipe.seed)
    trainer, phases = Trainer(recipe, init), phases_of(recipe)
    stopping = recipe.early_stopping or {}
    patience, min_delta = stopping.get("patience"), stopping.get("min_delta", 0.0)
    checkpoint = Checkpoint(out, trainer.network, _settings(recipe, started_with), patience, min_delta, len(phases))
    trainer.begin(phases[checkpoint.find().phase])
    progress = checkpoint.restore()
    total = sum(phase.epochs for phase in phases)
    if progress.epoch:
        log.info("going on after %d of %d epochs in %s", progress.epoch, total, out)
    exported = build_network(**recipe.network)
    with (
        closing(batches.stream(progress.epoch)) as stream,
        ProgressBar(total, recipe.steps, progress.epoch, shown=verbose > 0) as bar,
    ):
        if recipe.keep_start and init is not None and validation is not None and not progress.epoch:
            # After surgery nothing is as good as before it for a while: early stopping does not wait for that.
            bar.end_epoch(checkpoint.begin(trainer.given, trainer.validate_given(validation), measured=not recipe.surgery))
        for place, phase in enumerate(phases):
            if place < progress.phase:
                continue
            if place > progress.phase:
                checkpoint.begin_next_phase()
                trainer.begin(phase)
            while progress.phase_epoch < phase.epochs and not progress.stopped:
                rate = rate_of_epoch(recipe, phase, progress.phase_losses)
                if rate is not None:
                    trainer.rate = rate
                rate, scores = trainer.rate, trainer.train_epoch(islice(stream, recipe.steps), bar)
                if validation is not None:
                    scores |= trainer.validate(validation)
                _write_weights(exported, trainer.network.get_weights(), recipe, out / "last.weights.h5")
                bar.end_epoch(checkpoint.end_epoch(rate, scores))
    best = checkpoint.best_weights
    return _write_final(exported, trainer.network.get_weights() if best is None else best, recipe, out)


def check_run(recipe: Recipe, out: Path, started_with: dict) -> None:
    """Raise InputError if `train_on` would refuse to train, or to go on with the run that `out` holds."""
    if recipe.unfreeze and not started_with.get("init"):
        raise InputError("unfreeze trains on from weights that are frozen at first: give it weights to start from")
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
    steps = InferenceConfig.from_dict(recipe.preprocessing)
    per_slice, grid = steps.per_slice, (steps.spacing_mm, recipe.surroundings_mm)
    unseen = leave_out + tuple(recipe.validation)
    maps = load_maps(recipe.maps, data, unseen, *grid)
    check_left_out(recipe.scans, data, leave_out)
    finder = finder_of(recipe)
    scans = load_scans(recipe.scans, data, unseen, None, recipe.raters, per_slice, *grid, finder)
    if (recipe.real_share < 1 and not maps) or (recipe.real_share > 0 and not scans):
        raise InputError(
            f"nothing to train on: the recipe {recipe.name} has {len(maps)} sources of labels and {len(scans)} scans left "
            f"under {data}, and takes a share of {recipe.real_share:g} from scans"
        )
    validation = None
    if recipe.validation:
        unseen_scans = load_scans(recipe.scans, data, leave_out, recipe.validation, recipe.raters, per_slice, *grid, finder)
        if not unseen_scans:
            raise InputError(f"no scan to validate on: no path under {data} holds any of {', '.join(recipe.validation)}")
        validation = validation_set(recipe, unseen_scans)
    log.debug("training on %d sources of labels and %d scans", len(maps), len(scans))
    return CropBatches(recipe, maps, scans), validation


def _settings(recipe: Recipe, started_with: dict) -> dict:
    """Return what a run may not change while it goes on, as JSON holds it."""
    settings = {**asdict(recipe), **started_with}
    # More epochs may be asked for later, and other machines may do them.
    del settings["epochs"], settings["gpus"]
    if recipe.unfreeze:
        settings["unfreeze"] = {name: value for name, value in recipe.unfreeze.items() if name != "epochs"}
    return json.loads(json.dumps(settings))


def _write_final(network: keras.Model, weights: list[np.ndarray], recipe: Recipe, out: Path) -> Path:
    path = out / f"{recipe.name}.weights.h5"
    _write_weights(network, weights, recipe, path)
    return path


def _write_weights(network: keras.Model, weights: list[np.ndarray], recipe: Recipe, path: Path) -> None:
    network.set_weights(weights)
    card = InferenceConfig.from_dict(recipe.preprocessing)
    with atomic_path(path) as temporary:
        write_model(network, temporary, recipe.network, tuple(recipe.outputs), card)
