"""The `measure_cord` command from end to end: what it writes, what it refuses, and what each flag does."""

import csv
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from spineseg_cli.cli.measure_cord import main
from spineseg_cli.core.image.nifti import write_volume
from spineseg_cli.morphometry.tables.files import format_row
from testing.cli.files import save, snapshot
from testing.morphometry.shapes import Tube, binary, draw

TUBE = Tube(tilt_deg=(0, 20), taper=(-0.03, -0.02))


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def table(path, delimiter=","):
    return list(csv.DictReader(path.open(), delimiter=delimiter))


@pytest.fixture(scope="module")
def volume():
    return draw(TUBE, (0.5, 0.5, 2.0), length_mm=40)


@pytest.fixture
def cord(tmp_path, volume):
    path = tmp_path / "sub-01_ses-02_run-3_T2w_seg.nii.gz"
    write_volume(path, volume)
    return path


@pytest.fixture
def levels(tmp_path, volume):
    """C3 in the upper half of the cord, C4 in the lower."""
    data = np.where(binary(volume).data > 0, np.where(np.arange(volume.shape[2]) < volume.shape[2] // 2, 4, 3), 0)
    return save(tmp_path / "levels.nii.gz", data.astype(np.uint8), volume.affine)


def test_a_table_with_its_dictionary_and_sidecar(cord, levels, tmp_path):
    out = tmp_path / "areas.csv"
    result = run("-i", cord, "-levels", levels, "-o", out)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"wrote {out}: 23 rows\n"
    rows = table(out)
    assert [row["scope"] for row in rows] == ["slice"] * 20 + ["level"] * 2 + ["whole"]
    assert {(row["sub"], row["ses"], row["run"]) for row in rows} == {("01", "02", "3")}
    assert [row["level"] for row in rows[-3:]] == ["C3", "C4", "C3:C4"]
    assert [row["slice"] for row in rows[-3:]] == ["10:19", "0:9", "0:19"]
    whole = rows[-1]
    assert abs(float(whole["area_mm2"]) / TUBE.area_mm2 - 1) < 0.01
    assert abs(float(whole["length_mm"]) - 40 / np.cos(np.deg2rad(20))) < 0.1
    dictionary = json.loads((tmp_path / "areas.json").read_text())
    assert list(dictionary) == list(rows[0])
    assert dictionary["area_mm2"]["Units"] == "mm^2"
    assert dictionary["area_mm2_se"]["Description"] == "Standard error of area_mm2"
    assert json.loads((tmp_path / "areas_provenance.json").read_text())["Sources"][0]["File"] == str(cord)


def test_digits_end_where_the_error_begins(cord, tmp_path):
    run("-i", cord, "-o", tmp_path / "areas.csv")
    for row in table(tmp_path / "areas.csv"):
        value, error = row["area_mm2"], row["area_mm2_se"]
        assert len(error.replace(".", "").lstrip("0")) == 2
        assert len(value.partition(".")[2]) == len(error.partition(".")[2])
    assert format_row({"segment_top_low_mm": -8.8123, "area_mm2_centile": 51.333}) == {
        "segment_top_low_mm": "-8.8",
        "area_mm2_centile": "51.3",
    }


def test_a_single_slice_has_no_standard_deviation(cord, tmp_path):
    for chosen in ("5", "5:6"):
        run("-i", cord, "-z", chosen, "-append", "-o", tmp_path / "areas.csv")
    one, two = table(tmp_path / "areas.csv")
    assert one["area_mm2_sd"] == "" != two["area_mm2_sd"]


@pytest.mark.parametrize(
    ("flags", "scopes"),
    [
        ("-z 5:8", ["range"]),
        ("-z 5:8 -perslice 1", ["slice"] * 4),
        ("-vert C3", ["range"]),
        ("-vert 3:4", ["range"]),
        ("-vert 3:4 -perlevel", ["level"] * 2),
        ("-perlevel 1", ["level"] * 2),
        ("-perslice", ["slice"] * 20),
        ("-perslice 0", ["slice"] * 20 + ["level"] * 2 + ["whole"]),
    ],
)
def test_rows_that_are_asked_for(cord, levels, tmp_path, flags, scopes):
    result = run("-i", cord, "-levels", levels, "-o", tmp_path / "out.tsv", *flags.split())
    assert result.exit_code == 0, result.output
    assert [row["scope"] for row in table(tmp_path / "out.tsv", "\t")] == scopes


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("-vert 3:4", ""),
        ("-vert 2:5", "the mask has no cord at C2, C5: rows are of the rest"),
        ("-z 0:19", ""),
        ("-z 15:24", "the mask has no cord at the slices 20-24: rows are of the rest"),
    ],
)
def test_what_a_mean_lacks_is_said(cord, levels, tmp_path, flags, said):
    result = run("-i", cord, "-levels", levels, "-o", tmp_path / "out.tsv", *flags.split())
    assert result.exit_code == 0, result.output
    assert said in result.stderr
    assert bool(said) == ("has no cord at" in result.stderr)


