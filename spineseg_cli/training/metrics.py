"""Metrics that are computed during training.

Each keeps sums over all batches since its last reset, so that its value in a validation is that of all crops together.
"""

from __future__ import annotations

from collections.abc import Iterable

import keras
from keras import ops

from spineseg_cli.tasks.registry import label_kinds
from spineseg_cli.training.choices import TRAINING_METRICS


class ChannelMetric(keras.metrics.Metric):
    """A metric of one output channel, from sums over voxels.

    `channel` is the index of the class on the last axis of references and predictions.
    """

    sums: tuple[str, ...] = ()

    def __init__(self, channel: int, name: str | None = None):
        super().__init__(name=name)
        self.channel = channel
        for part in self.sums:
            setattr(self, part, self.add_weight(name=part, initializer="zeros"))

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch; sample weights are ignored."""
        self.add(ops.cast(y_true[..., self.channel], self.dtype), ops.cast(y_pred[..., self.channel], self.dtype))

    def add(self, reference, prediction) -> None:
        """Add a batch of one channel."""
        raise NotImplementedError


class SoftDice(ChannelMetric):
    """Soft Dice of one output channel, in [0, 1].

    ``2 sum(p r) / (sum(p) + sum(r))``. A crop without the structure contributes its false positives instead of a perfect score.
    The value is 0 if reference and prediction are empty.
    """

    sums = ("overlap", "total")

    def add(self, reference, prediction) -> None:
        """Add a batch of one channel."""
        self.overlap.assign_add(ops.sum(reference * prediction))
        self.total.assign_add(ops.sum(reference) + ops.sum(prediction))

    def result(self):
        """Return the value, a scalar."""
        return 2 * self.overlap / ops.maximum(self.total, keras.config.epsilon())


class MatthewsCorrelation(ChannelMetric):
    """Matthews correlation coefficient of one output channel, with references and predictions thresholded at 0.5; in [-1, 1].

    ``(TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN))``: Matthews, Biochimica et Biophysica Acta 405:442, 1975;
    the training metric of Bueno et al. 2022. It is 0 if it is undefined because the reference or the prediction is constant.
    """

    sums = ("both", "predicted", "present", "voxels")

    def add(self, reference, prediction) -> None:
        """Add a batch of one channel."""
        reference, prediction = (ops.cast(x > 0.5, self.dtype) for x in (reference, prediction))
        self.both.assign_add(ops.sum(reference * prediction))
        self.predicted.assign_add(ops.sum(prediction))
        self.present.assign_add(ops.sum(reference))
        self.voxels.assign_add(ops.sum(ops.ones_like(reference)))

    def result(self):
        """Return the value, a scalar."""
        # Fractions instead of counts, whose products overflow. TP TN - FP FN = TP n - (TP + FP) (TP + FN).
        n = ops.maximum(self.voxels, 1.0)
        both, predicted, present = self.both / n, self.predicted / n, self.present / n
        spread = ops.sqrt(predicted * (1 - predicted)) * ops.sqrt(present * (1 - present))
        return ops.where(spread > 0, (both - predicted * present) / ops.maximum(spread, keras.config.epsilon()), 0.0)


def build_metrics(names: Iterable[str], outputs: Iterable[str]) -> list[keras.metrics.Metric]:
    """Return the metrics called `names`, of `training.choices.TRAINING_METRICS`, for each output channel: "dice_gray", ..."""
    kinds = label_kinds()
    return [
        TRAINING_METRICS.load(name)(channel, name=f"{name}_{kinds[output].column}")
        for name in names
        for channel, output in enumerate(outputs)
    ]
