"""The U-Net with which Perone et al. compare their dilated network: 14 layers, 776,321 parameters in convolutions.

Perone, Calabrese, Cohen-Adad. Spinal cord gray matter segmentation using deep dilated convolutions. Scientific Reports
8:5966, 2018 (arXiv:1710.01269); after Ronneberger, Fischer, Brox, MICCAI 2015.

The paper gives the numbers of layers and of parameters, but not the widths. This reconstruction has both numbers: before the
output there are 14 convolutions of equal width, as in their dilated network: two 3x3 at each of three levels down, one at the
bottom, a transposed 2x2 and a 3x3 at each level up, and a 1x1. With 80 filters, these and the output have exactly 776,321
parameters, without batch normalization, as in the 124,769 of the dilated network. Other arrangements have the same number of
parameters.

Input: (batch, height, width, 1), height and width multiples of 8; output: (batch, height, width, classes), probabilities.
Parameters with batch normalization: 780,801.
"""

from __future__ import annotations

import keras
from keras import layers

LEVELS = 3


def build_perone_unet2d(filters: int = 80, classes: int = 1, dropout: float = 0.4, momentum: float = 0.1) -> keras.Model:
    """Return the untrained network.

    All convolutions except the last have `filters`; `dropout` and `momentum` are those of `aspp.build_aspp`.
    """

    def normalize(x):
        x = layers.BatchNormalization(momentum=momentum)(x)
        return layers.Dropout(dropout)(x)

    def convolve(x, kernel=3):
        return normalize(layers.Conv2D(filters, kernel, padding="same", activation="relu")(x))

    inputs = x = keras.Input((None, None, 1), name="image")
    skips = []
    for _ in range(LEVELS):
        x = convolve(convolve(x))
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = convolve(x)
    for skip in reversed(skips):
        x = normalize(layers.Conv2DTranspose(filters, 2, strides=2, activation="relu")(x))
        x = convolve(layers.Concatenate()([x, skip]))
    x = convolve(x, kernel=1)
    outputs = layers.Conv2D(classes, 1, activation="sigmoid", dtype="float32", name="predictions")(x)
    return keras.Model(inputs, outputs, name=f"perone_unet2d_{filters}")
