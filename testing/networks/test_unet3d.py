"""The 3-D U-Net of the cord, and its counterpart for single slices."""

import numpy as np
import pytest

from spineseg_cli.networks import build_network

pytestmark = pytest.mark.usefixtures("tensorflow")


def test_parameters_of_the_paper():
    network = build_network("unet3d")
    assert network.count_params() == 468_817
    assert sum(np.prod(weight.shape) for weight in network.trainable_weights) == 468_193


def test_layers_of_the_paper():
    network = build_network("unet3d")
    convolutions = [layer for layer in network.layers if type(layer).__name__ == "Conv3D"]
    assert [layer.filters for layer in convolutions] == [24, 48, 48, 96, 48, 48, 1]
    assert [layer.kernel_size for layer in convolutions] == [(3, 3, 3)] * 6 + [(1, 1, 1)]
    kinds = [type(layer).__name__ for layer in network.layers if layer.weights]
    assert kinds == ["Conv3D", "BatchNormalization"] * 6 + ["Conv3D"]
    parts = {layer.name.split("_")[0] for layer in network.layers if layer.weights}
    assert parts == {"contraction", "bottleneck", "expansion", "predictions"}


@pytest.mark.parametrize("shape", [(2, 2, 2), (6, 10, 4)])
def test_volumes_of_any_even_size(shape):
    network = build_network("unet3d", filters=2, classes=2)
    assert network(np.zeros((1, *shape, 1), np.float32)).shape == (1, *shape, 2)


def test_the_counterpart_has_the_same_layers():
    solid, flat = (build_network("unet3d", filters=2, dropout=0.2, dimensions=d) for d in (3, 2))
    assert [layer.name for layer in flat.layers if layer.weights] == [layer.name for layer in solid.layers if layer.weights]
    assert [weight.shape[-1] for weight in flat.weights] == [weight.shape[-1] for weight in solid.weights]
    assert flat(np.zeros((1, 6, 8, 1), np.float32)).shape == (1, 6, 8, 1)
