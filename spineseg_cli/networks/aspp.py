"""Deep dilated convolutions with atrous spatial pyramid pooling (ASPP), for gray matter.

Perone, Calabrese, Cohen-Adad. Spinal cord gray matter segmentation using deep dilated convolutions. Scientific Reports
8:5966, 2018 (arXiv:1710.01269).

Input: (batch, height, width, 1), any height and width; output: (batch, height, width, classes), probabilities.
Parameters with one class: 127,585 at 32 filters (124,769 of them in convolutions), 478,017 at 64 (472,641).
"""

from __future__ import annotations

import keras
from keras import layers, ops

RATES = (6, 12, 18, 24)


@keras.saving.register_keras_serializable(package="spineseg")
class RepeatLike(layers.Layer):
    """Repeat a (batch, 1, 1, channels) tensor at every position of a second tensor."""

    def call(self, pooled, like):
        """Return `pooled` with the height and width of `like`."""
        return pooled + ops.zeros_like(like[..., :1])

    def compute_output_shape(self, pooled_shape, like_shape):
        """Return the shape of `like` with the channels of `pooled`."""
        return (*like_shape[:3], pooled_shape[-1])


def build_aspp(filters: int = 32, classes: int = 1, dropout: float = 0.4, momentum: float = 0.1) -> keras.Model:
    """Return the untrained network.

    Every 3x3 convolution has `filters`: 32, or 64 for the "large" model. `dropout` is the fraction of activations that is
    dropped after every layer in training; `momentum` is that of the batch normalization's moving averages.
    """

    def normalize(x):
        x = layers.BatchNormalization(momentum=momentum)(x)
        return layers.Dropout(dropout)(x)

    def convolve(x, name, kernel=3, rate=1, width=filters):
        return layers.Conv2D(width, kernel, padding="same", dilation_rate=rate, activation="relu", name=name)(x)

    inputs = keras.Input((None, None, 1), name="image")
    x = normalize(convolve(inputs, "conv2d_1"))
    first_block = normalize(convolve(x, "conv2d_2"))
    x = normalize(convolve(first_block, "rate2_1", rate=2))
    trunk = normalize(convolve(x, "rate2_2", rate=2))

    x = normalize(convolve(trunk, "branch1x1_1"))
    branches = [normalize(convolve(x, "branch1x1_2", kernel=1))]
    for rate in RATES:
        x = normalize(convolve(trunk, f"rate{rate}_1", rate=rate))
        branches.append(normalize(convolve(x, f"rate{rate}_2", rate=rate)))
    # The paper does not say it, but in the published weights the pooled branch has no normalization, and comes before the branch
    # with the largest rate.
    pooled = layers.GlobalAveragePooling2D(keepdims=True)(first_block)
    branches.insert(-1, RepeatLike()(pooled, trunk))

    x = normalize(layers.Concatenate()(branches))
    x = normalize(convolve(x, "amort", kernel=1, width=64))
    outputs = layers.Conv2D(classes, 1, activation="sigmoid", dtype="float32", name="predictions")(x)
    return keras.Model(inputs, outputs, name=f"aspp{filters}")
