"""`spineseg`: its options, exit codes, and what it says; workers are replaced by this process, and networks by stand-ins."""

import contextlib
import io
import os
import re

import numpy as np
import pytest
from click.testing import CliRunner

from spineseg_cli.cli.cohort_run import run_participants
from spineseg_cli.cli.spineseg import main
from spineseg_cli.cohort.locks import BusyError
from spineseg_cli.cohort.participant import make_plan
from spineseg_cli.cohort.selection import Selection
from spineseg_cli.cohort.settings import read_settings
from spineseg_cli.core.image.nifti import write_volume
from testing.cli.files import SHAPE, SPACING_MM, snapshot
from testing.cohort.cohorts import Here


@pytest.fixture
def bids(tmp_path, tube, bright_is_cord, monkeypatch):
    """Two subjects; where one breaks, the other must not."""
    monkeypatch.setattr("spineseg_cli.cohort.pool.LocalPool", Here)
    for subject in ("01", "02"):
        write_volume(tmp_path / f"bids/sub-{subject}/anat/sub-{subject}_T2w.nii.gz", tube(SHAPE, SPACING_MM)[0])
    return tmp_path / "bids"


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_participant_then_group(bids, tmp_path):
    out = tmp_path / "out"
    result = run(bids, out, "participant", "--steps", "cord", "measures")
    assert result.exit_code == 0, result.output
    assert "sub-01/anat/sub-01_T2w.nii.gz  done" in result.stdout
    assert "2 sessions, 2 scans, 0 failed" in result.stdout
    again = run(bids, out, "participant", "--steps", "cord", "measures")
    assert again.stdout.count("(was finished)") == 2
    result = run(bids, out, "group")
    assert result.exit_code == 0, result.output
    assert str(out / "group_measures.tsv") in result.stdout


def test_a_log_has_a_line_for_each_session_when_it_is_finished(bids, tmp_path, monkeypatch):
    (bids / "sub-01/anat/sub-01_T2w.nii.gz").write_bytes(b"")
    lines = []
    monkeypatch.setattr("spineseg_cli.cli.cohort_run.complain", lines.append)
    monkeypatch.setattr("spineseg_cli.cli.cohort_run.report", lambda text, verbose: lines.append(text))
    result = run(bids, tmp_path / "out", "participant", "--steps", "cord")
    first, why, second, *table = lines
    assert re.fullmatch(r"spineseg: 1 of 2 sessions after \d+ s: sub-01, 1 scan, 1 failed", first)
    assert "(it is empty)" in why
    assert re.fullmatch(r"spineseg: 2 of 2 sessions after \d+ s: sub-02, 1 scan, 0 failed", second)
    assert [line.split()[0] for line in table[:2]] == [f"sub-0{n}/anat/sub-0{n}_T2w.nii.gz" for n in (1, 2)]
    assert result.stderr.endswith("spineseg: 1 of 2 sessions failed; --only-failed tries these again\n")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_a_progress_bar_instead_and_failures_after_it(bids, tmp_path, monkeypatch):
    (bids / "sub-01/anat/sub-01_T2w.nii.gz").write_bytes(b"")
    terminal = Terminal()
    settings = read_settings(None, ["steps=cord"])
    plan = make_plan(bids, tmp_path / "out", Selection(), settings)
    monkeypatch.setattr("sys.stderr", terminal)
    assert run_participants(plan, settings, 1, None, None, False, 1).startswith("1 of 2 sessions failed")
    shown = terminal.getvalue()
    assert "| 0/2 [" in shown
    assert "sessions after" not in shown
    assert "(it is empty)" in shown.rsplit("2/2")[-1]


def test_what_another_run_is_at_has_not_failed(bids, tmp_path, monkeypatch):
    def locked_elsewhere(path, what):
        if what == "sub-01":
            raise BusyError(f"another run is at work on {what}")
        return contextlib.nullcontext()

    monkeypatch.setattr("spineseg_cli.cohort.session.locked", locked_elsewhere)
    result = run(bids, tmp_path / "out", "participant", "--steps", "cord")
    assert result.exit_code == 1
    assert "2 sessions, 1 scan, 0 failed" in result.stdout
    assert "1 of 2 sessions are in the hands of another run" in result.stderr
    assert "--only-failed" not in result.stderr