def test_the_format_of_sct(cord, levels, tmp_path):
    out = tmp_path / "csa.csv"
    run("-i", cord, "-vertfile", levels, "-vert", "3:4", "-format", "sct", "-o", out)
    header = "Timestamp,SCT Version,Filename,Slice (I->S),VertLevel,DistancePMJ,MEAN(area),STD(area),MEAN(angle_AP),STD(angle_AP)"
    assert out.read_text().startswith(header)
    (row,) = table(out)
    assert (row["Filename"], row["Slice (I->S)"], row["VertLevel"]) == (str(cord), "0:19", "3:4")
    run("-i", cord, "-vertfile", levels, "-vert", "3:4", "-o", tmp_path / "tidy.csv")
    (tidy,) = table(tmp_path / "tidy.csv")
    assert float(row["MEAN(area)"]) == pytest.approx(float(tidy["area_mm2"]), abs=0.01)
    assert float(row["STD(area)"]) > 0
    assert float(row["SUM(length)"]) == pytest.approx(float(tidy["length_mm"]), abs=0.01)


def test_append_says_which_format_the_table_has(cord, tmp_path):
    ours, theirs = tmp_path / "ours.csv", tmp_path / "theirs.csv"
    assert run("-i", cord, "-z", "3:9", "-o", ours).exit_code == 0
    assert run("-i", cord, "-z", "3:9", "-o", theirs, "-format", "sct").exit_code == 0
    to_theirs = run("-i", cord, "-z", "3:9", "-o", theirs, "-append")
    assert to_theirs.exit_code == 2
    assert to_theirs.stderr.strip().endswith("it has the columns of SCT; add --format sct")
    to_ours = run("-i", cord, "-z", "3:9", "-o", ours, "-format", "sct", "-append")
    assert to_ours.stderr.strip().endswith("it lacks the columns of SCT; leave out --format sct")


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".json"])
def test_append(cord, tmp_path, suffix):
    out = tmp_path / f"areas{suffix}"
    for expected in (1, 2):
        result = run("-i", cord, "-z", "3:9", "-append", "-o", out)
        assert result.stdout.startswith(f"wrote {out}: {expected} row")
    if suffix == ".json":
        first, second = json.loads(out.read_text())["rows"]
        assert first == second
        assert isinstance(first["area_mm2"], float)
    before = snapshot(tmp_path)
    refused = run("-i", cord, "-z", "3:9", "-gray", cord, "-append", "-o", out)
    assert refused.exit_code == 2
    assert "its columns differ" in refused.stderr
    assert snapshot(tmp_path) == before


def test_to_the_terminal(cord):
    result = run("-i", cord, "-z", "5:15")
    assert result.exit_code == 0
    header, row = result.stdout.splitlines()
    assert header.split()[:4] == ["scope", "slice", "n_slices", "area_mm2"]
    assert row.split()[:3] == ["range", "5:15", "11"]
    assert " +- " in row


