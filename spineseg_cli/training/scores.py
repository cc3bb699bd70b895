"""Scores that are watched while a network trains."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="spineseg")
class SoftDice(keras.metrics.Metric):
    """Soft Dice of one output channel over all batches since the last reset, in [0, 1].

    ``2 sum(p r) / (sum(p) + sum(r))``: in a validation over all its crops, so that a crop in which there is nothing to find
    adds its false findings, and is no perfect score. 0 where nothing is there and nothing is found.

    Parameters
    ----------
    channel : int
        Last-axis index of the class in references and predictions.
    """

    def __init__(self, channel: int, name: str = "dice", **kwargs):
        super().__init__(name=name, **kwargs)
        self.channel = channel
        self.overlap = self.add_weight(name="overlap", initializer="zeros")
        self.total = self.add_weight(name="total", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch; weights are not used."""
        reference, prediction = ops.cast(y_true[..., self.channel], self.dtype), ops.cast(y_pred[..., self.channel], self.dtype)
        self.overlap.assign_add(ops.sum(reference * prediction))
        self.total.assign_add(ops.sum(reference) + ops.sum(prediction))

    def result(self):
        """Return the score, a scalar."""
        return 2 * self.overlap / ops.maximum(self.total, keras.config.epsilon())

    def get_config(self) -> dict:
        """Return what rebuilds this metric."""
        return {**super().get_config(), "channel": self.channel}
