"""Conversion of a network for stacks of slices to 2-D operations, since LiteRT has no 3-D pooling and is faster in 2-D."""

from __future__ import annotations


def network_of_slices(network, window: int, depth: int):
    """Return a `keras.Model` that is equivalent to `network` for one stack of `window` x `window` x `depth` samples.

    Slices become the batch. A kernel of three slices becomes a 2-D kernel on a slice and its two neighbors as channels.

    Parameters
    ----------
    network : keras.Model
        A network like `unet3d_inplane`, with kernels of one or three slices, and pooling and up-sampling by 2 in the plane only.
    window, depth : int
        The number of samples per side, and of slices.

    Raises
    ------
    ValueError
        If the network has layers that mix slices in another way.
    """
    import keras
    from tensorflow import concat, nn, pad, reshape, transpose

    class SliceConvolution(keras.layers.Conv3D):
        """A 3-D convolution, with the same weights, of slices as a batch."""

        def __init__(self, **options):
            super().__init__(**options)
            self.input_spec = None

        def build(self, shape):
            super().build((None,) * 4 + (shape[-1],))
            self.input_spec = None

        def compute_output_shape(self, shape):
            return (*shape[:-1], self.filters)

        def call(self, slices):
            """Return the convolution of slices, shape (depth, height, width, channels)."""
            if self.kernel_size[2] == 3:
                around = pad(slices, [[1, 1], [0, 0], [0, 0], [0, 0]])
                slices = concat([around[:depth], slices, around[2:]], -1)
            flat = reshape(self.kernel, [*self.kernel_size[:2], -1, self.filters])
            convolved = nn.conv2d(slices, flat, 1, "SAME")
            return self.activation(convolved + self.bias if self.use_bias else convolved)

    class NearestUpSampling(keras.layers.Layer):
        """Repeats each sample of slices along both axes: see `networks.export`."""

        def call(self, slices):
            _, height, width, channels = slices.shape
            wider = reshape(concat([slices, slices], -1), [depth, height, 2 * width * channels])
            return reshape(concat([wider, wider], -1), [depth, 2 * height, 2 * width, channels])

    class ToSlices(keras.layers.Layer):
        def call(self, stack):
            return transpose(reshape(stack, [window, window, depth, 1]), [2, 0, 1, 3])

    class ToStack(keras.layers.Layer):
        def call(self, slices):
            return reshape(transpose(slices, [1, 2, 0, 3]), [1, window, window, depth, slices.shape[-1]])

    def in_slices(layer):
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
            raise ValueError(f"the layer {layer.name} of {network.name} mixes slices in a way that LiteRT does not compute")
        return kind.from_config(layer.get_config())

    slices = keras.Input((window, window, 1), batch_size=depth)
    flat = keras.models.clone_model(network, input_tensors=slices, clone_function=in_slices)
    flat.set_weights(network.get_weights())
    stack = keras.Input((window, window, depth, 1), batch_size=1)
    return keras.Model(stack, ToStack()(flat(ToSlices()(stack))))
