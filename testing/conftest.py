"""Fixtures for all tests. Tests write only to `tmp_path`."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from spineseg_cli.core.image.nifti import write_volume
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.localization.localizer import NetworkLocalizer
from spineseg_cli.synthesis.phantom import make_phantom
from spineseg_cli.weights.model import Model

# Examples run a pipeline or build a phantom: slow machines must not turn a slow example into a failure. They are the same in each
# run, so that a failure is of the change at hand; others are drawn with `--hypothesis-profile explore`.
settings.register_profile(
    "explore", deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
settings.register_profile("spineseg", settings.get_profile("explore"), derandomize=True)
settings.load_profile("spineseg")

ROOT = Path(__file__).resolve().parent.parent

ORIENTATIONS = [
    "".join(axis[flip] for axis, flip in zip(axes, flips, strict=True))
    for axes in itertools.permutations(("LR", "PA", "IS"))
    for flips in itertools.product((0, 1), repeat=3)
]


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run the tests marked slow")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_disks():
    """What a test writes need not outlive a power cut: `fsync`, which takes long on some disks, does nothing in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real scans and published weights; tests that need it are skipped if it does not exist."""
    folder = Path(os.environ.get("SPINESEG_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"needs the real scans: no folder {folder} (set SPINESEG_SHARED)")
    return folder


@pytest.fixture(scope="session")
def tensorflow():
    """TensorFlow, imported as in the commands; Keras must be imported after it."""
    from spineseg_cli.core.inference.runtime import import_tensorflow

    return import_tensorflow()


@pytest.fixture(scope="session")
def phantom():
    """A small cervical phantom: three thick T2*w slices of 40 mm."""
    return make_phantom(region=(40, 55), spacing_mm=(0.5, 0.5, 5.0), fov_mm=(40.0, 40.0), seed=3)


@pytest.fixture(scope="session")
def phantom_file(phantom, tmp_path_factory) -> Path:
    """The phantom's image as a file."""
    path = tmp_path_factory.mktemp("phantom") / "phantom_T2star.nii.gz"
    write_volume(path, phantom.image)
    return path


@pytest.fixture(scope="session")
def orientations() -> list[str]:
    """All 48 axis orders and flips, as nibabel's axis codes."""
    return ORIENTATIONS


@pytest.fixture(scope="session")
def stored_as():
    """A function that returns a volume with its axes permuted and flipped to nibabel's axis codes; voxels stay where they are."""

    def turn(volume: Volume, codes: str) -> Volume:
        wanted = nib.orientations.axcodes2ornt(codes)
        transform = nib.orientations.ornt_transform(nib.io_orientation(volume.affine), wanted)
        affine = volume.affine @ nib.orientations.inv_ornt_aff(transform, volume.shape)
        return Volume(nib.apply_orientation(volume.data, transform), affine)

    return turn


class StubRuntime:
    """A stub for a network: a deterministic function of intensities and positions without any symmetry."""

    def __init__(self):
        self.windows = []

    def predict(self, windows: np.ndarray) -> np.ndarray:
        self.windows.append(windows)
        x, y = np.meshgrid(*(np.linspace(-1, 1, n) for n in windows.shape[1:]), indexing="ij")
        gray = windows + 0.4 * np.roll(windows, 1, axis=1) - 0.3 * np.roll(windows, 2, axis=2) - 2 * np.hypot(x - 0.1, y + 0.2)
        cord = np.broadcast_to(8 * (0.5 - np.hypot(x - 0.1, y)), windows.shape)
        return (1 / (1 + np.exp(-np.stack([gray + 0.5, cord], axis=-1)))).astype(np.float32)


@pytest.fixture
def stub() -> StubRuntime:
    return StubRuntime()


@pytest.fixture(scope="session")
def stub_model() -> Model:
    """What the stub predicts, and the windows it wants; there is no file."""
    return Model("stub", Path("stub.weights.h5"), "0" * 64, {}, ("gray_matter", "cord"), InferenceConfig(window=64))


class BrightIsCord:
    """A stub for a network, 2-D or 3-D: voxels that are much brighter than the rest of their window are cord."""

    def predict(self, windows: np.ndarray) -> np.ndarray:
        return (1 / (1 + np.exp(3 * (2 - windows))))[..., None].astype(np.float32)


@pytest.fixture
def bright_is_cord(monkeypatch) -> BrightIsCord:
    """Replace every network by the stub."""
    runtime = BrightIsCord()
    monkeypatch.setattr(Model, "open_runtime", lambda self, device, *_: runtime)
    return runtime


@pytest.fixture
def only_bright_is_cord(monkeypatch) -> None:
    """Replace every network by a stub that predicts nothing in noise."""
    runtime = SimpleNamespace(predict=lambda windows: (windows > 3).astype(np.float32)[..., None])
    monkeypatch.setattr(Model, "open_runtime", lambda self, device, *_: runtime)


@pytest.fixture(scope="session")
def cord_model(stub_model) -> Model:
    """A model of the cord, without a file."""
    return replace(stub_model, outputs=("cord",), config=InferenceConfig(spacing_mm=0.5, window=64))


@pytest.fixture(scope="session")
def search_model(stub_model) -> Model:
    """A model that finds the cord, without a file."""
    return replace(stub_model, outputs=("cord",), config=InferenceConfig(spacing_mm=1.0, window=64))


@pytest.fixture
def by_search(search_model) -> NetworkLocalizer:
    """A search for the cord with a network that has no file, and no closer look."""
    return NetworkLocalizer(search=search_model.predictor())


@pytest.fixture(scope="session")
def tube():
    """A function that returns a scan of a bright, slanted tube of 5 mm radius in dim noise, and the tube's mask."""

    def make(shape=(60, 70, 12), spacing_mm=(1.0, 0.9, 4.0), affine=None) -> tuple[Volume, Volume]:
        rng = np.random.default_rng(0)
        x, y, z = (np.arange(n) - (n - 1) / 2 for n in shape)
        x, y, z = np.meshgrid(x * spacing_mm[0], y * spacing_mm[1], z * spacing_mm[2], indexing="ij")
        inside = np.hypot(x - 4 - 0.2 * z, y + 3 + 0.1 * z) < 5
        affine = np.diag([-spacing_mm[0], *spacing_mm[1:], 1.0]) if affine is None else affine
        data = 100 * inside + rng.gamma(2, 5, shape)
        return Volume(data.astype(np.float32), affine), Volume(inside.astype(np.uint8), affine)

    return make


@pytest.fixture(scope="session")
def metadata_file():
    """A function that writes a weights file with metadata and nothing else: enough for a network's stand-in."""

    def write(path: Path, *outputs: str, **preprocessing) -> Path:
        metadata = {"network": {"name": "unet2d"}, "outputs": outputs, "inference": InferenceConfig(**preprocessing).to_dict()}
        with h5py.File(path, "w") as file:
            file.attrs["spineseg"] = json.dumps(metadata)
        return path

    return write


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory) -> Path:
    """A weights file with its metadata, of a network of 484 untrained parameters."""
    from spineseg_cli.core.inference.runtime import import_tensorflow
    from spineseg_cli.networks import build_network
    from spineseg_cli.weights.files import write_model

    import_tensorflow().keras.utils.set_random_seed(0)
    options = {"name": "unet2d", "filters": 2, "depth": 1, "classes": 2}
    path = tmp_path_factory.mktemp("weights") / "tiny.weights.h5"
    write_model(build_network(**options), path, options, ("gray_matter", "cord"), InferenceConfig(window=48))
    return path
