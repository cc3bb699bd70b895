"""The `seg_gm` command from end to end: what it writes, what it refuses, and what each flag does.

Most runs have a stand-in for the network: then they take a tenth of a second, and their results are known.
"""

import hashlib
import json
import sys

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from spineseg_cli.cli.seg_gm import main
from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.weights.find import find_model
from testing.cli.files import oblique, read, save, sidecar_of, upright
from testing.overlap import dice_of

SPACING_MM = (0.5, 0.5, 4.0)  # voxels of 1 mm3
THRESHOLD = find_model("gm").config.threshold
DATA = np.random.default_rng(0).gamma(2, 50, (48, 44, 3)).astype(np.float32)


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def scan(tmp_path):
    """The file of a scan of noise: what the stub makes of it is not empty."""
    return save(tmp_path / "scan.nii.gz", DATA, oblique(SPACING_MM))


def test_defaults(scan, stub_network, tmp_path):
    result = run("-i", scan)
    assert result.exit_code == 0, result.output
    out = tmp_path / "scan_gmseg.nii.gz"
    assert result.stdout == f"{out}: {read(out).sum():.1f} mm3 in all 3 axial slices\n"
    assert nib.load(out).get_data_dtype() == np.uint8
    sidecar = sidecar_of(out)
    assert (sidecar["Threshold"], sidecar["Soft"], sidecar["TTA"]) == (THRESHOLD, False, False)
    assert np.shape(sidecar["CropBox"]) == (3, 2)


def test_white_matter_and_cord(scan, stub_network, stored_as, tmp_path):
    out, wm, cord = tmp_path / "out.nii", tmp_path / "wm.nii", tmp_path / "cord.nii"
    assert run("-i", scan, "-o", out, "--wm", wm).exit_code == 0
    assert read(wm).any()
    assert not (read(wm) * read(out)).any()
    sidecar = sidecar_of(wm)
    assert (sidecar["Threshold"], sidecar["Soft"]) == (THRESHOLD, False)

    image = read_volume(scan)
    disc = np.zeros(DATA.shape, np.float32)
    disc[18:30, 16:28] = 1
    write_volume(cord, stored_as(Volume(disc, image.affine), "SPR"), np.uint8)
    result = run("-i", scan, "-o", out, "--wm", wm, "--cord", cord)
    assert result.exit_code == 0, result.output
    assert read(out).any()
    np.testing.assert_array_equal(read(out) + read(wm), disc)
    assert [source["File"] for source in sidecar_of(out)["Sources"]] == [str(scan), str(cord)]


@pytest.mark.parametrize("codes", ["LAS", "PIR", "ARI"])
@pytest.mark.parametrize("thick", [0, 4])
def test_a_centerline_or_cord_mask_moves_the_window(stub_network, stored_as, tmp_path, codes, thick):
    """To a cord 25 mm beside the image's center; the mask is stored in another order than the scan."""
    shape = (160, 60, 3)
    image = save(tmp_path / "scan.nii", np.resize(DATA, shape), upright(SPACING_MM))
    line = np.zeros(shape, np.float32)
    line[130 - thick : 131 + thick, 30 - thick : 31 + thick] = 1
    write_volume(tmp_path / "line.nii", stored_as(Volume(line, upright(SPACING_MM)), codes), np.uint8)
    assert run("-i", image, "-o", tmp_path / "out.nii", "--centerline", tmp_path / "line.nii").exit_code == 0
    side = find_model("gm").config.window
    assert {windows.shape for windows in stub_network.windows} == {(3, side, side)}, "the cord is not searched for"
    np.testing.assert_array_equal(stub_network.windows[1], stub_network.windows[0][:, ::-1])
    box = np.array(sidecar_of(tmp_path / "out.nii")["CropBox"])
    np.testing.assert_allclose(box[:2].mean(axis=1), (130.5, 30.5), atol=1)
    found = np.argwhere(read(tmp_path / "out.nii"))
    assert len(found) > 0
    assert ((found >= box[:, 0]) & (found < box[:, 1])).all()


