"""3-D U-Net that pools in the plane of slices alone: the network of `unet2d`, whose slices see their neighbors.

Between thick slices the cord moves and changes more than within them; pooling along it would mix what is not alike. So each
slice keeps its place at every level, and kernels reach into neighboring slices at some levels only: by default at the full
resolution, where outlines are drawn, and at the lowest, where it is decided what is cord. Started from the weights of the
2-D network (see `networks.inflate`), it predicts what that does.

After Cicek et al., 3D U-Net, MICCAI 2016 (arXiv:1606.06650); pooling by the slices' distance as in Isensee et al., nnU-Net,
Nature Methods 18:203, 2021 (arXiv:1904.08128).

Input: (batch, x, y, slices, 1), x and y multiples of 2**depth, any number of slices; output: (batch, x, y, slices, classes),
probabilities. Parameters with 16 filters, depth 3 and one class: 954,817.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers


def build_unet3d_inplane(
    filters: int = 16, depth: int = 3, classes: int = 1, dropout: float = 0.0, levels_3d: Sequence[int] | None = None
) -> keras.Model:
    """Return the untrained network; its layers are in the order of `unet2d.build_unet2d`.

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
    levels_3d : sequence of int, optional
        The levels whose kernels are 3x3x3; those of others are 3x3x1. 0 is the full resolution, `depth` the lowest; by default
        these two.
    """
    solid = (0, depth) if levels_3d is None else tuple(levels_3d)

    def convolve_twice(x, level):
        """Return two convolutions of a level, each normalized and rectified."""
        kernel = (3, 3, 3 if level in solid else 1)
        for _ in range(2):
            x = layers.Conv3D(filters * 2**level, kernel, padding="same", use_bias=False)(x)
            x = layers.BatchNormalization(momentum=0.95)(x)
            x = layers.Activation("relu")(x)
        return x

    inputs = x = keras.Input((None, None, None, 1), name="image")
    skips = []
    for level in range(depth):
        x = convolve_twice(x, level)
        skips.append(x)
        x = layers.MaxPooling3D((2, 2, 1))(x)
    x = convolve_twice(x, depth)
    if dropout:
        x = layers.SpatialDropout3D(dropout)(x)
    for level in reversed(range(depth)):
        x = layers.Concatenate()([layers.UpSampling3D((2, 2, 1))(x), skips[level]])
        x = convolve_twice(x, level)
    outputs = layers.Conv3D(classes, 1, activation="sigmoid", dtype="float32", name="predictions")(x)
    return keras.Model(inputs, outputs, name=f"unet3d_inplane_{filters}x{depth}")
