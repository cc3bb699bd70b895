"""The `seg_gm` command from end to end: what it writes, what it refuses, and what each flag does.

Most runs have a stand-in for the network: then they take a tenth of a second, and their results are known.
"""

import hashlib
import json
import socket
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from spineseg_cli.cli.seg_gm import main
from spineseg_cli.core.nifti import read_volume, write_volume
from spineseg_cli.core.volume import Volume
from spineseg_cli.errors import SpinesegError
from spineseg_cli.weights import Model, find_model

AFFINE = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.1, -0.2, 0.15) @ np.diag([-0.5, 0.5, 4.0]), [12, -7, 31])
THRESHOLD = find_model("gm").preprocessing.threshold
OTHER = nib.affines.from_matvec(np.diag([-0.5, 0.5, 4.0]), [1, 2, 3])
DATA = np.random.default_rng(0).gamma(2, 50, (48, 44, 3)).astype(np.float32)


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def save(path, data=DATA, affine=AFFINE, kind=nib.Nifti1Image):
    nib.save(kind(data, affine), path)
    return path


def snapshot(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def read(path):
    return nib.load(path).get_fdata()


@pytest.fixture
def scan(tmp_path):
    return save(tmp_path / "scan.nii.gz")


@pytest.fixture
def stand_in(monkeypatch, stub):
    """The stub in place of every network."""
    monkeypatch.setattr(Model, "open_runtime", lambda self, device: stub)
    return stub


@pytest.fixture
def no_network(monkeypatch):
    def fail(self, device):
        raise AssertionError("a network was loaded")

    monkeypatch.setattr(Model, "open_runtime", fail)


def test_defaults(scan, stand_in, tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("the network was touched"))
    before = snapshot(tmp_path)
    result = run("-i", scan)
    assert result.exit_code == 0, result.output
    out = tmp_path / "scan_gmseg.nii.gz"
    mask = nib.load(out)
    volume_mm3 = float(mask.get_fdata().sum())  # voxels of 1 mm3
    assert result.stdout == f"{out}: {volume_mm3:.1f} mm3\n"
    assert result.stderr == ""
    after = snapshot(tmp_path)
    assert set(after) - set(before) == {"scan_gmseg.nii.gz", "scan_gmseg.json"}
    assert before.items() <= after.items(), "inputs are unchanged"

    sidecar = json.loads((tmp_path / "scan_gmseg.json").read_text())
    assert sidecar["Sources"] == [{"File": str(scan), "SHA256": before["scan.nii.gz"]}]
    assert sidecar["Model"]["Name"] == "gm"
    assert len(sidecar["Model"]["SHA256"]) == 64
    assert (sidecar["Threshold"], sidecar["Soft"], sidecar["TTA"]) == (THRESHOLD, False, False)
    assert np.shape(sidecar["CropBox"]) == (2, 2)

    for flags in ((), ("--tta",)):
        bytes_of = []
        for _ in range(2):
            assert run("-i", scan, *flags).exit_code == 0
            bytes_of.append((out.read_bytes(), (tmp_path / "scan_gmseg.json").read_bytes()))
        assert bytes_of[0] == bytes_of[1], "same input, same bytes"
    assert run("-i", scan, "-v", 0).output == ""


# The same space


def header_with(data, kind=nib.Nifti1Image, qform=(AFFINE, 1), sform=(AFFINE, 1)):
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


GRIDS = {
    "plain": lambda: header_with(DATA),
    "qform alone": lambda: header_with(DATA, qform=(AFFINE, 2), sform=(None, 0)),
    "sform alone": lambda: header_with(DATA, qform=(None, 0), sform=(AFFINE, 4)),
    "both, different": lambda: header_with(DATA, qform=(OTHER, 1), sform=(AFFINE, 2)),
    "neither": lambda: header_with(DATA, qform=(None, 0), sform=(None, 0)),
    "float64": lambda: header_with(DATA.astype(np.float64)),
    "int16, scaled": lambda: scaled(header_with(DATA)),
    "big endian": lambda: big_endian(header_with(DATA)),
    "NIfTI-2": lambda: header_with(DATA, nib.Nifti2Image),
    "trailing axis": lambda: header_with(DATA[..., None]),
    "one slice": lambda: header_with(DATA[..., :1]),
    "2-D": lambda: header_with(DATA[..., 0]),
    "sheared": lambda: header_with(DATA, sform=(AFFINE @ nib.affines.from_matvec([[1, 0.1, 0], [0, 1, 0], [0, 0, 1]]), 1)),
}
GRID_FIELDS = [
    "dim", "pixdim", "xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d",
    "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z",
]  # fmt: skip


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_outputs_are_on_the_grid_of_the_input_bit_for_bit(stand_in, tmp_path, grid, suffix):
    image = GRIDS[grid]()
    nib.save(image, tmp_path / "scan.nii")
    stored = nib.load(tmp_path / "scan.nii")
    if grid == "int16, scaled":
        assert stored.dataobj.slope == 0.25
    out, soft, wm = (tmp_path / f"{name}{suffix}" for name in ("gray", "soft", "wm"))
    assert run("-i", tmp_path / "scan.nii", "-o", out, "--wm", wm).exit_code == 0
    assert run("-i", tmp_path / "scan.nii", "-o", soft, "--soft").exit_code == 0
    for path, dtype in ((out, np.uint8), (wm, np.uint8), (soft, np.float32)):
        written = nib.load(path)
        assert type(written) is type(stored)
        assert written.get_data_dtype().newbyteorder("=") == dtype
        assert written.shape == stored.shape
        np.testing.assert_array_equal(written.affine, stored.affine)
        for field in GRID_FIELDS:
            assert written.header[field].tobytes() == stored.header[field].tobytes(), field
    assert set(np.unique(read(out))) == {0, 1}
    np.testing.assert_array_equal(read(out), read(soft) > THRESHOLD)


# Odd scans


@pytest.mark.parametrize(
    ("shape", "spacing_mm"),
    [((6, 9, 2), (0.5, 0.5, 5)), ((512, 512, 2), (0.3, 0.3, 3)), ((90, 20, 2), (0.2, 1.1, 0.8)), ((1, 1, 8), (0.5, 0.5, 5))],
)
def test_any_size(stand_in, tmp_path, shape, spacing_mm):
    path = save(tmp_path / "scan.nii", np.resize(DATA, shape), np.diag([*spacing_mm, 1]))
    assert run("-i", path).exit_code in (0, 3)
    assert nib.load(tmp_path / "scan_gmseg.nii.gz").shape == shape


@pytest.mark.parametrize("flags", [(), ("--soft", "-thr", 0.5)])
def test_a_scan_without_cord_gives_an_empty_mask_and_says_so(scan, monkeypatch, tmp_path, flags):
    class Nothing:
        def predict(self, windows):
            return np.zeros((*windows.shape, 2), np.float32)

    monkeypatch.setattr(Model, "open_runtime", lambda self, device: Nothing())
    result = run("-i", scan, *flags)
    assert result.exit_code == 3
    assert "no gray matter found; an empty mask was written" in result.stderr
    assert nib.load(tmp_path / "scan_gmseg.nii.gz").shape == DATA.shape
    assert not read(tmp_path / "scan_gmseg.nii.gz").any()


# Flags


def test_threshold_and_soft(scan, stand_in, tmp_path):
    def result_of(*flags):
        assert run("-i", scan, "-o", tmp_path / "out.nii", *flags).exit_code in (0, 3)
        return nib.load(tmp_path / "out.nii")

    masks = [result_of("-thr", threshold).get_fdata() for threshold in (0.1, 0.3, THRESHOLD, 0.7, 0.9)]
    sizes = [mask.sum() for mask in masks]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 5
    np.testing.assert_array_equal(masks[2], result_of().get_fdata())

    soft, zero, cut = result_of("--soft"), result_of("-thr", 0), result_of("--soft", "--thr", 0.3)
    assert json.loads((tmp_path / "out.json").read_text())["Threshold"] == 0.3
    assert len(np.unique(soft.get_fdata())) > 500
    assert soft.get_data_dtype() == zero.get_data_dtype() == np.float32
    np.testing.assert_array_equal(zero.get_fdata(), soft.get_fdata())
    np.testing.assert_array_equal(cut.get_fdata(), np.where(soft.get_fdata() > np.float32(0.3), soft.get_fdata(), 0))


def test_white_matter_and_cord(scan, stand_in, stored_as, tmp_path):
    out, wm, cord = tmp_path / "out.nii", tmp_path / "wm.nii", tmp_path / "cord.nii"
    assert run("-i", scan, "-o", out, "--wm", wm).exit_code == 0
    assert read(wm).any()
    assert not (read(wm) * read(out)).any()
    sidecar = json.loads((tmp_path / "wm.json").read_text())
    assert (sidecar["Threshold"], sidecar["Soft"]) == (THRESHOLD, False)

    image = read_volume(scan)
    disc = np.zeros(DATA.shape, np.float32)
    disc[18:30, 16:28] = 1
    write_volume(cord, stored_as(Volume(disc, image.affine), "SPR"), np.uint8)
    result = run("-i", scan, "-o", out, "--wm", wm, "--cord", cord)
    assert result.exit_code == 0, result.output
    assert read(out).any()
    np.testing.assert_array_equal(read(out) + read(wm), disc)
    assert [source["File"] for source in json.loads((tmp_path / "out.json").read_text())["Sources"]] == [str(scan), str(cord)]


@pytest.mark.parametrize("codes", ["LAS", "PIR", "ARI"])
@pytest.mark.parametrize("thick", [0, 4])
def test_a_centerline_or_cord_mask_moves_the_window(stand_in, stored_as, tmp_path, codes, thick):
    """To a cord 25 mm beside the image's centre; the mask is stored in another order than the scan."""
    shape = (160, 60, 3)
    image = save(tmp_path / "scan.nii", np.resize(DATA, shape), OTHER)
    line = np.zeros(shape, np.float32)
    line[130 - thick : 131 + thick, 30 - thick : 31 + thick] = 1
    write_volume(tmp_path / "line.nii", stored_as(Volume(line, OTHER), codes), np.uint8)
    assert run("-i", image, "-o", tmp_path / "out.nii", "--centerline", tmp_path / "line.nii").exit_code == 0
    assert len(stand_in.windows) == 2, "the window and its mirror image: the cord is not searched for"
    np.testing.assert_array_equal(stand_in.windows[1], stand_in.windows[0][:, ::-1])
    np.testing.assert_allclose(np.argwhere(read(tmp_path / "out.nii")).mean(axis=0)[:2], (130, 30), atol=5)


def test_a_report_gets_an_entry_for_each_run(scan, stand_in, tmp_path, monkeypatch):
    page = tmp_path / "qc" / "index.html"
    (tmp_path / "scan.json").write_text('{"AcquisitionDateTime": "2024-05-01T10:11:12"}')
    for name, count in (("a.nii.gz", 1), ("a.nii.gz", 1), ("b.nii.gz", 2)):
        arguments = ["-i", str(scan), "-o", str(tmp_path / name), "-qc", str(page.parent)]
        monkeypatch.setattr(sys, "argv", ["/bin/seg_gm", *arguments])
        result = run(*arguments)
        assert result.exit_code == 0, result.output
        assert result.stdout.endswith(f"report: {page}\n")
        entries = [json.loads(path.read_text()) for path in page.parent.glob("entries/*.json")]
        assert len(entries) == count
    entry = next(entry for entry in entries if "a.nii.gz" in entry["command"])
    assert (entry["title"], entry["command"].split()[0]) == (str(scan), "seg_gm")
    assert entry["date"] == "2024-05-01T10:11:12"
    assert [mask["name"] for mask in entry["masks"]] == ["cord", "gray matter"]
    assert entry["masks"][1]["volume_mm3"] == read(tmp_path / "a.nii.gz").sum()  # voxels of 1 mm3
    assert entry["details"]["Model"]["Name"] == "gm"


def test_a_report_that_fails_costs_no_mask(scan, stand_in, tmp_path, monkeypatch):
    def full(*_, **__):
        raise SpinesegError("is the disk full?")

    monkeypatch.setattr("spineseg_cli.reports.qc.add_entry", full)
    result = run("-i", scan, "-qc", tmp_path / "qc")
    assert result.exit_code == 1
    assert "seg_gm: is the disk full?" in result.stderr
    assert read(tmp_path / "scan_gmseg.nii.gz").any()


# Refusals


def bad_run(case, folder):
    """Return the arguments of a run that must be refused, and what the message must say. Files are made in `folder`."""
    scan = save(folder / "scan.nii")
    nan = DATA.copy()
    nan[0, 0, 0] = np.nan
    text = folder / "text.weights.h5"
    text.write_text("no weights")
    match case:
        case "missing":
            return ("-i", folder / "nothing.nii"), "no such file"
        case "NaN":
            return ("-i", save(folder / "nan.nii", nan)), "holds 1 NaN"
        case "4-D":
            return ("-i", save(folder / "series.nii", np.stack([DATA] * 2, -1))), "average it over the last axis, or split it"
        case "cut gzip":
            path = folder / "cut.nii.gz"
            path.write_bytes(save(folder / "whole.nii.gz").read_bytes()[:5000])
            return ("-i", path), "cut short"
        case "centerline elsewhere":
            return ("-i", scan, "--centerline", save(folder / "line.nii", DATA, OTHER)), "must be on one voxel grid"
        case "cord of another shape":
            return ("-i", scan, "--cord", save(folder / "cord.nii", DATA[1:])), "must be on one voxel grid"
        case "empty centerline":
            return ("-i", scan, "--centerline", save(folder / "line.nii", DATA * 0)), "the centerline is empty"
        case "threshold 1":
            return ("-i", scan, "-thr", 1), "0<=x<1"
        case "threshold below 0":
            return ("-i", scan, "-thr", -0.1), "0<=x<1"
        case "threshold nan":
            return ("-i", scan, "-thr", "nan"), "from 0 to below 1; got nan"
        case "unknown model":
            return ("-i", scan, "-m", "nothing"), "'gm'"
        case "unknown custom model":
            return ("-i", scan, "--custom", "nothing"), "no model 'nothing'; expected a weights file, or one of: gm"
        case "weights that are text":
            return ("-i", scan, "--custom", text), "damaged or something else"
        case "output is the input":
            return ("-i", scan, "-o", folder / "." / "scan.nii"), "name another output"
        case "output is a link to the input":
            (folder / "link.nii").symlink_to(scan)
            return ("-i", scan, "-o", folder / "link.nii"), "name another output"
        case "output twice":
            return ("-i", scan, "-o", folder / "a.nii", "--wm", folder / "a.nii"), "name another output"
        case "sidecar of the input":
            (folder / "scan.json").write_text("{}")
            return ("-i", scan, "-o", folder / "scan.nii.gz"), "it is, or describes, an input"
        case "output in a file":
            return ("-i", scan, "-o", text / "out.nii"), "choose another output path"
        case "report in a file":
            return ("-i", scan, "-qc", text / "qc"), "choose another output path"
        case "output is no NIfTI":
            return ("-i", scan, "-o", folder / "out.png"), "must end in .nii or .nii.gz"


@pytest.mark.parametrize("case", [
    "missing", "NaN", "4-D", "cut gzip", "centerline elsewhere", "cord of another shape", "empty centerline", "threshold 1",
    "threshold below 0", "threshold nan", "unknown model", "unknown custom model", "weights that are text",
    "output is the input", "output is a link to the input", "output twice", "sidecar of the input", "output in a file",
    "report in a file", "output is no NIfTI",
])  # fmt: skip
def test_refused_before_a_network_loads_and_nothing_written(no_network, tmp_path, case):
    arguments, message = bad_run(case, tmp_path)
    before = snapshot(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stdout == ""
    if not result.stderr.startswith("Usage"):  # click explains the usage first
        assert result.stderr.startswith("seg_gm: ")
        assert result.stderr.count("\n") == 1
    assert snapshot(tmp_path) == before


def test_a_failure_while_writing_leaves_nothing(scan, stand_in, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spineseg_cli.core.nifti._save", full)
    before = snapshot(tmp_path)
    result = run("-i", scan)
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("case", ["NaN", "weights that are text"])
def test_refusals_do_not_import_tensorflow(tmp_path, case):
    arguments, message = bad_run(case, tmp_path)
    code = "\n".join([
        "import sys; from spineseg_cli.cli.seg_gm import main",
        f"try: main({[str(a) for a in arguments]!r})",
        "except SystemExit as end: code = end.code",
        "heavy = [name for name in ('tensorflow', 'keras', 'ai_edge_litert') if name in sys.modules]",
        "sys.exit(heavy or (code != 2 and code) or 0)",
    ])  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert message in done.stderr


# With networks


def test_the_shipped_model_end_to_end(phantom, phantom_file, tmp_path):
    result = run("-i", phantom_file, "-o", tmp_path / "out.nii.gz", "--wm", tmp_path / "wm.nii.gz", "--tta")
    assert result.exit_code == 0, result.output
    mask = read(tmp_path / "out.nii.gz") > 0
    truth = phantom.gray_matter.data > 0
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.6
    first = (tmp_path / "out.nii.gz").read_bytes()
    assert run("-i", phantom_file, "-o", tmp_path / "out.nii.gz", "--tta").exit_code == 0
    assert (tmp_path / "out.nii.gz").read_bytes() == first


def test_custom_weights(scan, tiny_weights, tmp_path):
    result = run("-i", scan, "--custom", tiny_weights, "-thr", 0)
    assert result.exit_code == 0, result.output
    soft = read(tmp_path / "scan_gmseg.nii.gz")
    assert len(np.unique(soft)) > 100
    digest = hashlib.sha256(tiny_weights.read_bytes()).hexdigest()
    assert json.loads((tmp_path / "scan_gmseg.json").read_text())["Model"] == {"Name": "tiny", "SHA256": digest}


def test_custom_published_weights_need_a_cord_mask_for_white_matter(shared, scan, no_network, tmp_path):
    weights = shared / "peers" / "sct_gm" / "challenge_model.hdf5"
    result = run("-i", scan, "--custom", weights, "--wm", tmp_path / "wm.nii")
    assert result.exit_code == 2
    assert "--wm needs a cord mask with the model 'challenge_model'" in result.stderr


def test_custom_published_weights(shared, phantom_file, tmp_path):
    weights = shared / "peers" / "sct_gm" / "challenge_model.hdf5"
    result = run("-i", phantom_file, "-o", tmp_path / "out.nii.gz", "-custom", weights)
    assert result.exit_code in (0, 3), result.output
    assert json.loads((tmp_path / "out.json").read_text())["Threshold"] == 0.999
