"""3-D U-Net with one down-sampling step, for the cord.

Gros et al. Automatic segmentation of the spinal cord and intramedullary multiple sclerosis lesions with convolutional
neural networks. NeuroImage 184:901, 2019 (arXiv:1805.06349); fine-tuned for the lumbosacral cord by de Broux, 2021. After
Cicek et al., 3D U-Net, MICCAI 2016 (arXiv:1606.06650).

Input: (batch, x, y, z, 1), each side even; output: (batch, x, y, z, classes), probabilities.
Parameters with 24 filters and one class: 468,817, of which 468,193 are trainable.
"""

from __future__ import annotations

import keras
from keras import layers


def build_unet3d(filters: int = 24, classes: int = 1, dropout: float = 0.0, dimensions: int = 3) -> keras.Model:
    """Return the untrained network.

    Layers are named after their part of the network: `contraction_1`, `contraction_1_norm`, `bottleneck_1`,
    `expansion_1`, ..., `predictions`.

    The first convolution has `filters`, the second one twice as many, and the second one of the lower level four times as
    many. With 2 `dimensions`, it is the counterpart for single slices, with input (batch, x, y, 1); see `networks.inflate`.
    """
    kinds = ("Conv", "MaxPooling", "UpSampling", "SpatialDropout")
    convolution, pooling, upsampling, channel_dropout = (getattr(layers, f"{kind}{dimensions}D") for kind in kinds)

    def convolve(x, width, name):
        x = convolution(width, 3, padding="same", name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
        return layers.Activation("relu")(x)

    inputs = keras.Input((None,) * dimensions + (1,), name="image")
    x = convolve(inputs, filters, "contraction_1")
    skip = convolve(x, 2 * filters, "contraction_2")
    x = pooling()(skip)
    x = convolve(x, 2 * filters, "bottleneck_1")
    x = convolve(x, 4 * filters, "bottleneck_2")
    if dropout:
        x = channel_dropout(dropout)(x)
    x = layers.Concatenate()([upsampling()(x), skip])
    x = convolve(x, 2 * filters, "expansion_1")
    x = convolve(x, 2 * filters, "expansion_2")
    outputs = convolution(classes, 1, activation="sigmoid", dtype="float32", name="predictions")(x)
    return keras.Model(inputs, outputs, name=f"unet{dimensions}d_{filters}")
