"""A network while it is trained: made by a configuration, from weights or untrained, and the steps that change it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import keras
import numpy as np

from spineseg_cli.errors import InputError
from spineseg_cli.networks import build_network
from spineseg_cli.networks.inflate import inflate_from_2d
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.config_sections import Phase
from spineseg_cli.training.distributed import LossScale, ReplicaSteps, replica_count
from spineseg_cli.training.losses import build_loss
from spineseg_cli.training.metrics import build_metrics
from spineseg_cli.training.network_surgery import freeze_only, reinitialize
from spineseg_cli.training.progress import ProgressBar
from spineseg_cli.training.schedules import build_schedule, rate_of_epoch
from spineseg_cli.weights.model import Model

# Images and targets.
Crops = tuple[np.ndarray, np.ndarray]


class Trainer:
    """A network, and how a configuration trains it; on every GPU of the strategy around it, if there is one.

    Parameters
    ----------
    config : TrainingConfig
    start : Model, optional
        The weights to start from.

    Raises
    ------
    InputError
        If the network has no such options or subnetworks.
    """

    def __init__(self, config: TrainingConfig, start: Model | None = None):
        self.config = config
        self.network = _build(config)
        if start is not None:
            _start_from(self.network, start)
        self.initial_weights = self.network.get_weights()
        if config.surgery.reinitialize:
            reinitialize(self.network, config.surgery.reinitialize)

    @cached_property
    def _full_precision(self) -> keras.Model:
        return build_network(**self.config.network.as_dict)  # never compiled

    def exported(self, weights: list[np.ndarray] | None = None) -> keras.Model:
        """Return the network as files hold it, in full precision and not compiled: as trained so far, or with other weights."""
        self._full_precision.set_weights(self.network.get_weights() if weights is None else weights)
        return self._full_precision

    def begin(self, phase: Phase, schedule=None) -> None:
        """Prepare the network for a phase, with a new optimizer, by the configured schedule if no other is given."""
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
        """Set the rate of an epoch that comes after these validation losses, if the schedule depends on them; return the rate."""
        rate = rate_of_epoch(self.schedule, losses)
        if rate is not None:
            self.network.optimizer.learning_rate = rate
        return self.rate

    def train_epoch(self, batches: Iterable[Crops], bar: ProgressBar) -> dict[str, float]:
        """Return the loss and the metrics, each the mean over the epoch's batches.

        `fit` would take the shape of all batches from the first two, and fail when a third has another size.
        """
        rows = []
        for images, targets in batches:
            rows.append(self.steps.train(images, targets))
            bar.end_step()
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def validate(self, crops: Crops, weights: list[np.ndarray] | None = None) -> dict[str, float]:
        """Return the loss and the metrics on crops, their names begun with "val_": of the network, or of other weights of it."""
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
        self.network.reset_metrics()  # older releases of Keras give the mean since the last reset, newer ones the batch's own
        return self.network.train_on_batch(images, targets, return_dict=True)

    def validate(self, images: np.ndarray, targets: np.ndarray, batch: int) -> dict[str, float]:
        return self.network.evaluate(images, targets, batch_size=batch, return_dict=True, verbose=0)


def _build(config: TrainingConfig) -> keras.Model:
    keras.mixed_precision.set_global_policy(config.optimizer.precision)
    try:
        return build_network(**config.network.as_dict)
    except TypeError as error:
        raise InputError(f"the configuration {config.name} gives its network unknown options: {error}") from error
    finally:
        keras.mixed_precision.set_global_policy("float32")


def _start_from(network: keras.Model, start: Model) -> None:
    """Load weights; the kernels of a 2-D network are inflated for a 3-D one, published files are read by topology.

    Where the weights have one output channel and the network more, each channel starts from that one.
    """
    if start.network.get("dimensions") == 2 and len(network.inputs[0].shape) == 5:
        inflate_from_2d(start.load_network(), network, spread="even")
    elif start.legacy:
        network.set_weights(start.load_network().get_weights())
    elif len(start.outputs) == 1 and network.outputs[0].shape[-1] > 1:
        given = start.load_network().get_weights()
        network.set_weights([np.broadcast_to(old, new.shape) for old, new in zip(given, network.get_weights(), strict=True)])
    else:
        network.load_weights(start.path)
