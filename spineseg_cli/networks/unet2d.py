"""2-D U-Net with batch normalization.

Ronneberger, Fischer, Brox. U-Net: convolutional networks for biomedical image segmentation. MICCAI 2015
(arXiv:1505.04597); here with padded convolutions, batch normalization, and up-sampling by repetition.

Input: (batch, height, width, 1), height and width multiples of 2**depth; output: (batch, height, width, classes),
probabilities. Parameters with 16 filters, depth 3 and two classes: 489,138.

Bueno et al. 2022 compare their network (see `ra_unet`) with a U-Net and a "deep" U-Net of unpublished sizes. Plausible choices
are the widths and depth of Ronneberger et al., 64 filters and depth 4, with 31,395,457 parameters for one class; and depth 5,
with 125,791,873.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import keras
from keras import layers


def build_unet2d(filters: int = 16, depth: int = 3, classes: int = 1, dropout: float = 0.0) -> keras.Model:
    """Return the untrained network; for its options see `networks`."""

    def convolve(x, level):
        return layers.Conv2D(filters * 2**level, 3, padding="same", use_bias=False)(x)

    inputs = keras.Input((None, None, 1), name="image")
    drop = partial(layers.SpatialDropout2D, dropout) if dropout else None
    x = down_and_up(inputs, depth, convolve, layers.MaxPooling2D, layers.UpSampling2D, drop)
    outputs = layers.Conv2D(classes, 1, activation="sigmoid", dtype="float32", name="predictions")(x)
    return keras.Model(inputs, outputs, name=f"unet2d_{filters}x{depth}")


def down_and_up(x, depth: int, convolve: Callable, pool: Callable, upsample: Callable, drop: Callable | None):
    """Return the features at full resolution of a U-Net of any dimensions.

    Each level has two convolutions, each with batch normalization and ReLU, on the way down and on the way up; `depth` is the
    number of times that the resolution is halved. `convolve` is a function from a tensor and a level, of which 0 is the full
    resolution, to a convolution of the tensor. `pool`, `upsample` and `drop` return layers: to the next lower and to the next
    higher level, and a dropout for the deepest one, None for no dropout.
    """

    def convolve_twice(x, level):
        for _ in range(2):
            x = layers.BatchNormalization(momentum=0.95)(convolve(x, level))
            x = layers.Activation("relu")(x)
        return x

    skips = []
    for level in range(depth):
        x = convolve_twice(x, level)
        skips.append(x)
        x = pool()(x)
    x = convolve_twice(x, depth)
    x = drop()(x) if drop else x
    for level in reversed(range(depth)):
        x = layers.Concatenate()([upsample()(x), skips[level]])
        x = convolve_twice(x, level)
    return x
