"""Training, and resuming a run that was killed."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from spineseg_cli.core.image.nifti import write_volume
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.errors import InputError
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.config_files import load_config, write_config
from spineseg_cli.weights.files import read_model, write_model
from testing.training.runs import history

pytestmark = pytest.mark.usefixtures("tensorflow")

CONFIG = TrainingConfig.model_validate(
    {
        "name": "tiny",
        "network": {"name": "unet2d", "filters": 2, "depth": 1, "classes": 2, "dropout": 0.2},
        "data": {
            "label_maps": [{"cord": "*_seg.nii.gz", "gray_matter": "*_gmseg.nii.gz"}],
            "labeled_scans": [{"image": "*_T2star.nii.gz", "cord": "*_seg.nii.gz", "gray_matter": "*_gmseg.nii.gz"}],
            "scan_fraction": 0.5,
        },
        "inference": {"window": 32},
        "sampling": {"crop_sizes": [32, 40]},
        "validation": {"subjects": ["sub-2"]},
        "optimizer": {"batch_size": 2, "epochs": 4, "steps_per_epoch": 40, "learning_rate": 0.01},
    }
)


@pytest.fixture(scope="module")
def data(phantom, tmp_path_factory):
    """Two labeled scans."""
    folder = tmp_path_factory.mktemp("data")
    for subject in ("sub-1", "sub-2"):
        write_volume(folder / f"{subject}_T2star.nii.gz", phantom.image)
        write_volume(folder / f"{subject}_T2star_seg.nii.gz", phantom.cord, np.uint8)
        write_volume(folder / f"{subject}_T2star_gmseg.nii.gz", phantom.gray_matter, np.uint8)
    return folder


def test_a_killed_run_goes_on_and_ends_where_an_unbroken_one_does(data, tmp_path):
    from spineseg_cli.training.train import train

    path = tmp_path / "tiny.yaml"
    write_config(path, CONFIG)
    broken = tmp_path / "broken"
    command = [sys.executable, "-m", "spineseg_cli.cli.train", "--config", path, "--data", data, "--out", broken]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not ((broken / "history.csv").exists() and len(history(broken)) >= 1):
            assert process.poll() is None, "ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    finished = len(history(broken))
    assert 1 <= finished < CONFIG.optimizer.epochs
    assert not (broken / "tiny.weights.h5").exists()
    # As if it had been killed between the two writes at the end of an epoch, or in the midst of the first.
    (broken / "history.csv").write_text("epoch,loss\n")
    (broken / ".partial-x-state.h5").write_text("half")

    # By the command again: in a process that has done other work, TensorFlow may take sums in another order.
    for out in (broken, tmp_path / "unbroken"):
        subprocess.run([*command[:-1], out], env=environment, stderr=subprocess.DEVNULL, check=True)
    resumed, unbroken = (out / "tiny.weights.h5" for out in (broken, tmp_path / "unbroken"))
    assert [row["epoch"] for row in history(broken)] == ["0", "1", "2", "3"]
    for row, other in zip(history(broken), history(tmp_path / "unbroken"), strict=True):
        assert row.keys() == other.keys()
        assert {"loss", "val_loss", "dice_gray", "val_dice_cord", "learning_rate"} <= row.keys()
        # Equal on the machine this was written on; sums in threaded convolutions may be taken in another order elsewhere.
        assert [float(v) for v in row.values()] == pytest.approx([float(v) for v in other.values()], rel=1e-3)
    for one, other in zip(*(read_model(p).load_network().get_weights() for p in (resumed, unbroken)), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    assert {p.name for p in broken.iterdir()} == {"history.csv", "last.weights.h5", "state.h5", "tiny.weights.h5"}
    assert (read_model(resumed).outputs, read_model(resumed).config.window) == (("gray_matter", "cord"), 32)

    rows, weights = (broken / "history.csv").read_bytes(), resumed.read_bytes()
    train(CONFIG, data, broken)  # has ended: nothing to do
    assert (broken / "history.csv").read_bytes() == rows
    assert len(resumed.read_bytes()) == len(weights)
    with pytest.raises(InputError, match=r"other settings \(optimizer.batch_size, leave_out\): choose another output folder"):
        train(CONFIG.with_changes({"optimizer.batch_size": 3}), data, broken, leave_out=["sub-9"])


def test_a_3d_run_starts_from_its_2d_twin(data, tmp_path):
    """At a rate of 0 kernels stay as they were inflated: even shares of the twin's, slice by slice."""
    from spineseg_cli.networks import build_network
    from spineseg_cli.training.train import train

    options = {"name": "unet3d", "filters": 2, "dimensions": 2}
    twin = build_network(**options)
    write_model(twin, tmp_path / "twin.weights.h5", options, ("cord",), InferenceConfig())
    volumetric = CONFIG.with_changes(
        {
            "network": {"name": "unet3d", "filters": 2},
            "outputs": ["cord"],
            "data": {"label_maps": [{"cord": "*_seg.nii.gz"}], "labeled_scans": [], "scan_fraction": 0},
            "validation.subjects": [],
            "inference.depth": 8,
            "sampling": {"crop_sizes": [32], "crop_depth": 8},
            "optimizer": {"epochs": 1, "steps_per_epoch": 1, "learning_rate": 0.0},
        },
        replaced=("network",),
    )
    model = read_model(train(volumetric, data, tmp_path / "run", init=tmp_path / "twin.weights.h5"))
    assert model.config.depth == 8
    kernels = [[w for w in network.get_weights() if w.ndim > 3] for network in (twin, model.load_network())]
    assert len(kernels[0]) > 5
    for flat, deep in zip(*kernels, strict=True):
        np.testing.assert_allclose(deep, np.repeat(flat[:, :, None] / deep.shape[2], deep.shape[2], axis=2), rtol=1e-6)


