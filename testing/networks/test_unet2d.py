"""The U-Nets: the shipped weights depend on the layers and their order; the comparison one on its published size."""

import pytest

from spineseg_cli.networks import build_network

pytestmark = pytest.mark.usefixtures("tensorflow")


def test_layers_of_the_shipped_network_keep_their_order():
    from spineseg_cli.networks import unet2d

    network = build_network("unet2d", filters=16, depth=3, classes=2)
    kinds = [type(layer).__name__ for layer in network.layers if layer.weights]
    assert kinds == ["Conv2D", "BatchNormalization"] * 14 + ["Conv2D"]
    widths = [layer.filters for layer in network.layers if type(layer).__name__ == "Conv2D"]
    assert widths == [16, 16, 32, 32, 64, 64, 128, 128, 64, 64, 32, 32, 16, 16, 2]
    assert not any(layer.use_bias for layer in network.layers[:-1] if type(layer).__name__ == "Conv2D")
    assert network.count_params() == 489_138
    assert "489,138" in unet2d.__doc__


def test_comparison_network_has_the_layers_and_parameters_of_the_paper():
    network = build_network("perone_unet2d")
    convolutions = [layer for layer in network.layers if type(layer).__name__ in ("Conv2D", "Conv2DTranspose")]
    assert [layer.name for layer in convolutions][-1] == "predictions"
    assert len(convolutions[:-1]) == 14
    assert sum(layer.count_params() for layer in convolutions) == 776_321
    assert network.count_params() == 780_801
    normalizations = [layer for layer in network.layers if type(layer).__name__ == "BatchNormalization"]
    assert len(normalizations) == 14
    assert {layer.momentum for layer in normalizations} == {0.1}
    assert [layer.rate for layer in network.layers if type(layer).__name__ == "Dropout"] == [0.4] * 14
