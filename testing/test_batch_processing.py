"""`batch_processing.sh` hands over to `spineseg`: its options, examples and exit codes; a stand-in says what it was given."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from testing.stopping import start

SCRIPT = Path(__file__).parents[1] / "batch_processing.sh"
COMMAND = """#!/usr/bin/env bash
printf '%s|' "$@" >>"$CALLS"
echo >>"$CALLS"
"""


@pytest.fixture
def environment(tmp_path):
    """What the script needs to find the stand-in; `CALLS` lists what it was given, one call a line."""
    command = tmp_path / "venv/bin/spineseg"
    command.parent.mkdir(parents=True)
    command.write_text(COMMAND)
    command.chmod(0o755)
    return os.environ | {"SPINESEG_VENV": str(tmp_path / "venv"), "CALLS": str(tmp_path / "calls")}


@pytest.fixture
def batch(tmp_path, environment):
    """Run the script in `tmp_path`, and return its result and the words of each call."""
    calls = tmp_path / "calls"

    def run(*arguments, **variables):
        calls.write_text("")
        command, more = ["bash", str(SCRIPT), *arguments], {"env": environment | variables}
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, **more)
        return result, [line.strip("|").split("|") for line in calls.read_text().splitlines()]

    return run


@pytest.fixture
def data(tmp_path):
    """A folder whose name has a space."""
    (tmp_path / "my data").mkdir()
    return tmp_path / "my data"


COMPARE = ["--set", "labels=compare"]


@pytest.mark.parametrize(
    ("arguments", "participant", "group"),
    [
        ((), [], []),
        (("-o", "my results"), [], []),
        (("my results",), [], []),
        (("-p", "*T2s*.nii*"), ["--pattern", "*T2s*.nii*"], ["--pattern", "*T2s*.nii*"]),
        (("-f", "-j", "2"), ["--force", "--jobs", "2"], []),
        (("--participant-label", "01", "02"), ["--participant-label", "01", "02"], ["--participant-label", "01", "02"]),
        (("--only-failed",), ["--only-failed"], []),
    ],
)
def test_what_spineseg_is_given(batch, data, arguments, participant, group):
    result, calls = batch("my data", *arguments)
    assert result.returncode == 0, result.stderr
    out = "my results/processed" if "my results" in arguments else "results/processed"
    assert calls == [["my data", out, "participant", *participant, *COMPARE], ["my data", out, "group", *group, *COMPARE]]
    assert f"open {out}/qc/index.html" in result.stdout


def test_options_of_seg_gm(batch, data):
    _, calls = batch("my data", "--", "--tta", "-m", "gm", "-thr", "0.4")
    assert [call[-4:] for call in calls] == [["labels=compare", "gm.tta=true", "gm.model=gm", "gm.threshold=0.4"]] * 2
    result, calls = batch("my data", "--", "--soft")
    assert (result.returncode, calls) == (2, [])
    assert "--soft is no option of seg_gm that a batch takes" in result.stderr


@pytest.mark.parametrize(("code", "count"), [(1, 2), (2, 1)])
def test_exit_codes(batch, data, tmp_path, code, count):
    """Where some scans have failed, the others have their tables; where nothing could be done, there are none."""
    (tmp_path / "venv/bin/spineseg").write_text(COMMAND + f'[ "$3" = group ] || exit {code}\n')
    result, calls = batch("my data")
    assert (result.returncode, len(calls)) == (code, count)


def test_what_is_refused(batch, data):
    assert batch("nowhere")[0].returncode == 2
    for wrong in (("my data", "-x"), ("my data", "a", "b"), ("my data", "-o"), ("my data", "--", "-thr")):
        done = batch(*wrong)[0]
        assert done.returncode == 2
        assert done.stderr.startswith("batch: ")
        assert done.stderr.count("\n") == 1


def test_a_dry_run_writes_no_tables(batch, data):
    result, calls = batch("my data", "--dry-run")
    assert (result.returncode, len(calls)) == (0, 1)


@pytest.mark.parametrize(("number", "to_all"), [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGHUP, False)])
def test_a_signal_stops_all_of_it(environment, data, tmp_path, number, to_all):
    """Ctrl-C goes to the script and to the command that runs; others may come to the script alone."""
    (tmp_path / "venv/bin/spineseg").write_text(COMMAND + "exec sleep 30\n")
    started = start("bash", SCRIPT, "my data", cwd=tmp_path, env=environment)
    while not (tmp_path / "calls").exists():
        time.sleep(0.01)
    before = time.monotonic()
    (os.killpg if to_all else os.kill)(started.pid, number)
    _, errors = started.communicate(timeout=20)
    assert time.monotonic() - before < 5
    assert started.returncode == -number, "a loop about the script ends too"
    assert "batch: stopped; the same command goes on from here" in errors
    assert len((tmp_path / "calls").read_text().splitlines()) == 1, "the group level was not begun"


def test_examples_that_were_not_all_made_are_made_again(batch, tmp_path):
    python = tmp_path / "venv/bin/python"
    python.write_text('#!/bin/bash\nmkdir -p "${@: -1}/sub-1/anat"\nexit 1\n')
    python.chmod(0o755)
    assert batch()[0].returncode == 1
    python.write_text('#!/bin/bash\nmkdir -p "${@: -1}/sub-1/anat"\n')
    result, calls = batch()
    assert result.returncode == 0
    assert [call[:3] for call in calls] == [["results/data", "results/processed", level] for level in ("participant", "group")]


def test_closed_streams(environment, data, tmp_path):
    line = f'bash "{SCRIPT}" "my data" <&- >&- 2>&-'
    assert subprocess.run(["bash", "-c", line], cwd=tmp_path, env=environment, check=False).returncode == 0
    assert len((tmp_path / "calls").read_text().splitlines()) == 2


def test_variables_of_another_python_are_not_handed_on(batch, data, tmp_path):
    (tmp_path / "venv/bin/spineseg").write_text('#!/bin/bash\necho "of another Python: $PYTHONPATH $PYTHONHOME"\n')
    result, _ = batch("my data", PYTHONPATH="/other/packages", PYTHONHOME="/other", CDPATH="/:.")
    assert result.returncode == 0, result.stderr
    assert "of another Python:  \n" in result.stdout
