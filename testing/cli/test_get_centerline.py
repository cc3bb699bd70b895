"""The `get_centerline` command from end to end: what it writes, what it refuses, and what each flag does.

Most runs have a stand-in for the network, to which bright is cord.
"""

import csv
import hashlib
import json
import socket

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from spineseg_cli.cli.get_centerline import main
from spineseg_cli.weights import Model, find_model

SPACING_MM = (1.0, 0.9, 4.0)
AFFINE = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.1, -0.2, 0.15) @ np.diag([-1.0, 0.9, 4.0]), [12, -7, 31])
SHAPE = (50, 60, 8)

VOXEL, WORLD, TANGENT = ([f"{name}{axis}{unit}" for axis in "xyz"] for name, unit in (("", "_vx"), ("", "_mm"), ("tangent_", "")))


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def save(path, data, affine=AFFINE):
    nib.save(nib.Nifti1Image(data, affine), path)
    return path


def read(path):
    return nib.load(path).get_fdata()


def table_of(path):
    """The CSV beside an output: its columns, and the numbers in some of them, a row a slice."""
    rows = list(csv.reader(path.with_name(path.name.replace(".nii.gz", ".csv")).open()))
    numbers = np.array(rows[1:], float).reshape(-1, len(rows[0]))
    return rows[0], lambda columns: numbers[:, [rows[0].index(column) for column in columns]]


