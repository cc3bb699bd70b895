"""Losses on probabilities, for any Keras backend. Predictions and references have shape (batch, height, width, classes)."""

from __future__ import annotations

import keras
from keras import ops


def dice_loss(reference, prediction, epsilon: float = 1.0):
    """Return the Dice loss of Perone et al. 2018, in [-1, 0], averaged over classes.

    ``-(2 sum(p r) + eps) / (sum(p) + sum(r) + eps)``, the sums running over the whole batch, so that a slice without the
    structure neither divides by zero nor counts as a perfect one. References may be soft.
    """
    axes = (0, 1, 2)
    overlap = ops.sum(prediction * reference, axis=axes)
    total = ops.sum(prediction, axis=axes) + ops.sum(reference, axis=axes)
    return -ops.mean((2 * overlap + epsilon) / (total + epsilon))


@keras.saving.register_keras_serializable(package="spineseg")
class DiceCrossEntropy(keras.losses.Loss):
    """Dice loss plus `weight` times the binary cross-entropy, averaged over voxels and classes."""

    def __init__(self, weight: float = 0.3, name: str = "dice_cross_entropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.weight = weight

    def call(self, y_true, y_pred):
        """Return the loss of one batch, a scalar."""
        entropy = ops.mean(keras.losses.binary_crossentropy(y_true, y_pred))
        return dice_loss(y_true, y_pred) + self.weight * entropy

    def get_config(self) -> dict:
        """Return what rebuilds this loss."""
        return {**super().get_config(), "weight": self.weight}


def build_loss(name: str, **options) -> keras.losses.Loss:
    """Return the loss called `name`: "dice" or "dice_cross_entropy"."""
    if name == "dice":
        return keras.losses.LossFunctionWrapper(dice_loss, name="dice", **options)
    if name == "dice_cross_entropy":
        return DiceCrossEntropy(**options)
    raise ValueError(f"expected the loss 'dice' or 'dice_cross_entropy'; got {name!r}")


def soft_dice(channel: int, name: str):
    """Return a metric: the soft Dice of one class over a batch."""

    def metric(reference, prediction):
        return -dice_loss(reference[..., channel : channel + 1], prediction[..., channel : channel + 1])

    metric.__name__ = name
    return metric
