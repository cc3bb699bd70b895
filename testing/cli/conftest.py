"""Fixtures for the tests of commands: a scan, stand-ins for the networks, and runs that must be refused."""

from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from spineseg_cli.weights.model import Model
from testing.cli.files import SHAPE, SPACING_MM, save, snapshot, upright


@pytest.fixture
def scan(tmp_path, tube):
    """The file of a scan of a bright cord in dim noise."""
    return save(tmp_path / "scan.nii.gz", tube(SHAPE, SPACING_MM)[0].data)


@pytest.fixture
def cord(tube):
    """The mask of the cord in `scan`."""
    return tube(SHAPE, SPACING_MM)[1].data


@pytest.fixture
def stub_network(monkeypatch, stub):
    """The stub in place of every network, with the outputs that the network has."""
    cord = SimpleNamespace(predict=lambda windows: stub.predict(windows)[..., 1:])
    monkeypatch.setattr(Model, "open_runtime", lambda self, device, *_: stub if len(self.outputs) == 2 else cord)
    return stub


@pytest.fixture
def no_network(monkeypatch):
    """Loading a network fails the test."""
    monkeypatch.setattr(Model, "open_runtime", lambda self, device, *_: pytest.fail("a network was loaded"))


@pytest.fixture(scope="session")
def bad_files(tmp_path_factory, tube, metadata_file):
    """A folder with a scan, its sidecar and cord mask, and with files that a command must refuse; no test changes any."""
    folder = tmp_path_factory.mktemp("bad_files")
    data, cord = (volume.data for volume in tube(SHAPE, SPACING_MM))
    save(folder / "scan.nii", data)
    (folder / "scan.json").write_text("{}")
    (folder / "link.nii").symlink_to(folder / "scan.nii")
    (folder / "lfs.weights.h5").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n")
    save(folder / "nan.nii", data * np.float32(np.nan))
    save(folder / "constant.nii", data * 0 + 7)
    save(folder / "cord.nii", cord)
    save(folder / "empty.nii", cord * 0)
    save(folder / "short.nii", cord[1:])
    save(folder / "elsewhere.nii", cord, upright(SPACING_MM))
    metadata_file(folder / "gray.weights.h5", "gray_matter")
    (folder / "text.weights.h5").write_text("no weights")
    return folder


@pytest.fixture
def assert_refused(bad_files, no_network, monkeypatch):
    """A function that runs a command in the folder `bad_files`, and checks that it says what is wrong and does nothing else."""

    def check(command, line, message):
        monkeypatch.chdir(bad_files)
        before = snapshot(bad_files)
        result = CliRunner().invoke(command, line.split())
        assert result.exit_code == 2, result.output
        assert message in result.stderr
        assert result.stdout == ""
        assert result.stderr.startswith(f"{command.name}: ")
        assert result.stderr.count("\n") == 1
        assert snapshot(bad_files) == before

    return check
