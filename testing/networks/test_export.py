"""A network as a file for LiteRT, in float32 and with eight bits."""

import numpy as np
import pytest

from spineseg_cli.core.inference.litert import LiteRTRuntime
from spineseg_cli.core.inference.runtime import import_tensorflow
from spineseg_cli.networks import NETWORKS, build_network, runs_on_litert
from spineseg_cli.networks.export import write_int8_tflite, write_tflite

pytest.importorskip("ai_edge_quantizer")

RNG = np.random.default_rng(5)


@pytest.fixture
def build():
    """A network of 16 filters with random statistics, as after training."""
    import_tensorflow()

    def made(**options):
        network = build_network(filters=16, **options)
        network.set_weights([np.abs(w) if w.ndim == 1 else 2 * RNG.normal(0, w.std(), w.shape) for w in network.get_weights()])
        return network

    return made


@pytest.mark.parametrize(
    "options", [{"name": "unet2d", "depth": 1}, {"name": "centerline_unet"}], ids=lambda options: options["name"]
)
def test_eight_bits_stay_close_and_take_less_space(build, tmp_path, options):
    network = build(**options)
    windows = RNG.normal(size=(6, 16, 16)).astype(np.float32)
    write_tflite(network, 16, tmp_path / "float32.tflite")
    write_int8_tflite(tmp_path / "float32.tflite", tmp_path / "int8.tflite")
    expected = np.asarray(network(windows[..., None], training=False))
    full, small = (LiteRTRuntime(tmp_path / f"{kind}.tflite").predict(windows) for kind in ("float32", "int8"))
    np.testing.assert_allclose(full, expected, atol=1e-4)  # order of float32 sums
    assert np.ptp(full) > 0.1
    assert 0 < np.abs(full - small).mean() < 0.02 * np.ptp(full)
    assert (tmp_path / "int8.tflite").stat().st_size < 0.6 * (tmp_path / "float32.tflite").stat().st_size


def test_a_network_of_stacks_gives_the_same_slice_by_slice(build, tmp_path):
    network = build(name="unet3d_inplane", depth=1)
    stacks = RNG.normal(size=(2, 16, 16, 4)).astype(np.float32)
    write_tflite(network, 16, tmp_path / "float32.tflite", depth=4)
    write_int8_tflite(tmp_path / "float32.tflite", tmp_path / "int8.tflite")
    expected = np.asarray(network(stacks[..., None], training=False))
    full, small = (LiteRTRuntime(tmp_path / f"{kind}.tflite").predict(stacks) for kind in ("float32", "int8"))
    assert full.shape == (2, 16, 16, 4, 1)
    np.testing.assert_allclose(full, expected, atol=1e-4)  # order of float32 sums
    assert np.ptp(full) > 0.1
    assert 0 < np.abs(full - small).mean() < 0.02 * np.ptp(full)


def test_pooling_along_the_cord_is_not_for_litert(build, tmp_path):
    with pytest.raises(ValueError, match="mixes slices in a way that LiteRT does not compute"):
        write_tflite(build(name="unet3d"), 16, tmp_path / "out.tflite", depth=4)
    assert [name for name in NETWORKS if not runs_on_litert(name)] == ["unet3d"]
