"""`batch_processing.sh` over folders as people have them; stand-ins for the commands only say that they ran."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from testing.stopping import start

SCRIPT = Path(__file__).parents[1] / "batch_processing.sh"
COMMAND = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >>"$CALLS"
while [ $# -gt 0 ]; do case $1 in -o | --wm) touch "$2" ;; esac; shift; done
"""


@pytest.fixture
def environment(tmp_path):
    """What the script needs to find the stand-ins; `CALLS` lists the commands that it calls."""
    for name in ("seg_gm", "seg_cord", "get_centerline", "compute_metrics"):
        path = tmp_path / "venv/bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(COMMAND)
        path.chmod(0o755)
    return os.environ | {"SPINESEG_VENV": str(tmp_path / "venv"), "CALLS": str(tmp_path / "calls")}


@pytest.fixture
def batch(tmp_path, environment):
    """Run the script in `tmp_path`, and return its result and the commands that it called."""
    calls = tmp_path / "calls"

    def run(*arguments, **variables):
        calls.write_text("")
        command, more = ["bash", str(SCRIPT), *arguments], {"env": environment | variables}
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, **more)
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
    assert "1 other scans are not named *T2s*.nii*" in result.stdout


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


def test_both_suffixes_and_no_file_twice(batch, tmp_path):
    names = ("sub-1_T2s.nii", "sub-2_T2s.nii.gz", "sub-3_T2s.nii", "sub-3_T2s.nii.gz", "._sub-2_T2s.nii.gz", "sub-2_T2s.json")
    touch(*(tmp_path / "plain" / name.lstrip("._")[:5] / "anat" / name for name in names))
    touch(tmp_path / "plain/derivatives/labels/sub-1/anat/sub-1_T2s_label-GM_seg.nii")
    result, calls = batch("plain")
    assert result.returncode == 0, result.stderr
    assert "3 scans done, 0 failed" in result.stdout
    assert "sub-3_T2s.nii is there as .nii.gz too, which counts" in result.stdout
    scans = [Path(call.split()[2]).name for call in calls if call.startswith("seg_gm")]
    assert scans == ["sub-1_T2s.nii", "sub-2_T2s.nii.gz", "sub-3_T2s.nii.gz"]
    assert (tmp_path / "results/processed/sub-1/anat/sub-1_T2s_gmseg.nii.gz").exists()
    assert any("-r plain/derivatives/labels/sub-1/anat/sub-1_T2s_label-GM_seg.nii -o" in call for call in calls)


@pytest.mark.parametrize(("number", "to_all"), [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGHUP, False)])
def test_a_signal_stops_all_of_it_and_the_batch_goes_on_from_there(batch, environment, data, tmp_path, number, to_all):
    """Ctrl-C goes to the script and to the command that runs; others may come to the script alone."""
    quick = (tmp_path / "venv/bin/seg_gm").read_text()
    (tmp_path / "venv/bin/seg_gm").write_text(quick + "exec sleep 30\n")
    started = start("bash", SCRIPT, "my data", cwd=tmp_path, env=environment)
    while not list(tmp_path.glob("results/**/*_wmseg.nii.gz")):
        time.sleep(0.01)
    before = time.monotonic()
    (os.killpg if to_all else os.kill)(started.pid, number)
    _, errors = started.communicate(timeout=20)
    assert time.monotonic() - before < 5
    assert started.returncode == -number, "a loop about the script ends too"
    assert "batch: stopped; the same command goes on from here" in errors
    assert (tmp_path / "calls").read_text().count("seg_gm") == 1, "the second subject was not begun"

    (tmp_path / "venv/bin/seg_gm").write_text(quick)
    result, calls = batch("my data")
    assert result.returncode == 0, result.stderr
    assert sum(call.startswith("seg_gm") for call in calls) == 2, "what was not finished is done again"


def test_examples_that_were_not_all_made_are_made_anew(batch, tmp_path):
    python = tmp_path / "venv/bin/python"
    python.write_text('#!/bin/bash\nmkdir -p "${@: -1}/sub-1/anat"\nexit 1\n')
    python.chmod(0o755)
    assert batch()[0].returncode == 1
    python.write_text('#!/bin/bash\nmkdir -p "${@: -1}/sub-1/anat"\ntouch "${@: -1}/sub-1/anat/sub-1_T2s.nii.gz"\n')
    assert "1 scans done" in batch()[0].stdout


def test_closed_streams(environment, data, tmp_path):
    line = f'bash "{SCRIPT}" "my data" <&- >&- 2>&-'
    assert subprocess.run(["bash", "-c", line], cwd=tmp_path, env=environment, check=False).returncode == 0
    assert (tmp_path / "results/processed/sub-2/anat/sub-2_T2starw_gmseg.nii.gz").exists()


def test_variables_of_another_python_are_not_handed_on(batch, data, tmp_path):
    (tmp_path / "venv/bin/seg_cord").write_text('#!/bin/bash\necho "of another Python: $PYTHONPATH $PYTHONHOME"\n')
    result, _ = batch("my data", PYTHONPATH="/other/packages", PYTHONHOME="/other", CDPATH="/:.")
    assert result.returncode == 0, result.stderr
    assert "of another Python:  \n" in (tmp_path / "results/log/sub-1/anat/sub-1_T2starw.log").read_text()