def test_an_empty_mask_gives_an_empty_row(cord, volume, tmp_path):
    """So that a cohort's table has the subject, and goes on."""
    empty = save(tmp_path / "sub-09_seg.nii.gz", np.zeros(volume.shape, np.uint8), volume.affine)
    run("-i", cord, "-z", "3:5", "-o", tmp_path / "out.csv")
    result = run("-i", empty, "-o", tmp_path / "out.csv", "-append")
    assert result.exit_code == 3
    assert result.stderr == "measure_cord: the mask is empty: no voxel is at least half filled\n"
    rows = table(tmp_path / "out.csv")
    more = ["-gray", cord, "-image", cord, "-estimate-levels", "-norms", "-append", "-o", tmp_path / "more.csv"]
    assert run("-i", cord, *more).exit_code == 0
    assert run("-i", empty, *more).exit_code == 3, "the same columns, whatever else is asked for"
    assert (rows[1]["sub"], rows[1]["n_slices"], rows[1]["area_mm2"], rows[1]["flags"]) == ("09", "0", "", "empty")


def test_norms_of_adults(cord, levels, tmp_path):
    result = run("-i", cord, "-levels", levels, "-perlevel", "-norms", "-o", tmp_path / "out.csv")
    assert "norms: spine-generic" in result.stderr
    row = table(tmp_path / "out.csv")[0]
    assert row["level"] == "C3"
    assert float(row["area_mm2_z"]) == pytest.approx((float(row["area_mm2"]) - 72.5) / 7.1, abs=0.01)
    assert 0 < float(row["area_mm2_centile"]) < 100
    assert json.loads((tmp_path / "out.json").read_text())["area_mm2_z"]["Description"] == "z-score among the norms of area_mm2"


def test_rows_without_a_norm_are_reported(cord):
    result = run("-i", cord, "-norms")
    assert "none of the rows has a norm; there are norms of vertebral C2, C3" in result.stderr


def test_the_change_since_another_time(cord, levels, tmp_path):
    """Of the same mask it is none; the table says so for slices, levels and the whole, and the sidecar what it is aligned by."""
    run("-i", cord, "-levels", levels, "-o", tmp_path / "before.csv")
    result = run("-i", cord, "-levels", levels, "-baseline", tmp_path / "before.csv", "-o", tmp_path / "now.csv")
    assert "aligned by vertebral levels" in result.stderr
    rows = table(tmp_path / "now.csv")
    assert [row["scope"] for row in rows[-3:]] == ["level", "level", "whole"]
    for row in rows:
        assert abs(float(row["area_mm2_change_pct"])) < 0.1
        assert 0 < float(row["area_mm2_change_pct_se"]) < 3
    assert json.loads((tmp_path / "now.json").read_text())["area_mm2_change_pct"]["Units"] == "percent"
    assert json.loads((tmp_path / "now_provenance.json").read_text())["Alignment"] == "vertebral levels"


def test_norms_of_ones_own_controls(cord, levels, tmp_path):
    options = ("-i", cord, "-levels", levels, "-perlevel")
    assert run(*options, "-o", tmp_path / "mean.csv").exit_code == 0
    mean, controls = table(tmp_path / "mean.csv")[0], tmp_path / "controls.csv"
    with controls.open("w", newline="") as file:
        writer = csv.DictWriter(file, mean)
        writer.writeheader()
        for number, size in enumerate((0.9, 0.95, 1.0, 1.05, 1.1)):
            sizes = {name: float(mean[name]) * size for name in ("area_mm2", "diameter_AP_mm")}
            writer.writerow(mean | sizes | {"sub": f"c{number}", "file": f"sub-c{number}_seg.nii.gz"})
    result = run(*options, "-norms", controls, "-o", tmp_path / "out.csv")
    assert result.exit_code == 0, result.output
    row = table(tmp_path / "out.csv")[0]
    assert abs(float(row["area_mm2_z"])) < 0.1
    assert abs(float(row["diameter_AP_mm_z"])) < 0.1
    assert abs(float(row["area_mm2_centile"]) - 50) < 5


