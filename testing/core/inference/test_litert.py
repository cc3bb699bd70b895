"""The light runtime gives what TensorFlow gives, for the model that ships."""

import numpy as np
import pytest

from spineseg_cli.core.inference.litert import LiteRTRuntime, litert_available
from spineseg_cli.core.inference.runtime import TensorFlowRuntime
from spineseg_cli.errors import WeightsError
from spineseg_cli.weights.model import find_model

needs_litert = pytest.mark.skipif(not litert_available(), reason="LiteRT is not available for this platform")


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
def test_a_damaged_export_is_refused(tmp_path):
    path = tmp_path / "broken.tflite"
    path.write_bytes(b"not a network")
    with pytest.raises(WeightsError, match="broken.tflite"):
        LiteRTRuntime(path)


@needs_litert
def test_the_default_model_starts_without_tensorflow():
    import subprocess
    import sys

    code = (
        "import sys; from spineseg_cli.weights.model import find_model; find_model('gm').open_runtime('auto'); "
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
