"""Training: data and a configuration in, weights out; it stops and goes on at any epoch."""

from __future__ import annotations

import logging
from contextlib import closing
from itertools import islice
from pathlib import Path

import keras

from spineseg_cli.core.files import atomic_path
from spineseg_cli.core.inference.runtime import native_stderr_muted
from spineseg_cli.errors import InputError
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.data.crops import CropBatches
from spineseg_cli.training.evaluation import CommandValidation
from spineseg_cli.training.progress import ProgressBar
from spineseg_cli.training.run import Run
from spineseg_cli.training.state import exceeds_error
from spineseg_cli.training.trainer import Crops, Trainer
from spineseg_cli.weights.files import read_model, tflite_path, write_model
from spineseg_cli.weights.model import Model

log = logging.getLogger(__name__)


def fit(
    run: Run,
    batches: CropBatches,
    validation: Crops | None,
    start: Model | None = None,
    command: CommandValidation | None = None,
    light: bool = False,
    verbose: int = 0,
) -> Model:
    """Train a run to its end, and return its weights, `NAME.weights.h5` in its folder.

    Killed at any moment and called again, it goes on from the last finished epoch, and ends as if it had never been killed. A run
    that has ended is not trained again, unless its configuration now asks for more epochs. Ctrl-C ends it, if an epoch has been
    validated, with the best weights so far.

    Parameters
    ----------
    run : Run
        Its folder gets the weights at the end (of the best epoch; without a validation, of the last), `last.weights.h5`,
        `history.csv` and the state after each epoch.
    batches : CropBatches
    validation : (images, targets) or None
        See `data.crops.validation_set`.
    start : Model, optional
        Weights to start from.
    command : CommandValidation, optional
        Adds the metric by the complete command to the validation of each epoch.
    light : bool
        Also write the weights for LiteRT, where their network allows it.
    verbose : int
        0: silent; otherwise a bar on a terminal, or a line for each epoch elsewhere, on stderr.

    Raises
    ------
    InputError
        If there is nothing to unfreeze.
    """
    config = run.config
    if config.surgery.second_phase and start is None:
        raise InputError("a second_phase trains on from weights that are frozen at first: give it weights to start from")
    run.folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(config.seed)
    trainer, phases, state = Trainer(config, start), config.phases, run.state
    epochs, steps, first = sum(phase.epochs for phase in phases), config.optimizer.steps_per_epoch, state.phase
    if state.epoch:
        log.info("going on after %d of %d epochs in %s", state.epoch, epochs, run.folder)
    try:
        with closing(batches.stream(state.epoch)) as stream, ProgressBar(epochs, steps, state.epoch, verbose > 0) as bar:
            for index, phase in enumerate(phases[first:], first):
                if index > first:
                    run.begin_next_phase(trainer.network)
                trainer.begin(phase)
                if index == first:
                    run.resume(trainer.network)
                if validation is not None and start and not state.epoch and config.validation.include_initial_weights:
                    # After surgery nothing is as good as before it for a while: early stopping does not wait for that.
                    row = trainer.validate(validation, trainer.initial_weights)
                    row |= command.of_start() if command else {}
                    bar.end_epoch(run.begin(trainer.initial_weights, row, measured=not config.surgery.reinitialize))
                while state.epoch - state.phase_start < phase.epochs and not state.stopped:
                    rate = trainer.adjust_rate(state.phase_losses)
                    values = trainer.train_epoch(islice(stream, steps), bar)
                    values |= trainer.validate(validation) if validation is not None else {}
                    trained = trainer.exported(run.end_weights(trainer.network))
                    write_weights(run.folder / "last.weights.h5", trained, config)
                    values |= command.of_network(trained) if command else {}
                    bar.end_epoch(run.end_epoch(trainer.network, rate, values))
    except KeyboardInterrupt:
        if run.best_weights is None:
            raise
        run.interrupted = True
        log.warning("stopped; the best weights so far are kept, and the same command goes on")
    trained = trainer.exported(run.best_weights or run.mean_weights)
    if command and state.start and not run.keeps_start and not exceeds_error(command.gains(trained)):
        run.keep_start(trainer.network)
    if run.keeps_start:
        trained = trainer.exported(trainer.initial_weights)
    kept_as_it_was = start if start is not None and run.keeps_start else None
    if kept_as_it_was:
        log.warning("no epoch was better than the weights that it started from, or not surely: these are kept as they were")
    return write_trained(run.folder / f"{config.name}.weights.h5", trained, config, kept_as_it_was, light)


def write_weights(path: Path, network: keras.Model, config: TrainingConfig) -> None:
    """Write weights with the metadata of a configuration."""
    with atomic_path(path) as temporary:
        write_model(network, temporary, config.network.as_dict, config.outputs, config.inference)


def write_trained(
    path: Path, network: keras.Model, config: TrainingConfig, kept: Model | None = None, light: bool = False
) -> Model:
    """Write the weights that a run ends with, and return what their file, read again, says of itself.

    Parameters
    ----------
    path : Path
        NAME.weights.h5.
    network : keras.Model
    config : TrainingConfig
    kept : Model, optional
        The weights that the run started from, if these are what it ends with: their thresholds stay theirs.
    light : bool
        Also write NAME.tflite, if the network's windows have one size and one slice.
    """
    inference, tflite = kept.config if kept else config.inference, None
    if light and inference.pad and not inference.depth:
        from spineseg_cli.networks.export import write_tflite

        tflite = tflite_path(path)
        with native_stderr_muted():
            write_tflite(network, inference.window, tflite)
    with atomic_path(path) as temporary:
        write_model(network, temporary, config.network.as_dict, config.outputs, inference, tflite)
    return read_model(path)