def test_a_figure_and_a_report(cord, levels, tmp_path):
    run("-i", cord, "-levels", levels, "-o", tmp_path / "before.csv")
    flags = ["-levels", levels, "-norms", "-plot", tmp_path / "figure", "-qc", tmp_path / "qc"]
    flags += ["-baseline", tmp_path / "before.csv"]
    result = run("-i", cord, *flags)
    assert result.exit_code == 0, result.output
    pixels = np.asarray(Image.open(tmp_path / "figure.png").convert("L"))
    assert pixels.std() > 10
    text = " ".join(ElementTree.parse(tmp_path / "figure.svg").getroot().itertext())
    assert "C3" in text
    assert "norms, 2 SD" in text
    assert "change of area (%)" in text
    (entry,) = (tmp_path / "qc" / "entries").glob("*.json")
    assert json.loads(entry.read_text())["views"] == ["axial", "sagittal", "profile"]
    first = (tmp_path / "figure.svg").read_bytes()
    run("-i", cord, *flags)
    assert (tmp_path / "figure.svg").read_bytes() == first


def test_masks_that_are_cut_are_reported(cord, volume, tmp_path):
    half = save(tmp_path / "half.nii.gz", volume.data[volume.shape[0] // 2 :], volume.affine)
    result = run("-i", half)
    assert result.exit_code == 0
    assert "at border in 20 slices" in result.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-i scan.nii", "expected a mask"),
        ("-i nothing.nii", "no such file"),
        ("-i cord.nii -centerline short.nii", "must be on one voxel grid"),
        ("-i cord.nii -gray elsewhere.nii", "must be on one voxel grid"),
        ("-i cord.nii -vert 2:3", "none are known: give --levels"),
        ("-i cord.nii -z a:b", "expected numbers such as 5:20"),
        ("-i cord.nii -z 90", "the selection holds no cord"),
        ("-i cord.nii -levels cord.nii -vert C9", "expected a vertebral level from C1 to S1"),
        ("-i cord.nii -levels empty.nii", "the levels are empty"),
        ("-i cord.nii -discs cord.nii", "at least two discs"),
        ("-i cord.nii -levels cord.nii -discs cord.nii", "got several: choose one"),
        ("-i cord.nii -levels cord.nii -estimate-levels", "got several: choose one"),
        ("-i cord.nii -o cord.txt", "expected an output ending in .csv"),
        ("-i cord.nii -append", "name it with -o"),
        ("-i scan.nii -o scan.csv", "describes, an input"),
        ("-i cord.nii -norms nothing.csv", "cannot read the norms"),
        ("-i cord.nii -format sct -baseline scan.json", "no columns for the change"),
        ("-i cord.nii -baseline scan.json", "it is no table of measures"),
        ("-i cord.nii -plot p.png -baseline scan.json", "it is no table of measures"),
        ("-i cord.nii -plot p.pdf", "a figure must end in .png or .svg"),
        ("-i cord.nii -level-kind sacral", "'sacral' is not one of"),
    ],
)
def test_what_is_refused(assert_refused, line, message):
    assert_refused(main, line, message)


def test_a_run_loads_nothing_heavy(cord, tmp_path):
    code = "\n".join([
        "import sys; from spineseg_cli.cli.measure_cord import main",
        f"try: main(['-i', {str(cord)!r}, '-o', {str(tmp_path / 'out.csv')!r}])",
        "except SystemExit as end: assert not end.code",
        "heavy = ('tensorflow', 'keras', 'ai_edge_litert', 'pandas', 'matplotlib', 'skimage', 'scipy.interpolate', 'h5py')",
        "sys.exit(', '.join(name for name in heavy if name in sys.modules) or 0)",
    ])  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
