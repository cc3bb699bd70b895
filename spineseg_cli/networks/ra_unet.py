"""Residual attention-aware U-Net (RA-U-Net), for the cord in T1-weighted scans.

Bueno et al. Automated cervical spinal cord segmentation in real-world MRI of multiple sclerosis patients by optimized hybrid
residual attention-aware convolutional neural networks. Journal of Digital Imaging, 2022 (doi:10.1007/s10278-022-00637-4); after
Jin et al., RA-UNet, Frontiers in Bioengineering and Biotechnology 8:605132, 2020 (arXiv:1811.01328), and Wang et al., Residual
attention network for image classification, CVPR 2017 (arXiv:1704.06904).

The paper describes a 2-D U-Net in which all layers except the first and the last are residual units: three times batch
normalization, ReLU and convolution, with a convolution on the skip connection. The connections from contraction to expansion
have attention modules with a trunk T and a soft mask M, whose output is ``(1 + M) T``. The following is not published and was
chosen here: widths and depth; 3x3 kernels in units, and 1x1 on their skip connections; one unit per level; two units in a trunk
and one at each step of a mask, as in Wang et al.; masks that go down to the grid of the bottleneck; up-sampling by repetition;
and batch normalization with ReLU before the output, since the sums of units are not normalized.

Input: (batch, height, width, 1), height and width multiples of 2**depth; output: (batch, height, width, classes),
probabilities. Parameters with 16 filters, depth 3 and one class: 1,475,345; with 8 filters: 373,001.
"""

from __future__ import annotations

import keras
from keras import layers

MOMENTUM = 0.95


def build_ra_unet(filters: int = 16, depth: int = 3, classes: int = 1) -> keras.Model:
    """Return the untrained network.

    Layers are named after their part of the network: `contraction_first`, `contraction_1_conv_1`, ..., `bottleneck_conv_1`, ...,
    `attention_1`, ..., `expansion_1_conv_1`, ..., `predictions`. An attention module is one layer, which is a model itself, and
    counts as part of the expansion in `training.network_surgery`.
    """
    inputs = keras.Input((None, None, 1), name="image")
    x = layers.Conv2D(filters, 3, padding="same", name="contraction_first")(inputs)
    skips = []
    for level in range(depth):
        x = _residual_unit(x, filters * 2**level, f"contraction_{level + 1}")
        skips.append(x)
        x = layers.MaxPooling2D(name=f"contraction_{level + 1}_pool")(x)
    x = _residual_unit(x, filters * 2**depth, "bottleneck")
    for step, level in enumerate(reversed(range(depth)), start=1):
        width = filters * 2**level
        x = layers.UpSampling2D(name=f"expansion_{step}_up")(x)
        attention = _attention_module(width, depth - level, f"attention_{step}")
        x = layers.Concatenate(name=f"expansion_{step}_join")([x, attention(skips[level])])
        x = _residual_unit(x, width, f"expansion_{step}")
    x = _normalize(x, "expansion_last")
    outputs = layers.Conv2D(classes, 1, activation="sigmoid", dtype="float32", name="predictions")(x)
    return keras.Model(inputs, outputs, name=f"ra_unet_{filters}x{depth}")


def _attention_module(width: int, steps: int, name: str) -> keras.Model:
    """Return the module ``(1 + M(x)) T(x)`` with a trunk T and a mask M in (0, 1), which is computed after `steps` poolings."""
    inputs = keras.Input((None, None, width))
    trunk = inputs
    for number in (1, 2):
        trunk = _residual_unit(trunk, width, f"trunk_{number}")
    mask, passed = inputs, []
    for step in range(1, steps + 1):
        mask = _residual_unit(layers.MaxPooling2D(name=f"mask_down_{step}_pool")(mask), width, f"mask_down_{step}")
        passed.append(mask)
    for step in range(1, steps + 1):
        if step > 1:
            mask = layers.Add(name=f"mask_up_{step}_join")([mask, passed[-step]])
        mask = layers.UpSampling2D(name=f"mask_up_{step}")(_residual_unit(mask, width, f"mask_up_{step}"))
    mask = layers.Conv2D(width, 1, name="mask_1")(_normalize(mask, "mask_1"))
    mask = layers.Conv2D(width, 1, name="mask_2")(_normalize(mask, "mask_2"))
    mask = layers.Activation("sigmoid", name="mask")(mask)
    outputs = layers.Add(name="attended")([trunk, layers.Multiply(name="masked")([mask, trunk])])
    return keras.Model(inputs, outputs, name=name)


def _residual_unit(x, width: int, name: str):
    """Return ``F(x) + W x``, where F is three times batch normalization, ReLU and a 3x3 convolution, and W a 1x1 convolution."""
    skip = layers.Conv2D(width, 1, name=f"{name}_skip")(x)
    for number in (1, 2, 3):
        x = layers.Conv2D(width, 3, padding="same", name=f"{name}_conv_{number}")(_normalize(x, f"{name}_{number}"))
    return layers.Add(name=f"{name}_sum")([x, skip])


def _normalize(x, name: str):
    x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)
