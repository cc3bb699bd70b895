"""The tables and the page of a cohort, and their validity as BIDS."""

import csv
import json
import shutil
import subprocess
from fnmatch import fnmatch

import pytest

from spineseg_cli.cohort.bids import find_scans
from spineseg_cli.cohort.derivatives import describe_dataset
from spineseg_cli.cohort.group import run_group
from spineseg_cli.cohort.settings import Settings, read_settings
from spineseg_cli.errors import InputError


def entries_of(page):
    text = page.read_text().split('<script id="entries" type="application/json">')[1].split("</script>")[0]
    return json.loads(text)["entries"]


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_tables_and_page(work):
    scans = find_scans(work.bids)
    with pytest.raises(InputError, match="run the level participant first"):
        run_group(scans, work.out, Settings())
    (work.bids / "sub-02/ses-1/anat/sub-02_ses-1_T2star.nii.gz").write_bytes(b"no image")
    work.run()
    ratings = [[{"scan": "sub-01/anat/sub-01_T2star.nii.gz", "step": "spineseg", "mark": "fail"}]]
    _, unfinished = run_group(scans, work.out, Settings(), ratings)
    assert (len(scans), unfinished) == (2, 1)
    summary = rows_of(work.out / "group_summary.tsv")
    assert [(row["participant_id"], row["session_id"], row["state"]) for row in summary] == [
        ("sub-01", "n/a", "done"), ("sub-02", "ses-1", "failed"),
    ]  # fmt: skip
    assert "does not start with a NIfTI header" in summary[1]["message"]
    measures = rows_of(work.out / "group_measures.tsv")
    assert [row["scope"] for row in measures][-1] == "whole"
    assert float(measures[-1]["area_mm2"]) == pytest.approx(float(summary[0]["area_mm2"]), rel=0.02)
    for name in ("group_summary", "group_measures"):
        meaning = json.loads((work.out / f"{name}.json").read_text())
        assert set(meaning) == set(rows_of(work.out / f"{name}.tsv")[0])
    assert "sub-01_T2star_label-SC_seg.nii.gz" in (work.out / "group_to_correct.txt").read_text()
    listed = {entry["subject"]: entry for entry in entries_of(work.out / "qc/index.html")}
    assert (listed["02"]["state"], listed["02"]["doubt"], listed["02"]["pictured"]) == ("failed", 1.0, False)
    assert listed["02"]["reasons"][0] in summary[1]["reasons"]
    assert [float(row["doubt"]) for row in summary] == [listed[sub]["doubt"] for sub in ("01", "02")]
    sidecar = json.loads((work.out / "sub-01/anat/sub-01_T2star_label-SC_seg.json").read_text())
    assert float(summary[0]["confidence_cord"]) == sidecar["Confidence"]["Scan"]


def test_a_failed_step_is_first_on_the_page_whatever_its_pictures_say(work, monkeypatch):
    def fail(_):
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("spineseg_cli.morphometry.measure.clean_cord", fail)
    work.run()
    run_group(find_scans(work.bids), work.out, Settings())
    for entry in entries_of(work.out / "qc/index.html"):
        assert (entry["state"], entry["doubt"], entry["pictured"]) == ("failed", 1.0, True)
        assert "unexpected ZeroDivisionError" in entry["reasons"][0]


@pytest.mark.skipif(shutil.which("bids-validator-deno") is None, reason="bids-validator-deno is not installed")
@pytest.mark.parametrize("surfaces", ["gifti", "stl"])  # what is written without surfaces is written with them, too
def test_the_validator_accepts_the_derivatives(work, surfaces):
    """Without `.bidsignore`, the validator refuses exactly the files that it lists."""
    label = work.bids / "derivatives/labels/sub-01/anat/sub-01_T2star_label-SC_seg.nii.gz"
    work.run(pictures__surfaces=surfaces)
    label.parent.mkdir(parents=True)
    shutil.copy(work.out / "sub-01/anat" / label.name, label)
    describe_dataset(work.out, work.bids)
    ratings = [[{"scan": "sub-01/anat/sub-01_T2star.nii.gz", "step": "spineseg", "mark": "fail"}]]
    run_group(find_scans(work.bids), work.out, read_settings(None, ["labels=compare"]), ratings)
    assert errors_of(work.out) == set()
    ignored = (work.out / ".bidsignore").read_text().splitlines()
    (work.out / ".bidsignore").unlink()
    names = {path.relative_to(work.out).as_posix() for path in work.out.rglob("*") if path.is_file()}
    listed = {name for name in names if any(_fits(name, line) for line in ignored if not line.startswith("#"))}
    assert listed == {name for name in errors_of(work.out) if (work.out / name).is_file()}


def _fits(name, line):
    """Return whether a line of `.bidsignore` matches a file."""
    return name.startswith(f"{line[1:]}/") or name == line[1:] if line[0] == "/" else fnmatch(name.rsplit("/")[-1], line)


def errors_of(folder):
    """Return the files with errors; all errors must be about names that BIDS does not have."""
    done = subprocess.run(["bids-validator-deno", folder, "--format", "json"], capture_output=True, check=False, timeout=120)
    issues = json.loads(done.stdout)["issues"]["issues"]
    errors = [issue for issue in issues if issue.get("severity") == "error"]
    assert {issue["code"] for issue in errors} <= {"NOT_INCLUDED", "ALL_FILENAME_RULES_HAVE_ISSUES"}
    return {issue["location"].strip("/") for issue in errors}
