"""The `compute_metrics` command from end to end."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from spineseg_cli.cli.compute_metrics import main


def save(path, data, affine=None):
    nib.save(nib.Nifti1Image(np.asarray(data), np.diag([0.5, 0.5, 4.0, 1.0]) if affine is None else affine), path)
    return str(path)


def square(x):
    mask = np.zeros((12, 10, 3), np.uint8)
    mask[x : x + 4, 3:7, :2] = 1
    return mask


@pytest.fixture
def files(tmp_path):
    """Two predictions a voxel off, and two raters' references."""
    folder = tmp_path / "in"
    folder.mkdir()
    shifts = {"p1": 4, "p2": 5, "a1": 4, "a2": 4, "b1": 5, "b2": 5}
    return {name: save(folder / f"{name}.nii.gz", square(x)) for name, x in shifts.items()}


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def read(path):
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t" if path.suffix == ".tsv" else ","))


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_pairs_per_slice_to_a_table(files, tmp_path, suffix):
    before = {path: Path(path).read_bytes() for path in files.values()}
    out = tmp_path / "new" / f"out{suffix}"
    result = run("-i", files["p1"], files["p2"], "-r", files["a1"], files["a2"], "-o", out, "-perslice", 1)
    assert result.exit_code == 0, result.output
    assert "8 rows" in result.stdout
    rows = [row for row in read(out) if row["statistic"] == "value"]
    volumes = [row for row in rows if row["level"] == "volume"]
    assert [(row["prediction"], row["reference"], float(row["DSC"])) for row in volumes] == [
        (files["p1"], files["a1"], 1.0),
        (files["p2"], files["a2"], 0.75),
    ]
    assert float(volumes[1]["HSD_mm"]) == 0.5
    slices = [row for row in rows if row["prediction"] == files["p2"] and row["level"] == "slice"]
    assert [row["DSC"] for row in slices] == ["0.75", "0.75", "nan"]
    mean = next(row for row in read(out) if (row["level"], row["statistic"]) == ("volume", "mean"))
    assert float(mean["DSC"]) == 0.875
    assert {path: Path(path).read_bytes() for path in files.values()} == before
    sidecar = f"{out.stem}_provenance.json"
    assert sorted(path.name for path in out.parent.iterdir()) == sorted([out.name, sidecar]), "no temporary file stays behind"
    assert json.loads((out.parent / sidecar).read_text())["Sources"][0]["File"] == files["p1"]


def test_raters_to_json(files, tmp_path):
    out = tmp_path / "out.json"
    predictions, references = (files["p1"], files["p2"]), [files[name] for name in ("a1", "a2", "b1", "b2")]
    result = run("--input", *predictions, "--ref", *references, "--raters", 2, "--output", out)
    assert result.exit_code == 0, result.output
    content = json.loads(out.read_text())
    got = [(row["reference"], row["rater"]) for row in content["rows"] if row["prediction"] == files["p2"]]
    assert got == [(files["a2"], "1"), (files["b2"], "2"), ("majority", "majority")]
    assert set(content["summary"]["volume"]) == {"1", "2", "majority"}
    assert content["summary"]["volume"]["1"]["DSC"]["n"] == 2
    assert "slice" not in content["summary"]


def test_one_prediction_and_several_references_are_raters_on_the_terminal(files):
    result = run("-i", files["p1"], "-r", files["a1"], files["b1"])
    assert result.exit_code == 0, result.output
    table = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert table["reference"] == ["a1.nii.gz", "b1.nii.gz", "majority"]
    assert table["DSC"] == ["1", "0.75", "0.88889"]
    assert result.stderr == ""


def test_label_and_threshold(tmp_path):
    labels = square(4) * 3
    labels[0, 0, 0] = 7
    reference = save(tmp_path / "r.nii.gz", square(4) * 3)
    prediction = save(tmp_path / "p.nii.gz", labels)
    assert "DSC             1\n" in run("-i", prediction, "-r", reference, "--label", 3).stdout
    assert "DSC             0.98462\n" in run("-i", prediction, "-r", reference).stdout
    assert "DSC             0\n" in run("-i", prediction, "-r", reference, "-bin-thr", 5).stdout
    absent = run("-i", prediction, "-r", reference, "-label", 4)
    assert absent.exit_code == 3
    assert "no metric is defined" in absent.stderr


MISTAKES = {
    "another shape": ("-i p1 -r small", "one voxel grid; their shapes are (12, 10, 3) and (12, 10, 2)"),
    "another place": ("-i p1 -r moved", "one voxel grid; their headers place the same voxel"),
    "missing": ("-i p1 p1 -r a1 nothing", "no such file: "),
    "numbers": ("-i p1 p2 -r a1", "expected 2 references"),
    "raters": ("-i p1 p2 -r a1 a2 b1 b2", "or say that there are 2 raters"),
    "label and threshold": ("-i p1 -r a1 --label 1 --bin-thr 0.5", "got both"),
    "label of a soft mask": ("-i soft -r a1 --label 1", "expected whole numbers"),
    "label 0": ("-i p1 -r a1 --label 0", "x>=1"),
    "threshold": ("-i p1 -r a1 --bin-thr nan", "finite threshold"),
    "a scan": ("-i scan -r a1", "expected a mask; "),
    "a table of another form": ("-i nothing -r nothing -o table.xlsx", "expected an output ending in .csv, .tsv, .json"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_bad_input_exits_2_and_writes_nothing(files, tmp_path, monkeypatch, mistake):
    monkeypatch.chdir(tmp_path)
    save("small.nii.gz", square(4)[:, :, :2])
    save("moved.nii.gz", square(4), np.diag([0.5, 0.5, 5.0, 1.0]))
    save("soft.nii.gz", square(4) * np.float32(0.3))
    save("scan.nii.gz", np.random.default_rng(0).normal(500, 90, square(4).shape).astype(np.float32))
    line, message = MISTAKES[mistake]
    paths = files | {name: f"{name}.nii.gz" for name in ("small", "moved", "soft", "scan", "nothing")}
    output = [] if "-o" in line else ["-o", "out/table.csv"]
    result = run(*(paths.get(word, word) for word in line.split()), *output)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert not list(tmp_path.rglob("table.*"))


def test_what_describes_an_input_is_not_replaced(files):
    """A table of the name of a mask's BIDS sidecar."""
    sidecar = Path(files["p1"].replace(".nii.gz", ".json"))
    sidecar.write_text("earlier")
    result = run("-i", files["p1"], "-r", files["a1"], "-o", sidecar)
    assert result.exit_code == 2
    assert "it is, or describes, an input" in result.stderr
    assert sidecar.read_text() == "earlier"


def test_a_folder_that_cannot_be_searched_is_one_sentence(files, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", denied)
    result = run("-i", files["p1"], "-r", files["a1"])
    assert (result.exit_code, result.stderr) == (2, f"compute_metrics: cannot open {files['p1']}: Permission denied\n")


def test_verbosity(files):
    quiet = run("-i", files["p1"], "-r", files["a1"], "-v", 0)
    assert (quiet.exit_code, quiet.stdout, quiet.stderr) == (0, "", "")
    loud = run("-i", files["p1"], "-r", files["a1"], "-v", 2)
    assert "1/1" in loud.stderr, "a progress bar, though not on a terminal"
    assert "1/1" not in loud.stdout