def test_a_report_gets_an_entry_for_each_run(scan, stub_network, tmp_path, monkeypatch):
    page = tmp_path / "qc" / "index.html"
    (tmp_path / "scan.json").write_text('{"AcquisitionDateTime": "2024-05-01T10:11:12"}')
    for name, count in (("a.nii.gz", 1), ("a.nii.gz", 1), ("b.nii.gz", 2)):
        arguments = ["-i", str(scan), "-o", str(tmp_path / name), "-qc", str(page.parent), "-qc-subject", "sub-07"]
        monkeypatch.setattr(sys, "argv", ["/bin/seg_gm", *arguments])
        result = run(*arguments)
        assert result.exit_code == 0, result.output
        assert result.stdout.endswith(f"report: {page}\n")
        entries = [json.loads(path.read_text()) for path in page.parent.glob("entries/*.json")]
        assert len(entries) == count
    entry = next(entry for entry in entries if "a.nii.gz" in entry["command"])
    assert (entry["title"], entry["command"].split()[0]) == (str(scan), "seg_gm")
    assert (entry["date"], entry["subject"], entry["contrast"]) == ("2024-05-01T10:11:12", "07", "scan")
    assert [mask["name"] for mask in entry["masks"]] == ["cord", "gray matter"]
    assert entry["masks"][1]["volume_mm3"] == read(tmp_path / "a.nii.gz").sum()  # voxels of 1 mm3
    assert entry["details"]["Model"]["Name"] == "gm"


MISTAKES = {
    "centerline elsewhere": ("-i scan.nii -centerline elsewhere.nii", "must be on one voxel grid"),
    "cord of another shape": ("-i scan.nii -cord short.nii", "must be on one voxel grid"),
    "empty centerline": ("-i scan.nii -centerline empty.nii", "the centerline is empty"),
    "threshold nan": ("-i scan.nii -thr nan", "from 0 to below 1; got nan"),
    "a scan for a mask": ("-i scan.nii -cord scan.nii", "expected a mask; the cord mask has gray values up to"),
    "two scans": ("-i scan.nii -i cord.nii", "--input is given 2 times; expected once"),
    "two models": ("-i scan.nii -m gm -custom gray.weights.h5", "--custom and -m both name a model"),
    "output twice": ("-i scan.nii -o a.nii -wm a.nii", "name another output"),
    "output twice where case does not count": ("-i scan.nii -o a.nii -wm A.nii", "name another output"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_refused_before_a_network_loads_and_nothing_written(assert_refused, mistake):
    assert_refused(main, *MISTAKES[mistake])


# With networks


def test_the_shipped_model_end_to_end(phantom, phantom_file, tmp_path):
    result = run("-i", phantom_file, "-o", tmp_path / "out.nii.gz", "--wm", tmp_path / "wm.nii.gz", "--tta")
    assert result.exit_code == 0, result.output
    assert dice_of(read(tmp_path / "out.nii.gz"), phantom.gray_matter.data) > 0.6
    first = (tmp_path / "out.nii.gz").read_bytes()
    assert run("-i", phantom_file, "-o", tmp_path / "out.nii.gz", "--tta").exit_code == 0
    assert (tmp_path / "out.nii.gz").read_bytes() == first


def test_custom_weights(phantom_file, tiny_weights, tmp_path):
    result = run("-i", phantom_file, "--custom", tiny_weights, "-thr", 0, "-o", tmp_path / "out.nii.gz")
    assert result.exit_code == 0, result.output
    soft = read(tmp_path / "out.nii.gz")
    assert len(np.unique(soft)) > 100
    digest = hashlib.sha256(tiny_weights.read_bytes()).hexdigest()
    assert sidecar_of(tmp_path / "out.nii.gz")["Model"] == {"Name": "tiny", "SHA256": digest}


def test_custom_published_weights_need_a_cord_mask_for_white_matter(shared, scan, no_network, tmp_path):
    weights = shared / "peers" / "sct_gm" / "challenge_model.hdf5"
    result = run("-i", scan, "--custom", weights, "--wm", tmp_path / "wm.nii")
    assert result.exit_code == 2
    assert "--wm needs a cord mask with the model 'challenge_model'" in result.stderr


def test_custom_published_weights(shared, phantom_file, tmp_path):
    weights = shared / "peers" / "sct_gm" / "challenge_model.hdf5"
    result = run("-i", phantom_file, "-o", tmp_path / "out.nii.gz", "-custom", weights)
    assert result.exit_code in (0, 3), result.output
    assert sidecar_of(tmp_path / "out.nii.gz")["Threshold"] == 0.999
