"""2-D weights in a 3-D network: the prediction for a stack of equal slices."""

import numpy as np
import pytest

from spineseg_cli.core.inference.runtime import import_tensorflow
from spineseg_cli.errors import WeightsError
from spineseg_cli.networks import build_network
from spineseg_cli.networks.inflate import inflate_from_2d

RNG = np.random.default_rng(0)
DEPTH = 24


@pytest.fixture(scope="module")
def flat():
    """A 2-D network with biases and statistics as after training."""
    import_tensorflow().keras.utils.set_random_seed(0)
    network = build_network("unet3d", filters=2, dimensions=2)
    network.set_weights([w if w.ndim > 1 else RNG.uniform(0.1, 0.9, w.shape) for w in network.get_weights()])
    return network


@pytest.fixture(scope="module")
def solid(flat):
    return build_network("unet3d", filters=2)


def predictions(flat, solid):
    """The 2-D prediction of a slice, (6, 10, 1, 1), and the 3-D one of the slice repeated, (6, 10, DEPTH, 1)."""
    image = RNG.normal(size=(1, 6, 10, 1)).astype(np.float32)
    stack = np.repeat(image[:, :, :, None], DEPTH, axis=3)
    return np.asarray(flat(image))[0][:, :, None], np.asarray(solid(stack))[0]


def test_central_slice_gives_the_2d_prediction_in_every_slice(flat, solid):
    before = flat.get_weights()
    inflate_from_2d(flat, solid)
    assert all((old == new).all() for old, new in zip(before, flat.get_weights(), strict=True)), "the 2-D network is left alone"
    expected, found = predictions(flat, solid)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(found, np.repeat(expected, DEPTH, axis=2), atol=1e-5)  # order of float32 sums


def test_spread_evenly_gives_the_2d_prediction_away_from_the_ends(flat, solid):
    inflate_from_2d(flat, solid, spread="even")
    expected, found = predictions(flat, solid)
    reach = 9  # two convolutions at each end of the network, two at half the resolution, and the pooling
    inner = found[:, :, reach:-reach]
    np.testing.assert_allclose(inner, np.repeat(expected, inner.shape[2], axis=2), atol=1e-5)
    assert abs(found[:, :, 0] - expected[:, :, 0]).max() > 1e-3


def test_the_network_of_the_cord_starts_as_its_2d_one():
    """Also in slices that differ: at first each is seen by itself, as kernels reach to its neighbors with weights of 0."""
    flat, solid = (build_network(name, filters=2, classes=1) for name in ("unet2d", "unet3d_inplane"))
    flat.set_weights([w if w.ndim > 1 else RNG.uniform(0.1, 0.9, w.shape) for w in flat.get_weights()])
    inflate_from_2d(flat, solid)
    slices = RNG.normal(size=(5, 16, 24, 1)).astype(np.float32)
    found = np.asarray(solid(np.moveaxis(slices, 0, 2)[None]))[0]
    np.testing.assert_allclose(np.moveaxis(found, 2, 0), np.asarray(flat(slices)), atol=1e-5)


def test_networks_that_differ_otherwise_are_refused(flat, solid):
    for options in ({"filters": 4}, {"filters": 2, "classes": 2}):
        with pytest.raises(WeightsError, match="is not the 2-D counterpart of unet3d_.: build both with the same"):
            inflate_from_2d(flat, build_network("unet3d", **options))
    with pytest.raises(WeightsError, match="is not the 2-D counterpart of unet3d_2"):
        inflate_from_2d(build_network("unet2d", filters=2), solid)
    with pytest.raises(ValueError, match="expected spread 'center' or 'even'; got 'all'"):
        inflate_from_2d(flat, solid, spread="all")
