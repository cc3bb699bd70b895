"""3-D U-Net that pools only within slices: the network of `unet2d`, with kernels that include neighboring slices.

The cord changes more from one thick slice to the next than within a slice, and pooling along the cord would mix different
sections. Therefore slices stay separate at all levels, and only the kernels of two levels include neighboring slices: those of
the full resolution, which determine the outline, and those of the lowest, which determine what is cord. With the weights of the
2-D network (see `networks.inflate`), it gives the same prediction as that network.

After Cicek et al., 3D U-Net, MICCAI 2016 (arXiv:1606.06650); pooling by the slices' distance as in Isensee et al., nnU-Net,
Nature Methods 18:203, 2021 (arXiv:1904.08128).

Input: (batch, x, y, slices, 1), x and y multiples of 2**depth, any number of slices; output: (batch, x, y, slices, classes),
probabilities. Parameters with 16 filters, depth 3 and one class: 954,817.
"""

from __future__ import annotations

from functools import partial

import keras
from keras import layers

from spineseg_cli.networks.unet2d import down_and_up


def build_unet3d_inplane(filters: int = 16, depth: int = 3, classes: int = 1, dropout: float = 0.0) -> keras.Model:
    """Return the untrained network, whose layers are in the order of `unet2d.build_unet2d`; for its options see `networks`."""

    def convolve(x, level):
        kernel = (3, 3, 3 if level in (0, depth) else 1)
        return layers.Conv3D(filters * 2**level, kernel, padding="same", use_bias=False)(x)

    inputs = keras.Input((None, None, None, 1), name="image")
    in_plane = {"pool": partial(layers.MaxPooling3D, (2, 2, 1)), "upsample": partial(layers.UpSampling3D, (2, 2, 1))}
    x = down_and_up(inputs, depth, convolve, **in_plane, drop=partial(layers.SpatialDropout3D, dropout) if dropout else None)
    outputs = layers.Conv3D(classes, 1, activation="sigmoid", dtype="float32", name="predictions")(x)
    return keras.Model(inputs, outputs, name=f"unet3d_inplane_{filters}x{depth}")