def test_a_3d_run_on_own_slices_starts_as_its_2d_network(data, tmp_path):
    from spineseg_cli.networks import build_network
    from spineseg_cli.training.network_surgery import starting_network

    options = {"filters": 2, "depth": 2, "classes": 1}
    flat = build_network("unet2d", **options)
    write_model(flat, tmp_path / "flat.weights.h5", {"name": "unet2d", **options}, ("cord",), InferenceConfig())
    changes = {
        "network": {"name": "unet3d_inplane", **options},
        "outputs": ["cord"],
        "data": {"label_maps": [{"phantom": 1}], "labeled_scans": [], "scan_fraction": 0},
        "validation.subjects": [],
        "inference": {"depth": 8, "resample_slices": False},
        "sampling": {"crop_sizes": [32], "crop_depth": 8},
    }
    started = starting_network(CONFIG.with_changes(changes, replaced=("network",)), read_model(tmp_path / "flat.weights.h5"))
    stack = np.random.default_rng(0).normal(size=(1, 16, 16, 3, 1)).astype(np.float32)
    expected = np.asarray(flat(np.moveaxis(stack, 3, 0)[:, 0]))
    np.testing.assert_allclose(np.moveaxis(np.asarray(started(stack))[0], 2, 0), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["perone2017", "perone2017_unet"])
@pytest.mark.slow
def test_published_protocols_run_on_scans(shared, tmp_path, name):
    from spineseg_cli.training.train import train

    short = {"optimizer": {"epochs": 1, "steps_per_epoch": 2, "batch_size": 2}, "validation.subjects": ["sub-9669"]}
    model = read_model(train(load_config(name, short), shared / "data", tmp_path / "run"))
    assert model.outputs == ("gray_matter",)
    assert not model.config.per_slice
    assert set(history(tmp_path / "run")[0]) == {"epoch", "learning_rate", "loss", "dice_gray", "val_loss", "val_dice_gray"}


def test_missing_data_are_named(data, tmp_path):
    from spineseg_cli.training.train import train

    maps = [{"cord": "labels/*_cord.nii.gz", "gray_matter": "labels/*_gm.nii.gz"}]
    with pytest.raises(InputError, match=r"expected training files matching labels/\*_cord.nii.gz under .* found none"):
        train(CONFIG.with_changes({"data.label_maps": maps}), tmp_path, tmp_path / "run")
    with pytest.raises(InputError, match="no scan to validate on: none under .* is of sub-9"):
        train(CONFIG.with_changes({"validation.subjects": ["sub-9"]}), data, tmp_path / "run")
    with pytest.raises(InputError, match="nothing to train on: .* 0 sources of label maps and 0 scans left"):
        train(CONFIG, data, tmp_path / "run", leave_out=["sub-1"])
    with pytest.raises(InputError, match="gives its network unknown options"):
        train(CONFIG.with_changes({"network.width": 3}), data, tmp_path / "run")
