"""`batch_processing.sh` over folders as people have them; stand-ins for the commands only say that they ran."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "batch_processing.sh"
COMMAND = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >>"$CALLS"
while [ $# -gt 0 ]; do case $1 in -o | --wm) touch "$2" ;; esac; shift; done
"""


@pytest.fixture
def batch(tmp_path):
    """Run the script in `tmp_path`, and return its result and the commands that it called."""
    for name in ("seg_gm", "seg_cord", "get_centerline", "compute_metrics"):
        path = tmp_path / "venv/bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(COMMAND)
        path.chmod(0o755)
    calls = tmp_path / "calls"
    environment = os.environ | {"SPINESEG_VENV": str(tmp_path / "venv"), "CALLS": str(calls)}

    def run(*arguments):
        calls.write_text("")
        command = ["bash", str(SCRIPT), *arguments]
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        return result, calls.read_text().splitlines()

    return run


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def data(tmp_path):
    """Two subjects in a folder whose name has a space; an expert has drawn the masks of the second."""
    data = tmp_path / "my data"
    touch(*(data / f"{name}/anat/{name}_T2starw.nii.gz" for name in ("sub-1", "sub-2")))
    touch(*(data / f"derivatives/labels/sub-2/anat/sub-2_T2starw_{kind}-manual.nii.gz" for kind in ("gmseg", "seg")))
    return data


def test_masks_of_some_are_compared_and_the_others_need_none(batch, data, tmp_path):
    result, calls = batch("my data")
    assert result.returncode == 0, result.stderr
    assert "2 scans done, 0 failed" in result.stdout
    assert (tmp_path / "results/processed/sub-1/anat/sub-1_T2starw_wmseg.nii.gz").exists()
    compared = [call for call in calls if call.startswith("compute_metrics")]
    assert len(compared) == 2
    assert "-r my data/derivatives/labels/sub-2/anat/sub-2_T2starw_gmseg-manual.nii.gz -o results/metrics_gm.csv" in compared[0]


@pytest.mark.parametrize("name", ["my data/", "my data//", "link", "absolute"])
def test_however_the_folder_is_named(batch, data, tmp_path, name):
    (tmp_path / "link").symlink_to(data)
    result, calls = batch(f"{data}/" if name == "absolute" else name)
    assert result.returncode == 0, result.stderr
    assert sum(call.startswith("seg_cord") for call in calls) == 2, calls
    assert (tmp_path / "results/processed/sub-2/anat/sub-2_T2starw_gmseg.nii.gz").exists()


def test_no_masks_at_all(batch, tmp_path):
    touch(tmp_path / "plain/sub-1/anat/sub-1_T2starw.nii.gz", tmp_path / "plain/sub-1/anat/sub-1_T2w.nii.gz")
    result, calls = batch("plain")
    assert result.returncode == 0, result.stderr
    assert [call.split()[0] for call in calls] == ["seg_cord", "get_centerline", "seg_gm"]
    assert "1 other scans are not named *T2s*.nii.gz" in result.stdout


@pytest.mark.parametrize(("code", "expected"), [(2, 1), (3, 0)])
def test_masks_that_cannot_be_compared_cost_their_table_alone(batch, data, tmp_path, code, expected):
    """2: one lies on another grid, say; 3: all are empty."""
    (tmp_path / "venv/bin/compute_metrics").write_text(f"#!/usr/bin/env bash\necho 'on another grid' >&2\nexit {code}\n")
    result, _ = batch("my data")
    assert result.returncode == expected
    assert "2 scans done, 0 failed" in result.stdout
    assert result.stderr.count("on another grid") == 2
    assert ("no results/metrics_cord.csv was written" in result.stderr) == bool(expected)


def test_scans_of_one_name_have_their_own_logs(batch, tmp_path):
    touch(*(tmp_path / f"plain/{subject}/anat/T2s.nii.gz" for subject in ("anna", "ben")))
    assert batch("plain")[0].returncode == 0
    assert "T2s is there already" in batch("plain")[0].stdout
    assert sorted(path.parent.parent.name for path in (tmp_path / "results/log").glob("**/T2s.log")) == ["anna", "ben"]


def test_what_is_there_stays_unless_it_is_asked_for_otherwise(batch, data):
    batch("my data")
    result, calls = batch("my data")
    assert "sub-1_T2starw is there already" in result.stdout
    assert not any(call.startswith("seg_gm") for call in calls)
    for arguments in (("--", "--soft"), ("-f", "--", "--soft")):
        assert sum(call.startswith("seg_gm") and call.endswith("--soft") for call in batch("my data", *arguments)[1]) == 2


def test_nothing_to_do_is_an_error(batch, data):
    result, _ = batch("my data", "-p", "*dwi*.nii.gz")
    assert result.returncode == 2
    assert "found no scan named *dwi*.nii.gz" in result.stderr
    assert batch("nowhere")[0].returncode == 2
