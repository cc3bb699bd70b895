"""The `seg_cord` command from end to end: what it writes, what it refuses, and what each flag does.

Most runs have a stand-in for the networks, to which bright is cord.
"""

import hashlib
import json
import socket
import subprocess
import sys

import h5py
import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from spineseg_cli.cli.seg_cord import main
from spineseg_cli.core.litert import litert_available
from spineseg_cli.core.nifti import write_volume
from spineseg_cli.core.volume import Volume
from spineseg_cli.registry import registry
from spineseg_cli.weights import Model, find_model

SPACING_MM = (1.0, 0.9, 4.0)
AFFINE = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.1, -0.2, 0.15) @ np.diag([-1.0, 0.9, 4.0]), [12, -7, 31])
ELSEWHERE = nib.affines.from_matvec(np.diag([-1.0, 0.9, 4.0]), [1, 2, 3])
SHAPE = (50, 60, 6)


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def save(path, data, affine=AFFINE):
    nib.save(nib.Nifti1Image(data, affine), path)
    return path


def read(path):
    return nib.load(path).get_fdata()


def dice_of(mask, truth):
    return 2 * (mask * truth).sum() / (mask.sum() + truth.sum())


def sidecar_of(path):
    return json.loads((path.parent / path.name.replace(".nii.gz", ".json")).read_text())


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
    out = tmp_path / "scan_seg.nii.gz"
    assert result.stdout == f"{out}: {read(out).sum() * 3.6:.1f} mm3\n"
    assert result.stderr == ""
    assert nib.load(out).get_data_dtype() == np.uint8
    assert dice_of(read(out), cord) > 0.95

    after = snapshot(tmp_path)
    assert set(after) - set(before) == {"scan_seg.nii.gz", "scan_seg.json"}
    assert before.items() <= after.items(), "inputs are unchanged"
    sidecar = sidecar_of(out)
    model = find_model("cord")
    assert sidecar["GeneratedBy"][0]["Name"] == "spineseg"
    assert sidecar["Sources"] == [{"File": str(scan), "SHA256": before["scan.nii.gz"]}]
    assert sidecar["Model"] == {"Name": "cord", "SHA256": model.sha256}
    assert (sidecar["Threshold"], sidecar["Soft"]) == (model.preprocessing.threshold, False)
    assert (sidecar["Contrast"], sidecar["Centerline"], sidecar["Runtime"]) == ("auto", "optic", "BrightIsCord")
    assert np.shape(sidecar["CropBox"]) == (2, 2)

    assert run("-i", scan, "-v", 0).output == ""
    assert snapshot(tmp_path) == after, "same input, same bytes"


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_outputs_are_on_the_grid_of_the_input_bit_for_bit(odd_header, assert_same_grid, bright_is_cord, tube, tmp_path, suffix):
    nib.save(odd_header(tube(SHAPE, SPACING_MM)[0].data, AFFINE), tmp_path / "scan.nii")
    for flags, dtype in (((), np.uint8), (("--soft",), np.float32)):
        out = tmp_path / f"out{suffix}"
        assert run("-i", tmp_path / "scan.nii", "-o", out, *flags).exit_code == 0
        assert_same_grid(out, tmp_path / "scan.nii")
        assert nib.load(out).get_data_dtype() == dtype
        assert read(out).any()


def test_one_dash_or_two(scan, bright_is_cord, tmp_path):
    flags = "-o X -c t2 -kernel 2d -centerline cnn -overlap 0.3 -thr 0.4 -soft -brain 0 -custom cord -device cpu -v 1"
    written = {}
    for dash in ("-", "--"):
        out = tmp_path / f"out{dash}.nii.gz"
        long = {"-o": "--output", "-c": "--contrast", "-v": "--verbose"}
        words = [long.get(word, f"-{word}") if dash == "--" and word[0] == "-" else word for word in flags.split()]
        result = run("--input" if dash == "--" else "-i", scan, *(out if word == "X" else word for word in words))
        assert result.exit_code == 0, result.output
        sidecar = sidecar_of(out)
        assert (sidecar["Contrast"], sidecar["Centerline"], sidecar["Threshold"], sidecar["Soft"]) == ("t2", "cnn", 0.4, True)
        written[dash] = out.read_bytes()
        assert all(word in run("-h").stdout for word in words if word[0] == "-")
    assert written["-"] == written["--"]


