"""The training loop, which can be stopped at any moment and resumed after the last finished epoch."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import closing
from functools import cached_property
from itertools import islice

import keras
import numpy as np

from spineseg_cli.core.inference.runtime import native_stderr_muted
from spineseg_cli.errors import InputError
from spineseg_cli.networks import build_network
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.config_sections import Phase
from spineseg_cli.training.data.crops import Crops
from spineseg_cli.training.data.datasets import ConfiguredData, SplitData
from spineseg_cli.training.distributed import LossScale, ReplicaSteps, replica_count
from spineseg_cli.training.evaluation import CommandValidation
from spineseg_cli.training.losses import build_loss
from spineseg_cli.training.metrics import build_metrics
from spineseg_cli.training.network_surgery import freeze_only, reinitialize, starting_network
from spineseg_cli.training.progress import ProgressBar
from spineseg_cli.training.run import Run
from spineseg_cli.training.schedules import build_schedule, rate_of_epoch
from spineseg_cli.training.state import exceeds_error
from spineseg_cli.weights.files import tflite_path, write_model
from spineseg_cli.weights.model import Model

log = logging.getLogger(__name__)


def fit(
    run: Run,
    data: SplitData | ConfiguredData,
    start: Model | None = None,
    command: CommandValidation | None = None,
    light: bool = False,
    verbose: int = 0,
) -> Model:
    """Train a run to its end, and return its weights, `NAME.weights.h5` in its folder.

    A run that was killed continues after its last finished epoch, and ends as if it had not been killed. A run that has ended
    is trained further only if its configuration now asks for more epochs. After Ctrl-C, the run ends with the best weights so
    far, if an epoch has been validated.

    After each epoch, `last.weights.h5`, `history.csv` and the state are written to the folder of the run; at the end, the weights
    of the best epoch, or of the last one without validation; with `light`, they are also exported for LiteRT if their network
    allows it. `data` is read only if there is an epoch to train. `command` adds the metric by the complete command to the
    validation of each epoch. With `verbose` above 0, stderr shows a bar on a terminal, or a line for each epoch elsewhere.

    Raises InputError if a second phase has no initial weights, or the data cannot be read.
    """
    if run.config.surgery.second_phase and start is None:
        raise InputError("a second_phase trains on from weights that are frozen at first: give it weights to start from")
    trainer = Trainer(run.config, start)
    trainer.begin(run.phase)
    run.resume(trainer.network)
    try:
        if not run.ended:
            _train(run, trainer, data, start is not None, command, verbose)
    except KeyboardInterrupt:
        if run.best_weights is None:
            raise
        run.interrupted = True
        log.warning("stopped; the best weights so far are kept, and the same command goes on")
    return _finish(run, trainer, start, command, light)


def _train(
    run: Run, trainer: Trainer, data: SplitData | ConfiguredData, started: bool, command: CommandValidation | None, verbose: int
) -> None:
    """Train the remaining epochs. `started` says whether there are initial weights, which may be validated first."""
    config, state = run.config, run.state
    batches = data.batches()
    crops = data.validation()
    epochs, steps = config.total_epochs, config.optimizer.steps_per_epoch
    if state.epoch:
        log.info("going on after %d of %d epochs in %s", state.epoch, epochs, run.folder)
    with closing(batches.stream(state.epoch)) as stream, ProgressBar(epochs, steps, state.epoch, verbose > 0) as bar:
        if crops is not None and started and not state.epoch and config.validation.include_initial_weights:
            # After reinitialization no epoch is as good as the initial weights for a while, so early stopping ignores these.
            row = trainer.validate(crops, trainer.initial_weights) | (command.column() if command else {})
            bar.end_epoch(run.begin(trainer.initial_weights, row, measured=not config.surgery.reinitialize))
        while not run.ended:
            if run.phase_ended:
                run.begin_next_phase(trainer.network)
                trainer.begin(run.phase)
            rate = trainer.adjust_rate(state.phase_losses)
            values = trainer.train_epoch(islice(stream, steps), bar)
            values |= trainer.validate(crops) if crops is not None else {}
            trained = trainer.exported(run.end_weights(trainer.network))
            write_model(trained, run.folder / "last.weights.h5", config.network.as_dict, config.outputs, config.inference)
            values |= command.column(trained) if command else {}
            bar.end_epoch(run.end_epoch(trainer.network, rate, values))


def _finish(run: Run, trainer: Trainer, start: Model | None, command: CommandValidation | None, light: bool) -> Model:
    """Write and return the final weights of a run: its best weights, or the initial ones if these are not surely better."""
    config = run.config
    best = trainer.exported(run.best_weights or run.mean_weights)
    if config.optimizer.start_share:
        best = trainer.exported(_with_start(best.get_weights(), trainer.initial_weights, config.optimizer.start_share))
    if command and run.state.start and not run.keeps_start and not run.state.gain_judged:
        run.settle_gain(exceeds_error(command.gains(best)))
    inference = config.inference
    path = run.folder / f"{config.name}.weights.h5"
    tflite = None
    if run.keeps_start:
        best = trainer.exported(trainer.initial_weights)
        if start is not None:
            log.warning("no epoch was surely better than the weights that the run started from: these are kept")
            inference = start.config  # with the thresholds of these weights
    if light and inference.pad and not inference.depth:
        from spineseg_cli.networks.export import write_tflite

        tflite = tflite_path(path)
        with native_stderr_muted():
            write_tflite(best, inference.window, tflite)
    return write_model(best, path, config.network.as_dict, config.outputs, inference, tflite)


def _with_start(weights: list[np.ndarray], initial: list[np.ndarray], share: float) -> list[np.ndarray]:
    """Return the mean of the trained and the initial weights, in which the initial ones have the weight `share`."""
    return [(1 - share) * trained + share * old for trained, old in zip(weights, initial, strict=True)]


class Trainer:
    """A network with its optimizer, loss and metrics, on all GPUs of the current strategy.

    Raises InputError if the network does not have the configured options or subnetworks.
    """

    def __init__(self, config: TrainingConfig, start: Model | None = None):
        self.config = config
        self.network = starting_network(config, start)
        self.initial_weights = self.network.get_weights()
        if config.surgery.reinitialize:
            reinitialize(self.network, config.surgery.reinitialize)

    @cached_property
    def _full_precision(self) -> keras.Model:
        return build_network(**self.config.network.as_dict)  # never compiled

    def exported(self, weights: list[np.ndarray] | None = None) -> keras.Model:
        """Return the network in full precision and not compiled, as files hold it, with its current weights or with others."""
        self._full_precision.set_weights(self.network.get_weights() if weights is None else weights)
        return self._full_precision

    def begin(self, phase: Phase, schedule=None) -> None:
        """Prepare the network for a phase with a new optimizer; `schedule` replaces the configured one."""
        config, network = self.config, self.network
        freeze_only(network, phase.frozen)
        loss = build_loss(**config.loss.as_dict)
        metrics = build_metrics(config.validation.metrics, config.outputs)
        self.schedule = build_schedule(config, phase) if schedule is None else schedule
        rate = rate_of_epoch(self.schedule, ())
        optimizer = keras.optimizers.Adam(self.schedule if rate is None else rate)
        if replica_count() == 1:
            network.compile(optimizer=optimizer, loss=loss, metrics=metrics)
            self.steps: _OneDeviceSteps | ReplicaSteps = _OneDeviceSteps(network)
        else:
            optimizer = LossScale(optimizer) if config.optimizer.precision == "mixed_float16" else optimizer
            network.compile(optimizer=optimizer, auto_scale_loss=False)
            self.steps = ReplicaSteps(network, loss, metrics, config.optimizer.batch_size)
        network.optimizer.build(network.trainable_variables)

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return float(keras.ops.convert_to_numpy(self.network.optimizer.learning_rate))

    def adjust_rate(self, losses: Iterable[float]) -> float:
        """Set the rate of the epoch after these validation losses, if the schedule depends on them, and return the rate."""
        rate = rate_of_epoch(self.schedule, losses)
        if rate is not None:
            self.network.optimizer.learning_rate = rate
        return self.rate

    def train_epoch(self, batches: Iterable[Crops], bar: ProgressBar) -> dict[str, float]:
        """Train on the batches of an epoch, and return the means of the loss and the metrics over these.

        The `fit` method of Keras is not used, since it fails if batches have different shapes.
        """
        rows = []
        for images, targets in batches:
            rows.append(self.steps.train(images, targets))
            bar.end_step()
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def validate(self, crops: Crops, weights: list[np.ndarray] | None = None) -> dict[str, float]:
        """Return the loss and the metrics on crops, with "val_" before their names, for the current weights or for others."""
        current = self.network.get_weights()
        if weights is not None:
            self.network.set_weights(weights)
        values = self.steps.validate(*crops, self.config.optimizer.batch_size)
        if weights is not None:
            self.network.set_weights(current)
        return {f"val_{name}": float(value) for name, value in values.items()}


class _OneDeviceSteps:
    """Steps of training and validation on one device; see `distributed.ReplicaSteps`."""

    def __init__(self, network: keras.Model):
        self.network = network

    def train(self, images: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        self.network.reset_metrics()  # older releases of Keras return means since the last reset, newer ones those of the batch
        return self.network.train_on_batch(images, targets, return_dict=True)

    def validate(self, images: np.ndarray, targets: np.ndarray, batch: int) -> dict[str, float]:
        return self.network.evaluate(images, targets, batch_size=batch, return_dict=True, verbose=0)
