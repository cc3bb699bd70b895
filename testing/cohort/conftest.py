"""Fixtures for the tests of cohorts: sessions that are processed in this process, with stubs for the networks."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from spineseg_cli.cohort.network_cache import NetworkCache
from spineseg_cli.cohort.participant import make_plan
from spineseg_cli.cohort.selection import Selection
from spineseg_cli.cohort.session import run_session
from spineseg_cli.cohort.settings import read_settings
from spineseg_cli.core.image.nifti import write_volume
from spineseg_cli.weights.model import Model

SHAPE, SPACING_MM = (40, 44, 5), (0.7, 0.6, 4.0)


class Bright:
    """A stub for a network: bright voxels are cord, brighter ones gray matter. It counts its calls."""

    def __init__(self, outputs):
        self.outputs, self.asked = outputs, 0

    def predict(self, windows):
        self.asked += 1
        cord = 1 / (1 + np.exp(-4 * (windows - 1)))
        gray = 1 / (1 + np.exp(-4 * (windows - 2.2)))
        channels = {"cord": cord, "centerline": cord, "gray_matter": gray}
        return np.stack([channels[name] for name in self.outputs], axis=-1).astype(np.float32)


@pytest.fixture
def bright(monkeypatch):
    """Replace every network by the stub, and return the list of loaded ones."""
    loaded = []

    def load(self, device="auto", *_):
        loaded.append(Bright(self.outputs))
        return loaded[-1]

    monkeypatch.setattr(Model, "open_runtime", load)
    return loaded


@pytest.fixture
def bids(tmp_path, tube):
    """A data set of two subjects, the second with a session."""
    root = tmp_path / "bids"
    names = ("sub-01/anat/sub-01_T2star", "sub-02/ses-1/anat/sub-02_ses-1_T2star")
    for number, name in enumerate(names):
        scan = tube(SHAPE, SPACING_MM)[0]
        write_volume(root / f"{name}.nii.gz", scan.with_data(scan.data + number))
    return root


@pytest.fixture
def work(bids, tmp_path, bright):
    """Functions that process the data set, or its first subject, and return results by session; keywords are settings."""

    def run(*, selection=None, force=False, networks=None, only_failed=False, **settings):
        overrides = [f"{name.replace('__', '.')}={value}" for name, value in settings.items()]
        settings = read_settings(None, ["pictures.volume_3d=false", *overrides])
        plan = make_plan(bids, tmp_path / "out", selection or Selection(), settings, force=force, only_failed=only_failed)
        networks = networks or NetworkCache()
        return {job.session: run_session(job, networks) for job in plan.jobs}

    first = partial(run, selection=Selection(participants=("01",)))
    return SimpleNamespace(run=run, run_first=first, bids=bids, out=tmp_path / "out", networks=bright)
