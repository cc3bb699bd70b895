"""Losses on probabilities, for any Keras backend.

References and predictions have shape (batch, height, width, classes), or one more spatial axis; references may be soft.
Overlaps are summed over the whole batch, so that a slice without the structure neither divides by zero nor counts as a perfect
score. The values of the classes are averaged. A batch that is distributed over several GPUs is summed over all of them: see
`training.distributed`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import keras
from keras import ops

from spineseg_cli.training.choices import LOSSES
from spineseg_cli.training.distributed import mean_over_replicas, summed_over_replicas

# Lower limit of the error in the focal loss, whose slope is infinite at an error of 0.
SMALLEST_ERROR = 1e-6


def dice_loss(reference, prediction, epsilon: float = 1.0):
    """Return the Dice loss, in [-1, 0], averaged over classes.

    ``-(2 sum(p r) + eps) / (sum(p) + sum(r) + eps)``: Perone, Calabrese, Cohen-Adad, Scientific Reports 8:5966, 2018; after
    Milletari, Navab, Ahmadi, V-Net, 3DV 2016.
    """
    axes = _all_but_classes(reference)
    overlap = ops.sum(prediction * reference, axis=axes)
    total = ops.sum(prediction, axis=axes) + ops.sum(reference, axis=axes)
    overlap, total = summed_over_replicas(overlap, total)
    return -ops.mean((2 * overlap + epsilon) / (total + epsilon))


def tversky_index(reference, prediction, alpha: float = 0.6, beta: float = 0.4, epsilon: float = 1.0):
    """Return the Tversky index of each class, shape (classes,), in [0, 1].

    ``(TP + eps) / (TP + alpha FN + beta FP + eps)`` with ``TP = sum(p r)``, ``FN = sum((1 - p) r)``, ``FP = sum(p (1 - r))``:
    Salehi, Erdogmus, Gholipour, MLMI 2017 (arXiv:1706.05721). With alpha = beta = 0.5 it is the Dice coefficient.
    alpha and beta weigh false negatives and false positives; `epsilon` keeps the index defined if both tensors are empty.
    """
    axes = _all_but_classes(reference)
    hits = ops.sum(prediction * reference, axis=axes)
    missed = ops.sum((1 - prediction) * reference, axis=axes)
    false = ops.sum(prediction * (1 - reference), axis=axes)
    hits, missed, false = summed_over_replicas(hits, missed, false)
    return (hits + epsilon) / (hits + alpha * missed + beta * false + epsilon)


def dice_cross_entropy_loss(reference, prediction, weight: float = 0.3):
    """Return the Dice loss plus `weight` times the binary cross-entropy."""
    return dice_loss(reference, prediction) + weight * cross_entropy_loss(reference, prediction)


def cross_entropy_loss(reference, prediction):
    """Return the binary cross-entropy, averaged over voxels and classes.

    It is a proper scoring rule: with soft references its minimum is the expected fraction of a voxel that is inside, so that the
    outline is at 0.5 and no threshold has to be chosen. A Dice loss widens uncertain outlines.
    """
    return mean_over_replicas(keras.losses.binary_crossentropy(reference, prediction))


def tversky_loss(reference, prediction, **weights: float):
    """Return the Tversky loss, ``1 - TI``, in [0, 1]: see `tversky_index`. The weights are those of Bueno et al. 2022."""
    return ops.mean(1 - tversky_index(reference, prediction, **weights))


def focal_tversky_loss(reference, prediction, gamma: float = 1.33, **weights: float):
    """Return the focal Tversky loss, ``(1 - TI)^(1 / gamma)``, in [0, 1]; for the weights see `tversky_index`.

    Abraham, Khan, A novel focal Tversky loss function with improved attention U-Net, ISBI 2019 (arXiv:1810.07842). The defaults
    are those of Bueno et al. 2022 for the cord: alpha 0.6 (false negatives), beta 0.4, gamma 1.33.
    """
    error = 1 - tversky_index(reference, prediction, **weights)
    return ops.mean(ops.maximum(error, SMALLEST_ERROR) ** (1 / gamma))


class BatchLoss(keras.losses.Loss):
    """A Keras loss from a function of the references and the predictions of a batch, and of options."""

    def __init__(self, function: Callable, **options: float):
        super().__init__(name=function.__name__)
        self.function = partial(function, **options)

    def call(self, y_true, y_pred):
        """Return the loss of one batch, a scalar."""
        return self.function(y_true, y_pred)


Dice = partial(BatchLoss, dice_loss)
DiceCrossEntropy = partial(BatchLoss, dice_cross_entropy_loss)
CrossEntropy = partial(BatchLoss, cross_entropy_loss)
Tversky = partial(BatchLoss, tversky_loss)
FocalTversky = partial(BatchLoss, focal_tversky_loss)


def build_loss(name: str, **options) -> keras.losses.Loss:
    """Return the loss called `name`, one of `training.choices.LOSSES`, with its options. Raises InputError if there is none."""
    return LOSSES.load(name)(**options)


def _all_but_classes(tensor) -> tuple[int, ...]:
    return tuple(range(len(tensor.shape) - 1))
