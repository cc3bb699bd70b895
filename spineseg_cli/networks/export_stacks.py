"""Conversion of a network for stacks of slices to 2-D operations, since LiteRT has no 3-D pooling and is faster in 2-D.

Slices become the batch. A kernel of three slices becomes a 2-D kernel on a slice and its two neighbors as channels.
"""

from __future__ import annotations

from functools import partial

import keras
from tensorflow import concat, nn, pad, reshape, transpose


def network_of_slices(network: keras.Model, window: int, depth: int) -> keras.Model:
    """Return a network that is equivalent to `network` for one stack of `window` x `window` x `depth` samples.

    Raises ValueError if the network has layers that mix slices in another way.

    `network` is like `unet3d_inplane`: kernels of one or three slices, and pooling and up-sampling by 2 in the plane only.
    """
    slices = keras.Input((window, window, 1), batch_size=depth)
    flat = keras.models.clone_model(network, input_tensors=slices, clone_function=partial(_layer_of_slices, network.name))
    flat.set_weights(network.get_weights())
    stack = keras.Input((window, window, depth, 1), batch_size=1)
    return keras.Model(stack, ToStack()(flat(ToSlices()(stack))))


def _layer_of_slices(network_name: str, layer: keras.Layer) -> keras.Layer:
    """Return the layer for slices as a batch that is equivalent to a layer for a stack; raise ValueError if there is none."""
    kind = type(layer)
    padded = kind is keras.layers.Conv3D and (layer.padding == "same" or layer.kernel_size == (1, 1, 1))
    if padded and layer.kernel_size[2] in (1, 3):
        return SliceConvolution.from_config(layer.get_config())
    if kind is keras.layers.MaxPooling3D and layer.pool_size == (2, 2, 1):
        return keras.layers.MaxPooling2D(name=layer.name)
    if kind is keras.layers.UpSampling3D and layer.size == (2, 2, 1):
        return NearestUpSampling(name=layer.name)
    if kind is keras.layers.SpatialDropout3D:
        return keras.layers.SpatialDropout2D(layer.rate, name=layer.name)
    if kind.__name__.endswith("3D"):
        raise ValueError(f"the layer {layer.name} of {network_name} mixes slices in a way that LiteRT does not compute")
    return kind.from_config(layer.get_config())


class SliceConvolution(keras.layers.Conv3D):
    """A 3-D convolution, with the same weights, of slices as a batch."""

    def __init__(self, **options):
        super().__init__(**options)
        self.input_spec = None

    def build(self, shape):
        """Make the weights of the 3-D convolution."""
        super().build((None,) * 4 + (shape[-1],))
        self.input_spec = None

    def compute_output_shape(self, shape):
        """Return the shape of the slices after the convolution."""
        return (*shape[:-1], self.filters)

    def call(self, slices):
        """Return the convolution of slices, shape (depth, height, width, channels)."""
        if self.kernel_size[2] == 3:
            around = pad(slices, [[1, 1], [0, 0], [0, 0], [0, 0]])
            slices = concat([around[: slices.shape[0]], slices, around[2:]], -1)
        flat = reshape(self.kernel, [*self.kernel_size[:2], -1, self.filters])
        convolved = nn.conv2d(slices, flat, 1, "SAME")
        return self.activation(convolved + self.bias if self.use_bias else convolved)


class NearestUpSampling(keras.layers.Layer):
    """Repeats each sample of slices along both axes: repeated channels, in rows of twice the width, are repeated samples."""

    def call(self, slices):
        """Return slices of shape (depth, height, width, channels) at twice the height and width."""
        depth, height, width, channels = slices.shape
        depth = depth or 1  # networks for windows are exported with an unknown number of them, and run on one
        wider = reshape(concat([slices, slices], -1), [depth, height, 2 * width * channels])
        return reshape(concat([wider, wider], -1), [depth, 2 * height, 2 * width, channels])


class ToSlices(keras.layers.Layer):
    """Rearranges a stack to slices as a batch."""

    def call(self, stack):
        """Return a stack of shape (1, height, width, depth, 1) as (depth, height, width, 1)."""
        return transpose(reshape(stack, stack.shape[1:]), [2, 0, 1, 3])


class ToStack(keras.layers.Layer):
    """Rearranges slices as a batch to a stack."""

    def call(self, slices):
        """Return slices of shape (depth, height, width, channels) as (1, height, width, depth, channels)."""
        depth, height, width, channels = slices.shape
        return reshape(transpose(slices, [1, 2, 0, 3]), [1, height, width, depth, channels])