def test_that_no_mask_is_automatic_is_said(bids, tmp_path, tube):
    """As on the example subjects, whose truth would be taken for what the networks find."""
    steps = ("participant", "--steps", "cord")
    for subject in ("01", "02"):
        assert "was segmented" not in run(bids, tmp_path / "out", *steps).stderr
        label = f"derivatives/labels/sub-{subject}/anat/sub-{subject}_T2w_label-SC_seg.nii.gz"
        write_volume(bids / label, tube(SHAPE, SPACING_MM)[1], np.uint8)
    result = run(bids, tmp_path / "out", *steps)
    assert "spineseg: no cord was segmented: every scan has a mask in" in result.stderr
    assert result.stderr.count("\n") == 3
    assert "was segmented" not in run(bids, tmp_path / "out", *steps, "--set", "labels=compare").stderr
    assert run(bids, tmp_path / "out", *steps, "-v", 0).stderr == ""


def test_why_a_step_is_skipped_is_said(bids, tmp_path):
    result = run(bids, tmp_path / "out", "participant", "--steps", "cord", "gm")
    assert result.stdout.count("gm:skipped  axial voxels of 1 x 0.9 mm are too large for gray matter") == 2


def test_one_failure_is_named_and_can_be_tried_again(bids, tmp_path):
    out = tmp_path / "out"
    whole = (bids / "sub-01/anat/sub-01_T2w.nii.gz").read_bytes()
    (bids / "sub-01/anat/sub-01_T2w.nii.gz").write_bytes(whole[:3000])
    result = run(bids, out, "participant", "--steps", "cord")
    assert result.exit_code == 1
    assert "sub-01_T2w.nii.gz is damaged or cut short" in result.stderr
    assert "1 of 2 sessions failed; --only-failed tries these again" in result.stderr
    assert "2 sessions, 2 scans, 1 failed" in result.stdout
    assert run(bids, out, "group").exit_code == 1
    (bids / "sub-01/anat/sub-01_T2w.nii.gz").write_bytes(whole)
    result = run(bids, out, "participant", "--steps", "cord", "--only-failed")
    assert result.exit_code == 0, result.output
    assert "1 session, 1 scan, 0 failed" in result.stdout
    assert run(bids, out, "participant", "--steps", "cord", "--only-failed").exit_code == 2


def test_each_failed_scan_of_a_session_is_counted(bids, tmp_path):
    for name in ("T1w", "T2star"):
        (bids / f"sub-01/anat/sub-01_{name}.nii.gz").write_bytes(b"")
    result = run(bids, tmp_path / "out", "participant", "--steps", "cord")
    assert "2 sessions, 4 scans, 2 failed" in result.stdout
    assert "1 of 2 sessions failed" in result.stderr


def test_a_subject_without_scan_is_named_at_each_level(bids, tmp_path):
    (bids / "sub-03").mkdir()
    levels = (("participant", "--dry-run"), ("participant", "--steps", "cord"), ("group",))
    for level in levels:
        assert "1 of 3 subjects have no scan that is worked on: sub-03" in run(bids, tmp_path / "out", *level).stderr
    assert run(bids, tmp_path / "out", *levels[1], "-v", 0).stderr == ""


def test_a_dry_run_touches_nothing(bids, tmp_path):
    before = snapshot(tmp_path)
    result = run(bids, tmp_path / "out", "participant", "--participant-label", "01", "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "sub-01/anat/sub-01_T2w.nii.gz: centerline, cord, gm, measures, pictures", "1 of 1 scans would be worked on",
    ]  # fmt: skip
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere", "out", "participant"), "no folder nowhere"),
        (("bids", "bids", "participant"), "would lie among the raw data"),
        (("bids", "out", "participant", "--participant-label", "07"), "no participant 07 in this data set; there are 01, 02"),
        (("bids", "out", "participant", "--session-label", "b"), "no session b in this data set"),
        (("bids", "out", "participant", "--suffix", "T1w"), "2 images of the contrasts T2w"),
        (("bids", "out", "participant", "--set", "gm.ttaa=1"), "settings have no gm.ttaa"),
        (("bids", "out", "participant", "--filter", "axial"), "expected ENTITY=VALUE"),
        (("bids", "out", "participant", "--exclude", "none.txt"), "no such file: none.txt"),
        (("bids", "out", "participant", "--ratings", "r.tsv"), "--ratings is for the group level"),
        (("bids", "out", "group"), "run the level participant first"),
        (("bids", "sealed/out", "participant"), "is not a folder that you may write to"),
    ],
)
def test_what_is_refused_in_one_sentence(bids, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    sealed = tmp_path / "sealed"
    sealed.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: "sealed" not in str(path))
    before = snapshot(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert snapshot(tmp_path) == before
