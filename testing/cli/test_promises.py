"""What every command promises that makes an image of a scan: where it writes, on which grid, and what it refuses.

Runs have a stand-in for the networks. What a command finds, and what its own flags do, is in the test file of its name.
"""

import csv
import json
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spineseg_cli.errors import SpinesegError
from spineseg_cli.weights.find import find_model
from spineseg_cli.weights.model import Model
from testing.cli.commands import COMMANDS
from testing.cli.files import AFFINE, SHAPE, SPACING_MM, read, save, sidecar_of, snapshot, upright

pytestmark = pytest.mark.light
SEGMENTATIONS = pytest.mark.parametrize("command", ["seg_cord", "seg_gm"], indirect=True)


@pytest.fixture(params=COMMANDS)
def command(request):
    return COMMANDS[request.param]


@pytest.fixture
def stand_in(command, request):
    """The stand-in for the command's networks."""
    return request.getfixturevalue(command.stand_in)


# What a run writes


def test_defaults(command, stand_in, scan, tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("the network was touched"))
    before = snapshot(tmp_path)
    result = command.run("-i", scan)
    assert result.exit_code == 0, result.output
    for line in result.stderr.splitlines():
        assert "look at" in line or "hard to see" in line, "a stand-in may be unsure"
    after = snapshot(tmp_path)
    assert set(after) - set(before) == {f"scan{command.suffix}{ending}" for ending in command.endings}
    assert before.items() <= after.items(), "inputs are unchanged"

    sidecar = sidecar_of(tmp_path / f"scan{command.suffix}.nii.gz")
    assert sidecar["GeneratedBy"][0]["Name"] == "spineseg"
    assert sidecar["Sources"] == [{"File": str(scan), "SHA256": before["scan.nii.gz"]}]
    assert sidecar["Model"] == {"Name": command.model, "SHA256": find_model(command.model).sha256}
    assert len(sidecar["Model"]["SHA256"]) == 64

    command.run("-i", scan)
    assert snapshot(tmp_path) == after, "same input, same bytes"
    assert command.run("-i", scan, "-v", 0).output == ""


def test_one_dash_or_two(command, stand_in, scan, tmp_path):
    help_text = command.run("-h").stdout
    long = {"-i": "--input", "-o": "--output", "-c": "--contrast", "-m": "--model", "-v": "--verbose"}
    written = {}
    for dash in ("-", "--"):
        out = tmp_path / dash / "out.nii.gz"
        out.parent.mkdir()
        words = ["-i", scan, "-o", out, "-qc", tmp_path / "qc", *command.flags.split()]
        if dash == "--":
            words = [long.get(word, f"-{word}") if str(word).startswith("-") else word for word in words]
        result = command.run(*words)
        assert result.exit_code == 0, result.output
        assert command.said.items() <= sidecar_of(out).items()
        page_entries = [json.loads(path.read_text()) for path in (tmp_path / "qc" / "entries").glob("*.json")]
        assert all(command.said.items() <= entry["details"].items() for entry in page_entries)
        assert page_entries
        sidecar = sidecar_of(out)
        typed = sidecar["GeneratedBy"][0].pop("CommandLine")
        assert shlex.split(typed)[1:] == [str(word) for word in words]
        files = snapshot(out.parent)
        written[dash] = (sidecar, {name: digest for name, digest in files.items() if name != "out.json"})
        assert all(word in help_text for word in words if str(word).startswith("-"))
    assert written["-"] == written["--"]
    assert set(files) == {f"out{ending}" for ending in command.endings}


def test_the_mean_of_a_series(command, stand_in, tmp_path, tube):
    """And what is written is 3-D."""
    data = tube(SHAPE, SPACING_MM)[0].data
    shifted = [data + shift for shift in (-8, 0, 8)]
    results = {}
    for name, content in (("one", data), ("series", np.stack(shifted, -1))):
        scan = save(tmp_path / f"{name}.nii.gz", content)
        done = command.run("-i", scan)
        assert done.exit_code == 0, done.output
        assert ("holds 3 volumes: their mean is taken" in done.stderr) == (name == "series")
        results[name] = read(tmp_path / f"{name}{command.suffix}.nii.gz")
    assert results["series"].shape == SHAPE
    np.testing.assert_array_equal(results["series"], results["one"])


def test_each_volume_of_a_series(command, stand_in, tmp_path, tube):
    if command.main.name == "get_centerline":
        pytest.skip("a centerline is of the mean")
    data = tube(SHAPE, SPACING_MM)[0].data
    save(tmp_path / "one.nii.gz", data)
    save(tmp_path / "series.nii.gz", np.stack([data, np.roll(data, 2, axis=0)], -1))
    said = [command.run("-i", tmp_path / f"{name}.nii.gz", "--volumes", "each") for name in ("one", "series")]
    assert [result.exit_code for result in said] == [0, 0]
    assert "on average, in 2 of 2 volumes" in said[1].stdout
    assert "pictures are those of the first" in said[1].stderr
    one, series = (read(tmp_path / f"{name}{command.suffix}.nii.gz") for name in ("one", "series"))
    np.testing.assert_array_equal(series[..., 0], one)
    assert series.shape == (*SHAPE, 2)
    assert series[..., 1].any()


