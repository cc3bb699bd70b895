"""The `get_centerline` command from end to end: what it writes, what it refuses, and what each flag does.

Most runs have a stand-in for the network, to which bright is cord.
"""

import csv

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from spineseg_cli.cli.get_centerline import main
from testing.cli.files import AFFINE, SHAPE, SPACING_MM, read, save, sidecar_of

pytestmark = pytest.mark.light

VOXEL, WORLD, TANGENT = ([f"{name}{axis}{unit}" for axis in "xyz"] for name, unit in (("", "_vx"), ("", "_mm"), ("tangent_", "")))


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def table_of(path):
    """The CSV beside an output: its columns, and the numbers in some of them, a row a slice."""
    rows = list(csv.reader(path.with_name(path.name.replace(".nii.gz", ".csv")).open()))
    numbers = np.array(rows[1:], float).reshape(-1, len(rows[0]))
    return rows[0], lambda columns: numbers[:, [rows[0].index(column) for column in columns]]


def test_a_voxel_a_slice(scan, cord, bright_is_cord, tmp_path):
    result = run("-i", scan)
    assert result.exit_code == 0, result.output
    out, table = tmp_path / "scan_centerline.nii.gz", tmp_path / "scan_centerline.csv"
    steps = np.diff(table_of(out)[1](WORLD), axis=0)
    length_mm = np.linalg.norm(steps, axis=1).sum()
    assert length_mm > 7 * SPACING_MM[2] - 1e-3
    assert result.stdout == f"{out}: {length_mm:.1f} mm long\n{table}: 8 slices\n", "a curve has no volume"
    mask = read(out)
    assert nib.load(out).get_data_dtype() == np.uint8
    assert (mask.sum(axis=(0, 1)) == 1).all()
    assert cord[mask == 1].all()
    sidecar = sidecar_of(out)
    assert sidecar["Method"] == "optic"
    assert sidecar["Curve"] == {"algorithm": "bspline", "smooth_mm": 30.0, "extrapolate": False}


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


def test_fitseg_takes_the_center_of_a_mask(cord, no_network, tmp_path):
    cord = cord.copy()
    cord[:, :, [0, 4, 7]] = 0
    mask = save(tmp_path / "cord.nii.gz", cord)
    out = tmp_path / "cord_centerline.nii.gz"
    result = run("-i", mask, "-method", "fitseg", "-centerline-algo", "linear")
    assert result.exit_code == 0, result.output
    header, column = table_of(out)
    assert column(["slice"]).ravel().tolist() == [1, 2, 3, 4, 5, 6], "a gap is bridged, and nothing is extrapolated"
    centers = [np.argwhere(cord[:, :, k]).mean(axis=0) for k in (1, 2, 3, 5, 6)]
    np.testing.assert_allclose(column(VOXEL)[[0, 1, 2, 4, 5], :2], centers, atol=1e-3)
    assert "Model" not in sidecar_of(out)

    for words, confidence in (["-extrapolation"], [0, 1, 1, 1, 1, 1, 1, 0]), (["-extrapolation", "0"], [1] * 6):
        assert run("-i", mask, "-method", "fitseg", *words).exit_code == 0
        header, column = table_of(out)
        assert column(["confidence"]).ravel().tolist() == confidence
        assert sidecar_of(out)["Extrapolated"] is (0 in confidence)


def test_the_output_needs_no_ending_as_in_sct(bright_is_cord, scan, tmp_path):
    assert run("-i", scan, "-o", tmp_path / "new" / "line").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["line.csv", "line.json", "line.nii.gz"]
    result = run("-i", scan, "-o", tmp_path / "new")
    assert result.exit_code == 2
    assert "it is a folder; name a file in it" in result.stderr


def test_noise_gives_an_empty_image_and_table(bright_is_cord, tmp_path):
    path = save(tmp_path / "noise.nii.gz", np.random.default_rng(0).normal(size=SHAPE).astype(np.float32))
    result = run("-i", path)
    assert result.exit_code == 3
    assert result.stderr.startswith("get_centerline: no cord found; an empty image was written: ")
    out = tmp_path / "noise_centerline.nii.gz"
    (note,) = sidecar_of(out)["Notes"]
    assert "axial slices over" in note
    assert note in result.stderr
    assert nib.load(out).shape == SHAPE
    assert not read(out).any()
    assert (tmp_path / "noise_centerline.csv").read_text().count("\n") == 1, "the header alone"


MISTAKES = {
    "unknown algorithm": ("-i scan.nii -centerline-algo spline", "'bspline', 'nurbs', 'polyfit', 'linear'"),
    "no smoothing": ("-i scan.nii -centerline-smooth 0", "x>0"),
    "endless smoothing": ("-i scan.nii -centerline-smooth inf", "smooth_mm must be above 0 and finite"),
    "a brain in a mask": ("-i scan.nii -method fitseg -brain 1", "searches for no cord: leave out --custom and --brain"),
    "empty mask": ("-i empty.nii -method fitseg", "the centerline is empty"),
    "a 3-D network": ("-i scan.nii -custom cord3d", "expected weights of a 2-D network; that of cord3d is 3-D"),
    "weights of something else": ("-i scan.nii -custom gray.weights.h5", "expected weights that predict cord or centerline;"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_refused_before_a_network_loads_and_nothing_written(assert_refused, mistake):
    assert_refused(main, *MISTAKES[mistake])


# With the shipped network


def test_end_to_end(phantom, phantom_file, tmp_path):
    out = tmp_path / "out.nii.gz"
    result = run("-i", phantom_file, "-o", out)
    assert result.exit_code == 0, result.output
    truth = np.array([np.argwhere(part).mean(axis=0) for part in np.moveaxis(phantom.cord.data, 2, 0)])
    header, column = table_of(out)
    assert abs(column(VOXEL)[:, :2] - truth).max() < 2  # 1 mm
