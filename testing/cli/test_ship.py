"""Models that are shipped: their files, and what the registry says of them."""

import json

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from spineseg_cli.cli.ship import main as ship
from spineseg_cli.core.inference.runtime import TensorFlowRuntime
from spineseg_cli.weights import find, registry
from spineseg_cli.weights.files import read_model

pytest.importorskip("ai_edge_quantizer", reason="shipping needs ai-edge-quantizer")


@pytest.fixture
def models(tmp_path, monkeypatch):
    """An empty folder of shipped models."""
    monkeypatch.setattr(registry, "models_folder", lambda: tmp_path)
    monkeypatch.setattr(find, "models_folder", lambda: tmp_path)
    (tmp_path / "registry.json").write_text("{}")
    registry.registry.cache_clear()
    yield tmp_path
    registry.registry.cache_clear()


def arrays_of(path):
    """Return the arrays in a weights file."""
    arrays = []
    with h5py.File(path, "r") as file:
        file.visititems(lambda _, item: arrays.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    return arrays


@pytest.mark.parametrize("half", [False, True])
def test_what_is_shipped_is_found_and_predicts_what_the_weights_do(tiny_weights, models, half):
    model = read_model(tiny_weights)
    arguments = ["--weights", str(tiny_weights), "--name", "tiny", *["--half"] * half]
    assert CliRunner().invoke(ship, arguments, catch_exceptions=False).exit_code == 0
    assert set(json.loads((models / "registry.json").read_text())) == {"tiny"}
    registry.registry.cache_clear()
    shipped = find.find_model("tiny")
    assert (shipped.tflite is None, shipped.int8.name) == (half, "tiny.int8.tflite.gz" if half else "tiny.int8.tflite")
    assert len(list((models / "tiny").iterdir())) == (2 if half else 3)
    assert (shipped.network, shipped.outputs, shipped.config) == (model.network, model.outputs, model.config)
    windows = np.random.default_rng(0).normal(size=(2, model.config.window, model.config.window)).astype(np.float32)
    fine, stored = (TensorFlowRuntime(one.load_network, "cpu").predict(windows) for one in (model, shipped))
    # 16 bits err by 2**-11 of each weight; a wrong layer would show at 1e-2 and more.
    np.testing.assert_allclose(stored, fine, atol=1e-3 if half else 0)
    np.testing.assert_allclose(shipped.open_runtime("cpu").predict(windows), fine, atol=0.05)  # of eight bits
    kernels = [item for item in arrays_of(shipped.path) if item.ndim > 1]
    assert {kernel.dtype for kernel in kernels} == {np.dtype(np.float16 if half else np.float32)}