def snapshot(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def scan(tmp_path, tube):
    return save(tmp_path / "scan.nii.gz", tube(SHAPE, SPACING_MM)[0].data)


@pytest.fixture
def cord(tube):
    return tube(SHAPE, SPACING_MM)[1].data


@pytest.fixture
def no_network(monkeypatch):
    monkeypatch.setattr(Model, "open_runtime", lambda self, device: pytest.fail("a network was loaded"))


def test_defaults(scan, cord, bright_is_cord, tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("the network was touched"))
    before = snapshot(tmp_path)
    result = run("-i", scan)
    assert result.exit_code == 0, result.output
    out, table = tmp_path / "scan_centerline.nii.gz", tmp_path / "scan_centerline.csv"
    assert result.stdout == f"{out}: {8 * 3.6:.1f} mm3\n{table}: 8 slices\n"
    assert result.stderr == ""
    mask = read(out)
    assert nib.load(out).get_data_dtype() == np.uint8
    assert (mask.sum(axis=(0, 1)) == 1).all(), "a voxel a slice"
    assert cord[mask == 1].all()

    after = snapshot(tmp_path)
    assert set(after) - set(before) == {"scan_centerline.nii.gz", "scan_centerline.json", "scan_centerline.csv"}
    assert before.items() <= after.items(), "inputs are unchanged"
    sidecar = json.loads((tmp_path / "scan_centerline.json").read_text())
    assert sidecar["GeneratedBy"][0]["Name"] == "spineseg"
    assert sidecar["Sources"] == [{"File": str(scan), "SHA256": before["scan.nii.gz"]}]
    assert sidecar["Model"] == {"Name": "centerline", "SHA256": find_model("centerline").sha256}
    assert sidecar["Method"] == "optic"
    assert sidecar["Curve"] == {"algorithm": "bspline", "smooth_mm": 30.0, "extrapolate": False}

    assert run("-i", scan, "-v", 0).output == ""
    assert snapshot(tmp_path) == after, "same input, same bytes"


@pytest.mark.parametrize("codes", ["LAS", "PIR", "SAL"])
def test_the_table(stored_as, bright_is_cord, tube, tmp_path, codes):
    """Both kinds of coordinates name one place, which is where the image's voxels are."""
    image = stored_as(tube(SHAPE, SPACING_MM, AFFINE)[0], codes)
    scan = save(tmp_path / "scan.nii.gz", image.data, image.affine)
    assert run("-i", scan).exit_code == 0
    header, column = table_of(tmp_path / "scan_centerline.nii.gz")
    assert header == ["slice", *VOXEL, *WORLD, *TANGENT, "confidence"]
    stored = nib.load(scan).affine
    np.testing.assert_allclose(nib.affines.apply_affine(stored, column(VOXEL)), column(WORLD), atol=1e-3)
    voxels = np.argwhere(read(tmp_path / "scan_centerline.nii.gz"))
    np.testing.assert_array_equal(np.unique(np.round(column(VOXEL)), axis=0), np.unique(voxels, axis=0))
    assert column(["slice"]).ravel().tolist() == list(range(8)), "from the most inferior, whatever the order on disk"
    assert (np.diff(column(WORLD)[:, 2]) > 0).all()
    np.testing.assert_allclose(np.linalg.norm(column(TANGENT), axis=1), 1, atol=1e-5)
    steps = np.diff(column(WORLD), axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    np.testing.assert_allclose(column(TANGENT)[1:], steps, atol=0.05)
    assert (column(["confidence"]) > 0.9).all()


@pytest.mark.parametrize(("space", "columns"), [("pix", VOXEL), ("phys", WORLD)])
def test_coordinates_of_one_kind(scan, bright_is_cord, tmp_path, space, columns):
    assert run("-i", scan).exit_code == 0
    whole = table_of(tmp_path / "scan_centerline.nii.gz")[1]
    assert run("-i", scan, "-space", space).exit_code == 0
    header, column = table_of(tmp_path / "scan_centerline.nii.gz")
    assert header == ["slice", *columns, *TANGENT, "confidence"]
    np.testing.assert_array_equal(column(columns), whole(columns))


def test_outputs_are_on_the_grid_of_the_input_bit_for_bit(odd_header, assert_same_grid, bright_is_cord, tube, tmp_path):
    nib.save(odd_header(tube(SHAPE, SPACING_MM)[0].data, AFFINE), tmp_path / "scan.nii")
    for suffix in (".nii", ".nii.gz"):
        assert run("-i", tmp_path / "scan.nii", "-o", tmp_path / f"out{suffix}").exit_code == 0
        assert_same_grid(tmp_path / f"out{suffix}", tmp_path / "scan.nii")
        assert read(tmp_path / f"out{suffix}").any()


def test_one_dash_or_two(scan, bright_is_cord, tmp_path):
    curve = "-centerline-algo nurbs -centerline-smooth 20 -extrapolation -space pix"
    flags = f"-o X -method cnn -c t1 {curve} -brain 1 -custom centerline -device cpu -v 1"
    written = {}
    for dash in ("-", "--"):
        out = tmp_path / f"out{dash}.nii.gz"
        long = {"-o": "--output", "-c": "--contrast", "-v": "--verbose"}
        words = [long.get(word, f"-{word}") if dash == "--" and word[0] == "-" else word for word in flags.split()]
        result = run("--input" if dash == "--" else "-i", scan, *(out if word == "X" else word for word in words))
        assert result.exit_code == 0, result.output
        sidecar = json.loads((tmp_path / f"out{dash}.json").read_text())
        assert sidecar["Method"] == "cnn"
        assert sidecar["Curve"] == {"algorithm": "nurbs", "smooth_mm": 20.0, "extrapolate": True}
        written[dash] = out.read_bytes(), (tmp_path / f"out{dash}.csv").read_bytes()
        assert all(word in run("-h").stdout for word in words if word[0] == "-")
    assert written["-"] == written["--"]


def test_fitseg_takes_the_centre_of_a_mask(cord, no_network, tmp_path):
    cord = cord.copy()
    cord[:, :, [0, 4, 7]] = 0
    mask = save(tmp_path / "cord.nii.gz", cord)
    out = tmp_path / "cord_centerline.nii.gz"
    result = run("-i", mask, "-method", "fitseg", "-centerline-algo", "linear")
    assert result.exit_code == 0, result.output
    header, column = table_of(out)
    assert column(["slice"]).ravel().tolist() == [1, 2, 3, 4, 5, 6], "a gap is bridged, and nothing is extrapolated"
    centres = [np.argwhere(cord[:, :, k]).mean(axis=0) for k in (1, 2, 3, 5, 6)]
    np.testing.assert_allclose(column(VOXEL)[[0, 1, 2, 4, 5], :2], centres, atol=1e-3)
    assert "Model" not in json.loads((tmp_path / "cord_centerline.json").read_text())

    assert run("-i", mask, "-method", "fitseg", "-extrapolation").exit_code == 0
    header, column = table_of(out)
    assert column(["confidence"]).ravel().tolist() == [0, 1, 1, 1, 1, 1, 1, 0]


def test_a_scan_without_cord_gives_an_empty_image_and_table_and_says_so(bright_is_cord, tmp_path):
    path = save(tmp_path / "noise.nii.gz", np.random.default_rng(0).normal(size=SHAPE).astype(np.float32))
    result = run("-i", path)
    assert result.exit_code == 3
    assert result.stderr == "get_centerline: no cord found; an empty image was written\n"
    out = tmp_path / "noise_centerline.nii.gz"
    assert nib.load(out).shape == SHAPE
    assert not read(out).any()
    assert (tmp_path / "noise_centerline.csv").read_text().count("\n") == 1, "the header alone"


# Refusals


def bad_run(case, folder, data, weights):
    """Return the arguments of a run that must be refused, and what the message must say. Files are made in `folder`."""
    scan = save(folder / "scan.nii", data)
    nan = data.copy()
    nan[0, 0, 0] = np.nan
    match case:
        case "missing":
            return ("-i", folder / "nothing.nii"), "no such file"
        case "NaN":
            return ("-i", save(folder / "nan.nii", nan)), "holds 1 NaN"
        case "constant":
            return ("-i", save(folder / "flat.nii", data * 0 + 7)), "every voxel of"
        case "4-D":
            return ("-i", save(folder / "series.nii", np.stack([data] * 2, -1))), "average it over the last axis, or split it"
        case "output is no NIfTI":
            return ("-i", scan, "-o", folder / "out.csv"), "must end in .nii or .nii.gz"
        case "output is the input":
            return ("-i", scan, "-o", folder / "." / "scan.nii"), "name another output"
        case "sidecar of the input":
            (folder / "scan.json").write_text("{}")
            return ("-i", scan, "-o", folder / "scan.nii.gz"), "it is, or describes, an input"
        case "unknown method":
            return ("-i", scan, "-method", "viewer"), "'optic', 'cnn', 'fitseg'"
        case "unknown algorithm":
            return ("-i", scan, "-centerline-algo", "spline"), "'bspline', 'nurbs', 'polyfit', 'linear'"
        case "no smoothing":
            return ("-i", scan, "-centerline-smooth", 0), "x>0"
        case "endless smoothing":
            return ("-i", scan, "-centerline-smooth", "inf"), "smooth_mm must be above 0 and finite"
        case "empty mask":
            return ("-i", save(folder / "none.nii", data * 0), "-method", "fitseg"), "the centerline is empty"
        case "unknown custom model":
            return ("-i", scan, "--custom", "nothing"), "no model 'nothing'; expected a weights file, or one of: gm"
        case "weights of something else":
            return ("-i", scan, "--custom", weights), "expected weights that predict cord or centerline;"


@pytest.mark.parametrize("case", [
    "missing", "NaN", "constant", "4-D", "output is no NIfTI", "output is the input", "sidecar of the input", "unknown method",
    "unknown algorithm", "no smoothing", "endless smoothing", "empty mask", "unknown custom model", "weights of something else",
])  # fmt: skip
def test_refused_before_a_network_loads_and_nothing_written(no_network, tube, weights_card, tmp_path, case):
    weights = weights_card(tmp_path / "gray.weights.h5", "gray_matter")
    arguments, message = bad_run(case, tmp_path, tube(SHAPE, SPACING_MM)[0].data, weights)
    before = snapshot(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stdout == ""
    if not result.stderr.startswith("Usage"):  # click explains the usage first
        assert result.stderr.startswith("get_centerline: ")
        assert result.stderr.count("\n") == 1
    assert snapshot(tmp_path) == before


# With the shipped network


def test_end_to_end(phantom, phantom_file, tmp_path):
    out = tmp_path / "out.nii.gz"
    result = run("-i", phantom_file, "-o", out)
    assert result.exit_code == 0, result.output
    truth = np.array([np.argwhere(part).mean(axis=0) for part in np.moveaxis(phantom.cord.data, 2, 0)])
    header, column = table_of(out)
    assert abs(column(VOXEL)[:, :2] - truth).max() < 2  # 1 mm