def image_with(data, kind=nib.Nifti1Image, qform=(AFFINE, 1), sform=(AFFINE, 1)):
    image = kind(data, None)
    image.set_qform(*qform)
    image.set_sform(*sform)
    return image


def scaled(image):
    image.header.set_data_dtype(np.int16)
    image.header.set_slope_inter(0.25, -10)
    return image


def big_endian(image):
    return nib.Nifti1Image(image.dataobj, None, image.header.as_byteswapped(">"))


SHEARED = AFFINE @ nib.affines.from_matvec([[1, 0.1, 0], [0, 1, 0], [0, 0, 1]])
GRIDS = {
    "plain": lambda data: image_with(data),
    "qform alone": lambda data: image_with(data, qform=(AFFINE, 2), sform=(None, 0)),
    "sform alone": lambda data: image_with(data, qform=(None, 0), sform=(AFFINE, 4)),
    "both, different": lambda data: image_with(data, qform=(upright(SPACING_MM), 1), sform=(AFFINE, 2)),
    "neither": lambda data: image_with(data, qform=(None, 0), sform=(None, 0)),
    "int16, scaled": lambda data: scaled(image_with(data)),
    "big endian": lambda data: big_endian(image_with(data)),
    "NIfTI-2": lambda data: image_with(data, nib.Nifti2Image),
    "trailing axes": lambda data: image_with(data[..., None, None]),
    "2-D": lambda data: image_with(data[..., 0]),
    "sheared": lambda data: image_with(data, sform=(SHEARED, 1)),
}
IMAGE_TYPES = {"mask": np.uint8, "white_matter": np.uint8, "soft": np.float32}
GRID_FIELDS = [
    "dim", "pixdim", "xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d",
    "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z",
]  # fmt: skip


@pytest.mark.parametrize("grid", GRIDS)
def test_outputs_are_on_the_grid_of_the_input_bit_for_bit(command, stand_in, tube, tmp_path, grid):
    scan = tmp_path / "scan.nii"
    nib.save(GRIDS[grid](tube((40, 44, 3), SPACING_MM)[0].data), scan)
    stored = nib.load(scan)
    if grid == "int16, scaled":
        assert stored.dataobj.slope == 0.25
    paths = {"mask": tmp_path / "mask.nii.gz", "white_matter": tmp_path / "white_matter.nii.gz", "soft": tmp_path / "soft.nii"}
    for flags in command.image_flags:
        assert command.run("-i", scan, *(paths.get(word, word) for word in flags.split())).exit_code == 0
    written = paths.keys() & " ".join(command.image_flags).split()
    for name in written:
        image = nib.load(paths[name])
        assert type(image) is type(stored)
        assert image.get_data_dtype().newbyteorder("=") == IMAGE_TYPES[name]
        assert image.shape == stored.shape
        np.testing.assert_array_equal(image.affine, stored.affine)
        for field in GRID_FIELDS:
            assert image.header[field].tobytes() == stored.header[field].tobytes(), field
    mask = read(paths["mask"])
    assert set(np.unique(mask)) == {0, 1}
    if "soft" in written:
        np.testing.assert_array_equal(mask, read(paths["soft"]) > 0.5)


@SEGMENTATIONS
def test_how_far_each_slice_can_be_trusted(command, stand_in, scan, tmp_path):
    """In a table, in the sidecar, and on stderr; the mask and the exit code do not change."""
    out, plain, table = tmp_path / f"scan{command.suffix}.nii.gz", tmp_path / "plain.nii.gz", tmp_path / "confidence.csv"
    done, told = command.run("-i", scan, "-o", plain), command.run("-i", scan, "--confidence", table)
    assert done.exit_code == told.exit_code == 0, told.output
    np.testing.assert_array_equal(read(plain), read(out))
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert list(rows[0]) == ["slice", "area_mm2", "confidence", "verdict", "doubt"]
    assert [int(row["slice"]) for row in rows] == list(range(SHAPE[2]))
    said = sidecar_of(out)["Confidence"]
    assert said == sidecar_of(plain)["Confidence"]
    assert [float(row["confidence"]) for row in rows] == pytest.approx(said["Slices"], abs=0.006)
    doubtful = [int(row["slice"]) for row in rows if row["verdict"] == "look"]
    assert said["SlicesToLookAt"] == doubtful
    assert ("look at" in told.stderr) == bool(doubtful) == (said["Verdict"] == "look")
    assert "look at" not in command.run("-i", scan, "-v", 0).stderr