def test_threshold_and_soft(scan, bright_is_cord, tmp_path):
    def result_of(*flags):
        assert run("-i", scan, "-o", tmp_path / "out.nii.gz", *flags).exit_code == 0
        return read(tmp_path / "out.nii.gz")

    sizes = [result_of("-thr", threshold).sum() for threshold in (0.1, 0.5, 0.9)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]
    mask, soft, zero, cut = result_of(), result_of("--soft"), result_of("-thr", 0), result_of("--soft", "-thr", 0.3)
    assert set(np.unique(mask)) == {0, 1}
    assert len(np.unique(soft)) > 100
    assert soft[mask == 1].min() > 0.5
    np.testing.assert_array_equal(zero, soft)
    np.testing.assert_array_equal(cut, np.where(soft > np.float32(0.3), soft, 0))
    assert sidecar_of(tmp_path / "out.nii.gz")["Threshold"] == 0.3


@pytest.mark.parametrize(("method", "thick"), [(None, 0), ("file", 0), ("fitseg", 3)])
def test_a_given_centerline_or_cord_is_followed(scan, cord, bright_is_cord, stored_as, tmp_path, method, thick):
    """Stored in another order than the scan, and shorter than the cord in it."""
    guide = np.zeros(SHAPE, np.uint8)
    for k in (1, 2, 4):
        x, y = np.argwhere(cord[:, :, k]).mean(axis=0).round().astype(int)
        guide[x - thick : x + thick + 1, y - thick : y + thick + 1, k] = 1
    write_volume(tmp_path / "guide.nii", stored_as(Volume(guide, AFFINE), "SPR"), np.uint8)
    result = run("-i", scan, *(("-centerline", method) if method else ()), "-file_centerline", tmp_path / "guide.nii")
    assert result.exit_code == 0, result.output
    mask = read(tmp_path / "scan_seg.nii.gz")
    assert mask.any(axis=(0, 1)).tolist() == [False, True, True, True, True, False]
    assert dice_of(mask[..., 1:5], cord[..., 1:5]) > 0.95
    sidecar = sidecar_of(tmp_path / "scan_seg.nii.gz")
    assert sidecar["Centerline"] == method or (method is None and sidecar["Centerline"] == "file")
    assert [source["File"] for source in sidecar["Sources"]] == [str(scan), str(tmp_path / "guide.nii")]


@pytest.mark.parametrize("overlap", [0, 0.9])
def test_a_3d_network(scan, cord, bright_is_cord, weights_card, tmp_path, overlap):
    weights = weights_card(tmp_path / "mine.weights.h5", "cord", spacing_mm=0.5, window=64, depth=48)
    result = run("-i", scan, "--custom", weights, "--overlap", overlap)
    assert result.exit_code == 0, result.output
    assert dice_of(read(tmp_path / "scan_seg.nii.gz"), cord) > 0.95
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert sidecar_of(tmp_path / "scan_seg.nii.gz")["Model"] == {"Name": "mine", "SHA256": digest}


@pytest.mark.parametrize("flags", [(), ("--soft",), ("-thr", 0)])
def test_a_scan_without_cord_gives_an_empty_mask_and_says_so(bright_is_cord, tmp_path, flags):
    path = save(tmp_path / "noise.nii.gz", np.random.default_rng(0).normal(size=SHAPE).astype(np.float32))
    result = run("-i", path, *flags)
    assert result.exit_code == 3
    assert result.stderr.startswith("seg_cord: no cord found; an empty mask was written")
    out = tmp_path / "noise_seg.nii.gz"
    assert nib.load(out).shape == SHAPE
    assert not read(out).any()
    assert sidecar_of(out)["Runtime"] == "none"


# Refusals


