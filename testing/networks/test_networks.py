"""Networks: parameter counts, shapes, and the published weights."""

import keras
import numpy as np
import pytest

from spineseg_cli.errors import InputError, WeightsError
from spineseg_cli.networks import NETWORKS, build_network
from spineseg_cli.networks.legacy import load_legacy_weights

pytestmark = pytest.mark.usefixtures("tensorflow")

WINDOWS = np.random.default_rng(0).normal(size=(2, 24, 40)).astype(np.float32)


def convolution_parameters(network):
    return sum(layer.count_params() for layer in network.layers if type(layer).__name__ == "Conv2D")


@pytest.mark.parametrize(("filters", "total", "convolutions"), [(32, 127_585, 124_769), (64, 478_017, 472_641)])
def test_aspp_has_the_parameters_of_the_paper(filters, total, convolutions):
    network = build_network("aspp", filters=filters)
    assert network.count_params() == total
    assert convolution_parameters(network) == convolutions


@pytest.mark.parametrize("name", NETWORKS)
def test_probabilities_of_the_windows_size(name):
    keras.utils.set_random_seed(0)  # some untrained networks are so sure that a probability is rounded to 1
    network = build_network(name, filters=2, classes=3)
    windows = WINDOWS[..., None] if len(network.input_shape) == 4 else np.stack([WINDOWS, -WINDOWS], axis=3)[..., None]
    probabilities = np.asarray(network(windows))
    assert probabilities.shape == (*windows.shape[:-1], 3)
    assert probabilities.dtype == np.float32
    assert 0 < probabilities.min() <= probabilities.max() < 1
    again = np.asarray(network(windows[:1]))
    np.testing.assert_allclose(again, probabilities[:1], atol=1e-5)  # a window's result does not depend on its neighbors


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (37, 21)])
def test_aspp_takes_any_size(shape):
    network = build_network("aspp", filters=2)
    assert network(np.ones((1, *shape, 1), np.float32)).shape == (1, *shape, 1)


def test_there_is_no_such_network():
    with pytest.raises(InputError, match="'vnet' is not one of the networks; expected one of aspp, unet2d"):
        build_network("vnet")


def test_published_weights_reproduce_the_published_probabilities(shared):
    golden = np.load(shared / "peers" / "golden" / "sct_gm_network.npz")
    for kind, filters in (("challenge", 32), ("large", 64)):
        network = build_network("aspp", filters=filters)
        load_legacy_weights(network, shared / "peers" / "sct_gm" / f"{kind}_model.hdf5")
        probabilities = np.asarray(network(golden["input"][:1]))
        np.testing.assert_allclose(probabilities, golden[f"prob_{kind}"][:1], atol=1e-5)  # order of float32 sums


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pretrained_aug", "pretrained_noaug", "scratch_aug", "scratch_noaug"])
def test_other_published_weights_of_this_network_load(shared, name):
    from spineseg_cli.weights.files import read_model

    network = read_model(shared / "peers" / "kumar_gm" / f"{name}.h5").load_network()
    assert network.count_params() in (127_585, 478_017)


def test_published_weights_of_another_width_do_not_fit(shared):
    network = build_network("aspp", filters=32)
    with pytest.raises(WeightsError, match=r"does not fit the network: layer .* has shapes .*64.*, expected .*32"):
        load_legacy_weights(network, shared / "peers" / "sct_gm" / "large_model.hdf5")
    with pytest.raises(WeightsError, match=r"does not fit the network: expected 32 layers with weights, found \d+ others"):
        load_legacy_weights(network, shared / "peers" / "sct_centerline" / "t2_ctr.h5")