@SEGMENTATIONS
def test_threshold_and_soft(command, stand_in, scan, tmp_path):
    out = tmp_path / "out.nii.gz"

    def result_of(*flags):
        assert command.run("-i", scan, "-o", out, *flags).exit_code == 0
        return read(out)

    masks = [result_of("-thr", threshold) for threshold in (0.1, find_model(command.model).config.threshold, 0.9)]
    assert masks[0].sum() > masks[1].sum() > masks[2].sum() > 0
    np.testing.assert_array_equal(masks[1], result_of())
    soft, zero, cut = result_of("--soft"), result_of("-thr", 0), result_of("--soft", "-thr", 0.3)
    assert sidecar_of(out)["Threshold"] == 0.3
    assert len(np.unique(soft)) > 100
    np.testing.assert_array_equal(zero, soft)
    np.testing.assert_array_equal(cut, np.where(soft > np.float32(0.3), soft, 0))


class Blind:
    """A network's stand-in: it sees nothing anywhere."""

    def predict(self, windows):
        return np.zeros((*windows.shape, 2), np.float32)


@pytest.mark.parametrize(
    ("command", "flags"),
    [*((name, "") for name in COMMANDS), ("seg_cord", "-soft -thr 0.5"), ("seg_gm", "-soft -thr 0.5")],
    indirect=["command"],
)
def test_a_scan_without_cord_gives_an_empty_image_and_says_so(command, scan, monkeypatch, tmp_path, flags):
    monkeypatch.setattr(Model, "open_runtime", lambda self, device, *_: Blind())
    result = command.run("-i", scan, *flags.split())
    assert result.exit_code == 3
    assert result.stderr.startswith(f"{command.main.name}: {command.nothing}")
    assert result.stderr.count("\n") == 1
    out = tmp_path / f"scan{command.suffix}.nii.gz"
    assert nib.load(out).shape == SHAPE
    assert not read(out).any()


# What goes wrong

MISTAKES = {
    "missing": ("-i nothing.nii", "no such file"),
    "a folder": ("-i .", "it is a folder"),
    "weights not fetched": ("-i scan.nii -custom lfs.weights.h5", "not fetched: run git lfs pull --include lfs.weights.h5"),
    "NaN": ("-i nan.nii", "every voxel of nan.nii is NaN or infinite"),
    "constant": ("-i constant.nii", "every voxel of"),
    "output is no NIfTI": ("-i scan.nii -o out.png", "must end in .nii or .nii.gz"),
    "output is a table": ("-i scan.nii -o out.csv", "must end in .nii or .nii.gz"),
    "output is the input": ("-i scan.nii -o ./scan.nii", "name another output"),
    "output is a link to the input": ("-i scan.nii -o link.nii", "name another output"),
    "sidecar of the input": ("-i scan.nii -o scan.nii.gz", "it is, or describes, an input"),
    "output in a file": ("-i scan.nii -o text.weights.h5/out.nii", "choose another output path"),
    "report in a file": ("-i scan.nii -qc text.weights.h5/qc", "choose another output path"),
    "unknown custom model": ("-i scan.nii -custom nothing", "no model 'nothing'; expected a weights file, or one of: gm"),
    "weights that are text": ("-i scan.nii -custom text.weights.h5", "damaged or something else"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_refused_before_a_network_loads_and_nothing_written(command, assert_refused, mistake):
    assert_refused(command.main, *MISTAKES[mistake])


@pytest.mark.parametrize("mistake", ["NaN", "weights that are text"])
def test_refusals_do_not_import_tensorflow(command, bad_files, mistake):
    line, message = MISTAKES[mistake]
    code = "\n".join([
        f"import os, sys; from spineseg_cli.cli.{command.main.name} import main",
        f"os.chdir({str(bad_files)!r})",
        f"try: main({line.split()!r})",
        "except SystemExit as end: code = end.code",
        "heavy = [name for name in ('tensorflow', 'keras', 'ai_edge_litert') if name in sys.modules]",
        "sys.exit(heavy or (code != 2 and code) or 0)",
    ])  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert message in done.stderr


def test_names_in_another_case_are_one_file_on_some_disks(command, no_network, scan, monkeypatch):
    """Here they are two; so their places on the disk are told as such a disk would."""
    stat = Path.stat
    monkeypatch.setattr(Path, "stat", lambda path, **how: stat(path.with_name(path.name.lower()), **how))
    result = command.run("-i", scan, "-o", scan.with_name("SCAN.nii.gz"))
    assert result.exit_code == 2
    assert "SCAN.nii.gz: it is, or describes, an input" in result.stderr


def test_a_failure_while_writing_leaves_nothing(command, stand_in, scan, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nibabel.Nifti1Header.write_to", full)
    before = snapshot(tmp_path)
    result = command.run("-i", scan)
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert snapshot(tmp_path) == before


def test_a_report_that_fails_costs_no_image(command, stand_in, scan, tmp_path, monkeypatch):
    def full(*_, **__):
        raise SpinesegError("is the disk full?")

    monkeypatch.setattr("spineseg_cli.reports.qc.entry.add_entry", full)
    result = command.run("-i", scan, "-qc", tmp_path / "qc")
    assert result.exit_code == 1
    assert f"{command.main.name}: is the disk full?" in result.stderr
    assert read(tmp_path / f"scan{command.suffix}.nii.gz").any()
