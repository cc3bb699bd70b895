"""Two replicas learn the same as one. Two logical CPUs replace the GPUs, in a separate process."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spineseg_cli.core.inference.runtime import import_tensorflow
from spineseg_cli.weights.files import read_model
from testing.training.runs import CONFIG, crops, history, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replicas")
    command = [sys.executable, "-m", "testing.training.two_replicas", folder]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def found(folder):
    return json.loads((folder / "found.json").read_text())


@pytest.mark.parametrize("loss", ["dice_cross_entropy", "focal_tversky"])
def test_losses_metrics_and_gradients_are_those_of_one(found, loss):
    """Of 3 and 2 crops of a batch, and in a validation whose last batch is shorter. Adam's first moments are the gradients'."""
    (rows, moments), (others, other_moments) = found[loss]
    for row, other in zip(rows, others, strict=True):
        assert row == pytest.approx(other, abs=1e-4)
    assert other_moments == pytest.approx(moments, rel=1e-3, abs=1e-5)


def test_an_infinite_gradient_on_one_replica_skips_the_step(found):
    same, (before, after) = found["float16"]
    assert same
    assert after == before / 2


def test_a_run_goes_on_with_its_dropout(folder):
    rows, others = history(folder / "resumed"), history(folder / "unbroken")
    assert [row["epoch"] for row in rows] == ["0", "1"]
    for row, other in zip(rows, others, strict=True):
        assert [float(v) for v in row.values()] == pytest.approx([float(v) for v in other.values()], rel=1e-5)


def test_one_device_uses_its_weights_and_goes_on(folder):
    import_tensorflow()
    network = read_model(folder / "unbroken" / "tiny.weights.h5").load_network()
    assert np.isfinite(network.predict_on_batch(crops(0)[0])).all()
    changes = {"network.dropout": 0.3, "optimizer": {"schedule": "constant", "epochs": 3}, "validation.subjects": []}
    dropping = CONFIG.with_changes(changes)
    train(dropping, folder / "unbroken")
    assert [row["epoch"] for row in history(folder / "unbroken")] == ["0", "1", "2"]
