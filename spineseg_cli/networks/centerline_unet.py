"""Dilated 2-D U-Net that predicts a heatmap of the cord's center.

Gros et al. Automatic segmentation of the spinal cord and intramedullary multiple sclerosis lesions with convolutional
neural networks. NeuroImage 184:901, 2019 (arXiv:1805.06349). The layers are those of the published files, without their
division of the logits by a temperature of 1.

Input: (batch, height, width, 1), height and width multiples of 4; output: (batch, height, width, classes), probabilities.
Parameters with one class: 118,033 with 16 filters and 2 layers at the bottom (published for T2w), 39,337 with 8 and 3
(T2*w), 29,961 with 8 and 2 (diffusion).
"""

from __future__ import annotations

import keras
from keras import layers

LEVELS = 2
LEVEL_RATES = (1, 2)


def build_centerline_unet(filters: int = 16, dilations: int = 2, classes: int = 1, dropout: float = 0.4) -> keras.Model:
    """Return the untrained network.

    Layers are named after their part of the network: `contraction_1`, `contraction_1_norm`, `bottleneck_1`,
    `expansion_up_1`, `expansion_1`, ..., `predictions`.

    `dilations` is the number of layers at the bottom, with dilation rates 1, 2, 4, ...; on the way down, each level above has
    two layers, with rates 1 and 2. `dropout` is the fraction of activations that is dropped after every layer in training.
    """

    def convolve(x, width, name, rate=1):
        x = layers.Conv2D(width, 3, padding="same", dilation_rate=rate, name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
        x = layers.Activation("relu")(x)
        return layers.Dropout(dropout)(x)

    inputs = x = keras.Input((None, None, 1), name="image")
    skips = []
    for level in range(LEVELS):
        for i, rate in enumerate(LEVEL_RATES, start=1):
            x = convolve(x, filters * 2**level, f"contraction_{2 * level + i}", rate)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    for i in range(dilations):
        x = convolve(x, filters * 2**LEVELS, f"bottleneck_{i + 1}", rate=2**i)
    for step, level in enumerate(reversed(range(LEVELS))):
        width = filters * 2**level
        x = layers.Conv2DTranspose(width, 2, strides=2, name=f"expansion_up_{step + 1}")(x)
        x = layers.Concatenate()([x, skips[level]])
        for i in (1, 2):
            x = convolve(x, width, f"expansion_{2 * step + i}")
    outputs = layers.Conv2D(classes, 1, activation="sigmoid", dtype="float32", name="predictions")(x)
    return keras.Model(inputs, outputs, name=f"centerline_unet_{filters}x{dilations}")