def bad_run(case, folder, data, weights):
    """Return the arguments of a run that must be refused, and what the message must say. Files are made in `folder`."""
    scan = save(folder / "scan.nii", data)
    nan = data.copy()
    nan[0, 0, 0] = np.nan
    line = save(folder / "line.nii", (data > 50).astype(np.uint8))
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
            return ("-i", scan, "-o", folder / "out.png"), "must end in .nii or .nii.gz"
        case "output is the input":
            return ("-i", scan, "-o", folder / "." / "scan.nii"), "name another output"
        case "output is the centerline":
            return ("-i", scan, "-file_centerline", line, "-o", line), "name another output"
        case "sidecar of the input":
            (folder / "scan.json").write_text("{}")
            return ("-i", scan, "-o", folder / "scan.nii.gz"), "it is, or describes, an input"
        case "file without a file":
            return ("-i", scan, "-centerline", "file"), "--centerline file needs a mask: give one with --file-centerline"
        case "fitseg without a file":
            return ("-i", scan, "-centerline", "fitseg"), "--centerline fitseg needs a mask"
        case "a file that is not asked for":
            return ("-i", scan, "-centerline", "cnn", "-file_centerline", line), "leave out --file-centerline, or choose file"
        case "unknown method":
            return ("-i", scan, "-centerline", "viewer"), "'optic', 'cnn', 'file', 'fitseg'"
        case "centerline elsewhere":
            return ("-i", scan, "-file_centerline", save(folder / "there.nii", data, ELSEWHERE)), "must be on one voxel grid"
        case "centerline of another shape":
            return ("-i", scan, "-file_centerline", save(folder / "short.nii", data[1:])), "must be on one voxel grid"
        case "empty centerline":
            return ("-i", scan, "-file_centerline", save(folder / "none.nii", data * 0)), "the centerline is empty"
        case "threshold 1":
            return ("-i", scan, "-thr", 1), "0<=x<1"
        case "threshold nan":
            return ("-i", scan, "-thr", "nan"), "from 0 to below 1; got nan"
        case "overlap 1":
            return ("-i", scan, "-overlap", 1), "0<=x<1"
        case "unknown custom model":
            return ("-i", scan, "--custom", "nothing"), "no model 'nothing'; expected a weights file, or one of: gm"
        case "weights of something else":
            return ("-i", scan, "--custom", weights), f"expected weights that predict cord; {weights} predict gray_matter"
        case "weights that are text":
            (folder / "text.weights.h5").write_text("no weights")
            return ("-i", scan, "--custom", folder / "text.weights.h5"), "damaged or something else"


@pytest.mark.parametrize("case", [
    "missing", "NaN", "constant", "4-D", "output is no NIfTI", "output is the input", "output is the centerline",
    "sidecar of the input", "file without a file", "fitseg without a file", "a file that is not asked for", "unknown method",
    "centerline elsewhere", "centerline of another shape", "empty centerline", "threshold 1", "threshold nan", "overlap 1",
    "unknown custom model", "weights of something else", "weights that are text",
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
        assert result.stderr.startswith("seg_cord: ")
        assert result.stderr.count("\n") == 1
    assert snapshot(tmp_path) == before


def test_weights_that_do_not_fit_their_network_are_refused(scan, tiny_weights, tmp_path):
    """The card names a network that is wider than the weights."""
    weights = tmp_path / "wide.weights.h5"
    weights.write_bytes(tiny_weights.read_bytes())
    with h5py.File(weights, "a") as file:
        card = json.loads(file.attrs["spineseg"])
        card["network"]["filters"] = 4
        file.attrs["spineseg"] = json.dumps(card)
    result = run("-i", scan, "--custom", weights, "-file_centerline", scan)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"seg_cord: the weights in {weights} do not fit the network {{'name': 'unet2d', 'filters': 4")
    assert not (tmp_path / "scan_seg.nii.gz").exists()


def test_published_gray_matter_weights_are_refused(shared, scan, no_network):
    result = run("-i", scan, "--custom", shared / "peers" / "sct_gm" / "challenge_model.hdf5")
    assert result.exit_code == 2
    assert "expected weights that predict cord;" in result.stderr
    assert result.stderr.endswith("predict gray_matter\n")


# With the shipped networks


@pytest.mark.skipif(not litert_available(), reason="needs LiteRT")
def test_end_to_end_without_tensorflow(phantom, phantom_file, tmp_path):
    out = tmp_path / "out.nii.gz"
    code = "\n".join([
        "import sys; from spineseg_cli.cli.seg_cord import main",
        f"try: main(['-i', {str(phantom_file)!r}, '-o', {str(out)!r}])",
        "except SystemExit as end: assert not end.code",
        "sys.exit(', '.join({'tensorflow', 'keras'} & sys.modules.keys()) or 0)",
    ])  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert dice_of(read(out), phantom.cord.data) > 0.9
    first = out.read_bytes()
    assert run("-i", phantom_file, "-o", out).exit_code == 0
    assert out.read_bytes() == first, "another process, the same bytes"


@pytest.mark.skipif("cord3d" not in registry(), reason="no 3-D model is shipped")
def test_the_3d_kernel(phantom, phantom_file, tmp_path):
    result = run("-i", phantom_file, "-o", tmp_path / "out.nii.gz", "-kernel", "3d")
    assert result.exit_code == 0, result.output
    assert sidecar_of(tmp_path / "out.nii.gz")["Model"]["Name"] == "cord3d"
    assert dice_of(read(tmp_path / "out.nii.gz"), phantom.cord.data) > 0.85
