"""The residual attention-aware U-Net: its size, its units and attention modules, its TFLite export."""

import numpy as np
import pytest

from spineseg_cli.core.inference.litert import LiteRTRuntime
from spineseg_cli.networks import build_network
from spineseg_cli.networks.export import write_tflite

pytestmark = pytest.mark.usefixtures("tensorflow")

RNG = np.random.default_rng(0)


def as_if_learned(**options):
    """A network whose biases and statistics of batch normalization are not at their start."""
    import keras

    keras.utils.set_random_seed(0)
    network = build_network("ra_unet", **options)
    network.set_weights([w if w.ndim > 1 else RNG.uniform(0.3, 0.7, w.shape) for w in network.get_weights()])
    return network


@pytest.fixture(scope="module")
def learned(tensorflow):
    return as_if_learned(filters=2, depth=2, classes=2)


@pytest.mark.parametrize(("filters", "parameters"), [(16, 1_475_345), (8, 373_001)])
def test_parameters_of_its_page(filters, parameters):
    from spineseg_cli.networks import ra_unet

    assert build_network("ra_unet", filters=filters).count_params() == parameters
    assert f"{parameters:,}" in ra_unet.__doc__


def test_residual_units_in_all_layers_but_the_first_and_the_last():
    network = build_network("ra_unet", filters=2, depth=3)
    outside = [layer.name for layer in network.layers if type(layer).__name__ == "Conv2D"]
    units = [name for name in outside if name.endswith("_skip")]
    assert len(units) == 3 + 1 + 3
    assert sorted(outside) == sorted(
        ["contraction_first", "predictions", *units, *(u.replace("skip", f"conv_{n}") for u in units for n in (1, 2, 3))]
    )


def test_attention_multiplies_the_trunk_by_one_plus_the_mask(learned, tensorflow):
    """(1 + M) T, at every level, with M a sigmoid: where its last layer gives 0.4 everywhere, it is known."""
    keras = tensorflow.keras
    modules = [learned.get_layer(f"attention_{step}") for step in (1, 2)]
    assert [sum(type(layer).__name__ == "MaxPooling2D" for layer in module.layers) for module in modules] == [1, 2]
    for module in modules:
        image = RNG.normal(size=(1, 8, 4, module.input_shape[-1])).astype(np.float32)
        trunk, mask, whole = keras.Model(
            module.input, [module.get_layer(name).output for name in ("trunk_2_sum", "mask", "attended")]
        )(image)
        np.testing.assert_allclose(whole, (1 + mask.numpy()) * trunk.numpy(), rtol=1e-5)
        assert 0 < mask.numpy().min() < mask.numpy().max() < 1
        kernel, bias = module.get_layer("mask_2").get_weights()
        module.get_layer("mask_2").set_weights([0 * kernel, 0 * bias + 0.4])
        np.testing.assert_allclose(module(image), (1 + 1 / (1 + np.exp(-0.4))) * trunk.numpy(), rtol=1e-5)
        module.get_layer("mask_2").set_weights([kernel, bias])


def test_attention_modules_belong_to_the_expansion():
    from spineseg_cli.training.network_surgery import freeze_only, reinitialize

    network = as_if_learned(filters=2, depth=1)
    module = network.get_layer("attention_1")
    before = module.get_weights()
    reinitialize(network, "encoder")
    assert all((old == new).all() for old, new in zip(before, module.get_weights(), strict=True))
    reinitialize(network, "decoder")
    assert all((old != new).any() for old, new in zip(before, module.get_weights(), strict=True))
    assert len({id(w) for w in module.weights} & {id(w) for w in network.trainable_weights}) > 0
    freeze_only(network, ["decoder"])
    assert not {id(w) for w in module.weights} & {id(w) for w in network.trainable_weights}


@pytest.mark.parametrize("shape", [(4, 4), (12, 20)])
def test_any_multiple_of_two_to_the_depth(learned, shape):
    assert learned(np.zeros((1, *shape, 1), np.float32)).shape == (1, *shape, 2)


def test_the_tflite_export_gives_the_same_probabilities(tmp_path):
    path, network = tmp_path / "export.tflite", as_if_learned(filters=2, depth=1)
    write_tflite(network, 24, path)
    windows = RNG.normal(size=(2, 24, 24)).astype(np.float32)
    expected = np.asarray(network(windows[..., None]))
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(LiteRTRuntime(path).predict(windows), expected, atol=1e-5)  # order of float32 sums


def unet2d_parameters(filters, depth):
    """By hand: two 3x3 convolutions a level without biases, each with four numbers a channel of normalization; an output."""
    down = [filters * 2**level for level in range(depth + 1)]
    entering = [1, *down[:-1], *(down[level] + down[level + 1] for level in reversed(range(depth)))]
    widths = [*down, *down[-2::-1]]
    return sum(9 * (n + w) * w + 8 * w for n, w in zip(entering, widths, strict=True)) + filters + 1


def test_comparison_unets_of_the_same_study():
    """U-Net and deep U-Net: the second has one level more."""
    from spineseg_cli.networks import unet2d

    for filters, depth in ((16, 3), (4, 4), (4, 5)):
        assert build_network("unet2d", filters=filters, depth=depth).count_params() == unet2d_parameters(filters, depth)
    for depth in (4, 5):
        assert f"{unet2d_parameters(64, depth):,}" in unet2d.__doc__
