"""The light runtime gives what TensorFlow gives, for the model that ships."""

import numpy as np
import pytest

from spineseg_cli.core.extras import is_installed
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.inference.litert import THREADS_VARIABLE, LiteRTRuntime, usable_cpus
from spineseg_cli.core.inference.runtime import TensorFlowRuntime
from spineseg_cli.errors import WeightsError
from spineseg_cli.weights.find import find_model

needs_litert = pytest.mark.skipif(not is_installed("ai_edge_litert"), reason="LiteRT is not available for this platform")


@needs_litert
def test_the_export_agrees_with_tensorflow():
    model = find_model("gm")
    side = model.config.window
    windows = np.random.default_rng(0).normal(size=(3, side, side)).astype(np.float32)
    light = LiteRTRuntime(model.tflite).predict(windows)
    full = TensorFlowRuntime(model.load_network, "cpu").predict(windows)
    assert light.shape == (3, side, side, len(model.outputs))
    # Two implementations of the same sums in float32; a wrong weight or padding would show at 1e-2 and more.
    np.testing.assert_allclose(light, full, atol=1e-4)


@needs_litert
@pytest.mark.parametrize("name", ["gm", "cord", "cord3d", "centerline"])
def test_eight_bits_draw_nearly_the_same_outline(name, phantom):
    model = find_model(name)
    fine, coarse = (predicted(model, phantom, precision) > 0.5 for precision in ("float32", "int8"))
    assert fine.any(axis=(1, 2)).all()
    assert 2 * (fine & coarse).sum() / (fine.sum() + coarse.sum()) > 0.98
    assert model.int8.stat().st_size < 0.5 * model.path.stat().st_size


@needs_litert
def test_copies_side_by_side_give_the_bytes_of_one(phantom, monkeypatch):
    monkeypatch.setattr("spineseg_cli.core.inference.litert.usable_cpus", lambda: 3)
    results = predicted(find_model("cord"), phantom)
    monkeypatch.setattr("spineseg_cli.core.inference.litert.usable_cpus", lambda: 1)
    np.testing.assert_array_equal(predicted(find_model("cord"), phantom), results)


def test_the_number_of_processors_can_be_limited(monkeypatch):
    monkeypatch.delenv(THREADS_VARIABLE, raising=False)
    every = usable_cpus()
    for limit, expected in (("1", 1), (str(every + 1), every), ("0", every), ("many", every)):
        monkeypatch.setenv(THREADS_VARIABLE, limit)
        assert usable_cpus() == expected


def predicted(model, phantom, precision="int8"):
    """Return what a network predicts in windows at the centers of a phantom's slices, (n, side, side, channels)."""
    predictor, scan = model.predictor("cpu", precision=precision), to_rpi(phantom.image)
    windows, slices = predictor.config.windows(scan, None), np.arange(scan.shape[2])
    return predictor.predict(windows.extract(scan.data, slices), windows.inside(slices), scan.spacing_mm[2])


@needs_litert
@pytest.mark.parametrize("name", ["broken.tflite", "broken.tflite.gz"])
def test_a_damaged_export_is_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"not a network")
    with pytest.raises(WeightsError, match=name):
        LiteRTRuntime(path)
