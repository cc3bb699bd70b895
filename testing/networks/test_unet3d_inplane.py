"""The 3-D U-Net that pools only within slices."""

import numpy as np
import pytest

from spineseg_cli.networks import build_network, sees_stacks

pytestmark = pytest.mark.usefixtures("tensorflow")


def kernels_of(network):
    return [layer.kernel_size for layer in network.layers if type(layer).__name__ == "Conv3D"]


def test_parameters_and_kernels():
    network = build_network("unet3d_inplane")
    assert network.count_params() == 954_817
    across, within, one = (3, 3, 3), (3, 3, 1), (1, 1, 1)
    assert kernels_of(network) == [across] * 2 + [within] * 4 + [across] * 2 + [within] * 4 + [across] * 2 + [one]


def test_it_has_the_layers_of_the_2d_network():
    solid, flat = (build_network(name, filters=2, dropout=0.2) for name in ("unet3d_inplane", "unet2d"))
    assert [type(layer).__name__.replace("3D", "2D") for layer in solid.layers] == [type(layer).__name__ for layer in flat.layers]


@pytest.mark.parametrize("shape", [(8, 8, 1), (16, 24, 5)])
def test_any_number_of_slices(shape):
    network = build_network("unet3d_inplane", filters=2, classes=2)
    assert network(np.zeros((1, *shape, 1), np.float32)).shape == (1, *shape, 2)


def test_a_slice_sees_six_neighbors_on_either_side():
    network = build_network("unet3d_inplane", filters=2)
    stack = np.random.default_rng(0).normal(size=(1, 16, 16, 17, 1)).astype(np.float32)
    changed = stack.copy()
    changed[:, :, :, 8] += 1
    differs = np.abs(np.asarray(network(stack)) - np.asarray(network(changed))).max(axis=(0, 1, 2, 4)) > 0
    assert np.flatnonzero(differs).tolist() == list(range(2, 15))


def test_which_networks_see_stacks():
    seeing = {name: sees_stacks(name, {}) for name in ("unet2d", "unet3d", "unet3d_inplane")}
    assert seeing == {"unet2d": False, "unet3d": True, "unet3d_inplane": True}
    assert not sees_stacks("unet3d", {"dimensions": 2})
