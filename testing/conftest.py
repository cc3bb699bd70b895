"""Fixtures that every test may use. Tests write to `tmp_path` alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from spineseg_cli.core.nifti import write_volume
from spineseg_cli.synthesis.phantom import make_phantom

# Examples run a pipeline or build a phantom: slow machines must not turn a slow example into a failure.
settings.register_profile("spineseg", deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("spineseg")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real scans and published weights; a test that needs it is skipped where it is absent."""
    folder = Path(os.environ.get("SPINESEG_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"needs the real scans: no folder {folder} (set SPINESEG_SHARED)")
    return folder


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
