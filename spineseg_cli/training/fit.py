"""Training: data and a configuration in, weights out; it stops and goes on at any epoch."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Protocol

import keras

from spineseg_cli.errors import InputError
from spineseg_cli.networks import build_network
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.data.crops import CropBatches
from spineseg_cli.training.data.datasets import load_crops, load_validation
from spineseg_cli.training.export import write_trained, write_weights
from spineseg_cli.training.phases import phases_of, total_epochs
from spineseg_cli.training.progress import ProgressBar
from spineseg_cli.training.run import Run
from spineseg_cli.training.state import exceeds_error
from spineseg_cli.training.trainer import Crops, Trainer
from spineseg_cli.weights.model import Model, read_model

log = logging.getLogger(__name__)


class CommandMetrics(Protocol):
    """What the complete command gives on the validation subjects, as columns of the history."""

    def of_start(self) -> dict[str, float]:
        """Return it of the weights that the run starts from."""
        ...

    def of_network(self, network: keras.Model) -> dict[str, float]:
        """Return it of a network, not compiled."""
        ...

    def gains(self, network: keras.Model) -> list[float]:
        """Return how much better a network is than the start, for each subject trained or validated on."""
        ...


def fit(
    run: Run,
    batches: CropBatches,
    validation: Crops | None,
    start: Model | None = None,
    command_metrics: CommandMetrics | None = None,
    light: bool = False,
    verbose: int = 0,
) -> Path:
    """Train a run to its end, and return the path of its weights, `NAME.weights.h5` in its folder.

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
        See `data.validation.validation_set`.
    start : Model, optional
        Weights to start from.
    command_metrics : CommandMetrics, optional
        What is added to the validation of each epoch.
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
    trainer, phases = Trainer(config, start), phases_of(config)
    trainer.begin(phases[run.state.phase])
    state = run.resume(trainer.network)
    exported = build_network(**config.network.as_dict)  # without a mixed precision, and never compiled
    if state.epoch:
        log.info("going on after %d of %d epochs in %s", state.epoch, total_epochs(config), run.folder)

    steps = config.optimizer.steps_per_epoch
    try:
        with (
            closing(batches.stream(state.epoch)) as stream,
            ProgressBar(total_epochs(config), steps, state.epoch, shown=verbose > 0) as bar,
        ):
            if config.validation.include_initial_weights and start and validation is not None and not state.epoch:
                # After surgery nothing is as good as before it for a while: early stopping does not wait for that.
                row = trainer.validate(validation, trainer.initial_weights)
                row |= command_metrics.of_start() if command_metrics else {}
                bar.end_epoch(run.begin(trainer.initial_weights, row, measured=not config.surgery.reinitialize))
            for index, phase in enumerate(phases):
                if index < state.phase:
                    continue
                if index > state.phase:
                    run.begin_next_phase(trainer.network)
                    trainer.begin(phase)
                while state.epoch - state.phase_start < phase.epochs and not state.stopped:
                    trainer.adjust_rate(state.phase_losses)
                    rate, values = trainer.rate, trainer.train_epoch(islice(stream, steps), bar)
                    exported.set_weights(run.end_weights(trainer.network))
                    write_weights(run.folder / "last.weights.h5", exported, config)
                    values |= trainer.validate(validation) if validation is not None else {}
                    values |= command_metrics.of_network(exported) if command_metrics else {}
                    bar.end_epoch(run.end_epoch(trainer.network, rate, values))
    except KeyboardInterrupt:
        if run.best_weights is None:
            raise
        run.interrupted = True
        log.warning("stopped; the best weights so far are kept, and the same command goes on")
    exported.set_weights(run.best_weights or run.mean_weights or trainer.network.get_weights())
    if command_metrics and state.start and not run.keeps_start and not exceeds_error(command_metrics.gains(exported)):
        run.keep_start(trainer.network)
    if run.keeps_start:
        exported.set_weights(trainer.initial_weights)
    kept_as_it_was = start if start is not None and run.keeps_start else None
    if kept_as_it_was:
        log.warning("no epoch was better than the weights that it started from, or not surely: these are kept as they were")
    return write_trained(run.folder / f"{config.name}.weights.h5", exported, config, kept_as_it_was, light)


def train(
    config: TrainingConfig, data: Path, out: Path, leave_out: Iterable[str] = (), init: Path | None = None, verbose: int = 0
) -> Path:
    """Train a network by a configuration, on the data that it names, and return the path of its weights: see `fit`.

    Parameters
    ----------
    config : TrainingConfig
    data : Path
        The folder that the globs of the configuration start from.
    out : Path
        The folder of the run.
    leave_out : iterable of str
        Subjects that are neither trained nor validated on: see `data.sources.is_of_any`.
    init : Path, optional
        Weights to start from.
    verbose : int

    Raises
    ------
    InputError
        If data is missing or unreadable, `out` holds a run with other settings, or there is nothing to unfreeze.
    """
    leave_out = tuple(leave_out)
    run = Run(out, config, {"leave_out": sorted(leave_out), "init": init and str(init)})  # before the data: they may take minutes
    batches = load_crops(config, data, leave_out)
    return fit(run, batches, load_validation(config, data, leave_out), init and read_model(init), verbose=verbose)
