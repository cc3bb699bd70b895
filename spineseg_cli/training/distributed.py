"""Training on several GPUs (the replicas of TensorFlow) with the same gradient as on one GPU.

A batch is split over N replicas. Sums over the batch that a loss needs, such as the overlap of a Dice loss, are summed over the
replicas before the loss is computed, so that each replica has the loss L of the whole batch. Each replica differentiates L / N.
The gradient of a sum over replicas is the sum of their gradients, and the optimizer sums the gradients of the replicas once
more, so that the weights change by the gradient of L. Batch normalization computes its mean and variance over all replicas.
Only dropout differs from training on one GPU: each replica draws its own masks.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from spineseg_cli.errors import InputError

# Replicas draw from one random sequence at offsets of this many numbers.
REPLICA_OFFSET = 2**24


def replica_count() -> int:
    """Return the number of replicas of the current strategy; 1 without a strategy or without TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow

    return tensorflow.distribute.get_strategy().num_replicas_in_sync


def summed_over_replicas(*sums):
    """Return tensors summed over the replicas if this runs on a replica, otherwise unchanged."""
    if replica_count() == 1:
        return sums
    import tensorflow

    context = tensorflow.distribute.get_replica_context()
    return sums if context is None else tuple(context.all_reduce(tensorflow.distribute.ReduceOp.SUM, list(sums)))


def mean_over_replicas(values):
    """Return the mean of all values of a tensor over all replicas."""
    if replica_count() == 1:
        return ops.mean(values)
    total, count = summed_over_replicas(ops.sum(values), ops.sum(ops.ones_like(values)))
    return total / count


class LossScale(keras.optimizers.LossScaleOptimizer):
    """The loss scaling of Keras for float16, except that an infinite gradient on any replica skips the step on all replicas."""

    def check_finite(self, grads):
        """Return whether all gradients are finite, on all replicas."""
        (bad,) = summed_over_replicas(1 - ops.cast(super().check_finite(grads), "float32"))
        return ops.equal(bad, 0)


class ReplicaSteps:
    """Training and validation steps on all replicas of the current strategy.

    Raises InputError if a batch has fewer crops than there are replicas.

    `network` is built under the strategy and compiled with an optimizer; `loss` is from `training.losses`, which sums over
    replicas; `metrics` are from `training.metrics`; `batch` is the number of crops, ideally a multiple of the replicas.
    """

    def __init__(self, network: keras.Model, loss: keras.losses.Loss, metrics: list[keras.metrics.Metric], batch: int):
        import tensorflow

        if batch < replica_count():
            raise InputError(f"a batch of {batch} cannot be split over {replica_count()} GPUs: use a larger --batch, or fewer")

        self.network, self.loss, self.metrics = network, loss, metrics
        self.strategy = tensorflow.distribute.get_strategy()
        self._are_separate = False
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
        self._train = tensorflow.function(self._on_all(self._train_step), reduce_retracing=True)
        self._test = tensorflow.function(self._on_all(self._test_step), reduce_retracing=True)

    def train(self, images: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Train on a batch, and return its loss and metrics."""
        if not self._are_separate:  # only now, since a checkpoint sets the random states of all replicas to the same value
            self._separate_random_states()
        self._reset_metrics()
        return {"loss": float(self._train(self._split(images), self._split(targets))), **self._results()}

    def validate(self, images: np.ndarray, targets: np.ndarray, batch: int) -> dict[str, float]:
        """Return the mean loss over all batches, and the metrics of all crops together."""
        self._reset_metrics()
        losses, sizes = [], []
        for start in range(0, len(images), batch):
            some = images[start : start + batch]
            parts = self._split(some, some[:1]), self._split(targets[start : start + batch])
            losses.append(float(self._test(*parts)))
            sizes.append(len(some))
        return {"loss": float(np.average(losses, weights=sizes)), **self._results()}

    def _on_all(self, function):
        """Return a function that runs `function` on all replicas and returns the loss of the whole batch."""
        return lambda *parts: self.strategy.experimental_local_results(self.strategy.run(function, parts))[0]

    def _train_step(self, images, targets):
        """Change the weights by the gradient of a batch of this replica, and return the loss of the whole batch."""
        import tensorflow

        network, optimizer = self.network, self.network.optimizer
        with tensorflow.GradientTape() as tape:
            predictions = network(images, training=True)
            loss = self.loss.call(targets, predictions)
            scaled = optimizer.scale_loss(loss / self.strategy.num_replicas_in_sync)
        gradients = tape.gradient(scaled, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        self._update_metrics(targets, predictions)
        return loss

    def _test_step(self, images, targets):
        """Return the loss of the whole batch."""
        # For a short last batch, a replica without crops gets one image and no target.
        predictions = self.network(images, training=False)[: ops.shape(targets)[0]]
        self._update_metrics(targets, predictions)
        return self.loss.call(targets, predictions)

    def _update_metrics(self, targets, predictions) -> None:
        for metric in self.metrics:
            metric.update_state(targets, predictions)

    def _reset_metrics(self) -> None:
        for metric in self.metrics:
            metric.reset_state()

    def _results(self) -> dict[str, float]:
        """Return the metrics. Outside of replicas, their variables are read as sums over all replicas."""
        return {metric.name: float(metric.result()) for metric in self.metrics}

    def _split(self, array: np.ndarray, in_place_of_none: np.ndarray | None = None):
        """Return a batch split over the replicas; `in_place_of_none` replaces an empty part."""
        parts = np.array_split(array, self.strategy.num_replicas_in_sync)
        if in_place_of_none is not None:
            parts = [part if len(part) else in_place_of_none for part in parts]
        return self.strategy.experimental_distribute_values_from_function(
            lambda replica: ops.convert_to_tensor(parts[replica.replica_id_in_sync_group])
        )

    def _separate_random_states(self) -> None:
        """Let each replica draw from its own part of the random sequence of each layer."""
        self._are_separate = True
        for layer in self.network.layers:
            state = getattr(getattr(layer, "seed_generator", None), "state", None)
            if state is not None:
                first = ops.convert_to_numpy(state)
                for number, local in enumerate(self.strategy.experimental_local_results(state.value)):
                    local.assign(first + np.array([0, number * REPLICA_OFFSET], first.dtype))
