"""Network surgery: exactly the wanted layers are reinitialized or frozen."""

import numpy as np
import pytest

from spineseg_cli.errors import InputError
from spineseg_cli.training.choices import FROZEN, REINITIALIZED, SUBNETWORKS

pytestmark = pytest.mark.usefixtures("tensorflow")

NETWORKS = {
    "unet2d": {"filters": 2, "depth": 2},
    "unet3d": {"filters": 2},
    "unet3d_inplane": {"filters": 2, "depth": 2},
    "aspp": {"filters": 2},
    "perone_unet2d": {},
    "centerline_unet": {},
    "ra_unet": {"filters": 2, "depth": 2},
}

# What the names of layers begin with, in networks that name them after their subnetwork.
PREFIXES = {"encoder": "contraction", "bottleneck": "bottleneck", "decoder": "expansion"}


@pytest.fixture
def build():
    from spineseg_cli.networks import build_network

    return lambda name: build_network(name, **NETWORKS[name])


def weights_of(network):
    return {layer.name: layer.get_weights() for layer in network.layers if layer.weights}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_parts_make_up_the_network(build, name):
    from spineseg_cli.training.network_surgery import layers_of

    network = build(name)
    parts = {part: [layer.name for layer in layers_of(network, part)] for part in SUBNETWORKS}
    assert sorted(sum(parts.values(), [])) == sorted(weights_of(network))
    assert parts["decoder"][-1] == "predictions"
    for part, names in parts.items():  # the layers of two networks are named after theirs
        for other in set(PREFIXES) - {part}:
            assert not [layer for layer in names if layer.startswith(PREFIXES[other])]
    assert {layer.name for layer in layers_of(network, "both")} == {*parts["encoder"], *parts["decoder"]}
    assert len(layers_of(network, "all")) == len(weights_of(network))


def test_a_unet_has_two_convolutions_a_level(build):
    from spineseg_cli.training.network_surgery import layers_of

    network = build("unet2d")
    shapes = {part: [layer.weights[0].shape for layer in layers_of(network, part)][::2] for part in ("encoder", "bottleneck")}
    assert shapes == {
        "encoder": [(3, 3, 1, 2), (3, 3, 2, 2), (3, 3, 2, 4), (3, 3, 4, 4)],
        "bottleneck": [(3, 3, 4, 8), (3, 3, 8, 8)],
    }


@pytest.mark.parametrize("part", REINITIALIZED)
def test_what_is_reinitialized(build, part):
    from spineseg_cli.training.network_surgery import layers_of, reinitialize

    network = build("unet2d")
    network.set_weights([np.full(w.shape, 7, np.float32) for w in network.get_weights()])
    chosen = {layer.name for layer in layers_of(network, part)}
    reinitialize(network, part)
    for name, weights in weights_of(network).items():
        assert any((w != 7).any() for w in weights) == (name in chosen), name


@pytest.mark.parametrize("part", FROZEN)
def test_what_is_frozen(build, part):
    from spineseg_cli.training.network_surgery import freeze_only, layers_of

    network = build("unet2d")
    before = weights_of(network)
    order = [w.shape for w in network.get_weights()]
    frozen = {layer.name for layer in layers_of(network, part)}
    freeze_only(network, [part])
    assert [w.shape for w in network.get_weights()] == order, "weights are exchanged with networks that are not frozen"
    network.compile("adam", "mse")
    rng = np.random.default_rng(0)
    network.train_on_batch(rng.random((2, 16, 16, 1), np.float32), rng.random((2, 16, 16, 1), np.float32))
    for name, weights in weights_of(network).items():
        changed = any((a != b).any() for a, b in zip(before[name], weights, strict=True))
        assert changed == (name not in frozen), name


def test_a_network_without_parts(tensorflow):
    from spineseg_cli.training.network_surgery import reinitialize

    inputs = tensorflow.keras.Input((8, 8, 1))
    network = tensorflow.keras.Model(inputs, tensorflow.keras.layers.Conv2D(1, 1)(inputs), name="flat")
    with pytest.raises(InputError, match="flat has no bottleneck"):
        reinitialize(network, "bottleneck")
