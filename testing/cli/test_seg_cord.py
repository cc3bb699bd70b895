"""The `seg_cord` command from end to end: what it writes, what it refuses, and what each flag does.

Most runs have a stand-in for the networks, to which bright is cord.
"""

import hashlib
import json
import subprocess
import sys

import h5py
import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from spineseg_cli.cli.seg_cord import main
from spineseg_cli.core.extras import is_installed
from spineseg_cli.core.image.nifti import write_volume
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.weights.registry import registry
from testing.cli.files import AFFINE, SHAPE, read, save, sidecar_of
from testing.overlap import dice_of


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_the_cord_is_found(scan, cord, bright_is_cord, tmp_path):
    result = run("-i", scan)
    assert result.exit_code == 0, result.output
    out = tmp_path / "scan_seg.nii.gz"
    assert result.stdout == f"{out}: {read(out).sum() * 3.6:.1f} mm3 in all 8 axial slices\n"
    assert nib.load(out).get_data_dtype() == np.uint8
    assert dice_of(read(out), cord) > 0.95
    sidecar = sidecar_of(out)
    assert (sidecar["Threshold"], sidecar["Soft"]) == (0.5, False)
    assert (sidecar["Contrast"], sidecar["Centerline"], sidecar["Runtime"]) == ("auto", "optic", "BrightIsCord")
    assert np.shape(sidecar["CropBox"]) == (3, 2)


def test_which_slices_have_a_mask_is_said(scan, bright_is_cord, tmp_path):
    """As many users see nothing but this line, a mask that ends early must not look like one of the whole scan."""
    data = read(scan)
    data[:, :, 5:] = 0
    out = tmp_path / "part_seg.nii.gz"
    result = run("-i", save(tmp_path / "part.nii.gz", data))
    assert result.stdout == f"{out}: {read(out).sum() * 3.6:.1f} mm3 in 5 of 8 axial slices (0-4 from below)\n"


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
    assert mask.any(axis=(0, 1)).tolist() == [False, True, True, True, True, False, False, False]
    assert dice_of(mask[..., 1:5], cord[..., 1:5]) > 0.95
    sidecar = sidecar_of(tmp_path / "scan_seg.nii.gz")
    assert sidecar["Centerline"] == method or (method is None and sidecar["Centerline"] == "file")
    assert [source["File"] for source in sidecar["Sources"]] == [str(scan), str(tmp_path / "guide.nii")]


@pytest.mark.parametrize("overlap", [0, 0.9])
def test_a_3d_network(scan, cord, bright_is_cord, metadata_file, tmp_path, overlap):
    weights = metadata_file(tmp_path / "mine.weights.h5", "cord", spacing_mm=0.5, window=64, depth=48)
    result = run("-i", scan, "--custom", weights, "--overlap", overlap)
    assert result.exit_code == 0, result.output
    assert dice_of(read(tmp_path / "scan_seg.nii.gz"), cord) > 0.95
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert sidecar_of(tmp_path / "scan_seg.nii.gz")["Model"] == {"Name": "mine", "SHA256": digest}


MISTAKES = {
    "output is the centerline": ("-i scan.nii -file_centerline cord.nii -o cord.nii", "name another output"),
    "file without a file": ("-i scan.nii -centerline file", "--centerline file needs a mask: give one with --file-centerline"),
    "fitseg without a file": ("-i scan.nii -centerline fitseg", "--centerline fitseg needs a mask"),
    "a file that is not asked for": (
        "-i scan.nii -centerline cnn -file_centerline cord.nii",
        "leave out --file-centerline, or choose file",
    ),
    "centerline elsewhere": ("-i scan.nii -file_centerline elsewhere.nii", "must be on one voxel grid"),
    "centerline of another shape": ("-i scan.nii -file_centerline short.nii", "must be on one voxel grid"),
    "empty centerline": ("-i scan.nii -file_centerline empty.nii", "the centerline is empty"),
    "threshold 1": ("-i scan.nii -thr 1", "0<=x<1"),
    "threshold nan": ("-i scan.nii -thr nan", "from 0 to below 1; got nan"),
    "a kernel that the weights do not have": (
        "-i scan.nii -kernel 2d -custom cord3d",
        "--kernel 2d does not fit --custom cord3d, whose network is 3d: leave out --kernel",
    ),
    "a brain beside a centerline": (
        "-i scan.nii -file_centerline cord.nii -brain 1",
        "says where the cord ends: leave out --brain",
    ),
    "confidence that is no CSV": ("-i scan.nii -confidence confidence.tsv", ".csv"),
    "weights of something else": (
        "-i scan.nii -custom gray.weights.h5",
        "expected weights that predict cord; gray.weights.h5 predict gray_matter",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_refused_before_a_network_loads_and_nothing_written(assert_refused, mistake):
    assert_refused(main, *MISTAKES[mistake])


def test_weights_that_do_not_fit_their_network_are_refused(scan, cord, tiny_weights, tmp_path):
    """The metadata names a network that is wider than the weights."""
    guide = save(tmp_path / "guide.nii", cord.astype(np.uint8))
    weights = tmp_path / "wide.weights.h5"
    weights.write_bytes(tiny_weights.read_bytes())
    with h5py.File(weights, "a") as file:
        metadata = json.loads(file.attrs["spineseg"])
        metadata["network"]["filters"] = 4
        file.attrs["spineseg"] = json.dumps(metadata)
    result = run("-i", scan, "--custom", weights, "-file_centerline", guide)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"seg_cord: the weights in {weights} do not fit the network {{'name': 'unet2d', 'filters': 4")
    assert not (tmp_path / "scan_seg.nii.gz").exists()


# With the shipped networks


@pytest.mark.skipif(not is_installed("ai_edge_litert"), reason="needs LiteRT")
def test_end_to_end_without_tensorflow_and_masked_arrays(phantom, phantom_file, tmp_path):
    out = tmp_path / "out.nii.gz"
    code = "\n".join([
        "import sys; from spineseg_cli.cli.seg_cord import main",
        f"try: main(['-i', {str(phantom_file)!r}, '-o', {str(out)!r}])",
        "except SystemExit as end: assert not end.code",
        "unused = {'tensorflow', 'keras', 'numpy.ma.core', 'h5py.tests', 'skimage', 'matplotlib', 'pandas', 'pydantic', 'yaml'}",
        "sys.exit(', '.join(unused & sys.modules.keys()) or 0)",
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


def test_the_method_without_a_network(scan, cord, tmp_path):
    """`--method propseg` opens no network, says so in the sidecar, and refuses what only networks have."""
    out = tmp_path / "propseg.nii.gz"
    result = run("-i", scan, "-o", out, "--method", "propseg", "-file_centerline", save(tmp_path / "line.nii.gz", cord))
    assert result.exit_code == 0, result.output
    assert dice_of(read(out), cord) > 0.9
    assert sidecar_of(out)["Model"] == {"Name": "propseg", "SHA256": None}
    assert sidecar_of(out)["Runtime"] == "none"
    refused = run("-i", scan, "-o", out, "--method", "propseg", "--brain", "1")
    assert refused.exit_code != 0
    assert "--brain is of the cord's networks" in refused.output
