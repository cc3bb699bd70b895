"""2-D U-Net with batch normalization.

Ronneberger, Fischer, Brox. U-Net: convolutional networks for biomedical image segmentation. MICCAI 2015
(arXiv:1505.04597); here with padded convolutions, batch normalization, and up-sampling by repetition.

Input: (batch, height, width, 1), height and width multiples of 2**depth; output: (batch, height, width, classes),
probabilities. Parameters with 16 filters, depth 3 and two classes: 489,138.

Bueno et al. 2022 compare their network (see `ra_unet`) with a U-Net and a "deep" one, whose sizes we do not know. The nearest
here: the widths and depth of Ronneberger et al., 64 filters and depth 4, with one class 31,395,457 parameters; and one level
more, depth 5, 125,791,873.
"""

from __future__ import annotations

import keras
from keras import layers


def build_unet2d(filters: int = 16, depth: int = 3, classes: int = 1, dropout: float = 0.0) -> keras.Model:
    """Return the untrained network.

    Parameters
    ----------
    filters : int
        Filters of the first level; each level down has twice as many.
    depth : int
        Number of down-sampling steps.
    classes : int
        Sigmoid output channels.
    dropout : float
        Share of the deepest level's channels dropped while training.
    """

    def convolve_twice(x, width):
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
            x = layers.BatchNormalization(momentum=0.95)(x)
            x = layers.Activation("relu")(x)
        return x

    inputs = x = keras.Input((None, None, 1), name="image")
    skips = []
    for level in range(depth):
        x = convolve_twice(x, filters * 2**level)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = convolve_twice(x, filters * 2**depth)
    if dropout:
        x = layers.SpatialDropout2D(dropout)(x)
    for level in reversed(range(depth)):
        x = layers.Concatenate()([layers.UpSampling2D()(x), skips[level]])
        x = convolve_twice(x, filters * 2**level)
    outputs = layers.Conv2D(classes, 1, activation="sigmoid", dtype="float32", name="predictions")(x)
    return keras.Model(inputs, outputs, name=f"unet2d_{filters}x{depth}")
