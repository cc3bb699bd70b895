"""Processing a session: finished steps are not repeated, and errors affect only their own scan."""

import fcntl
import json
import shutil

import h5py
import nibabel as nib
import numpy as np
import pytest

from spineseg_cli.cohort.network_cache import NetworkCache
from spineseg_cli.cohort.settings import read_settings
from spineseg_cli.cohort.steps import StepContext
from spineseg_cli.core.files import file_sha256
from spineseg_cli.core.localization.presence import WEIGHTS as PRESENCE_WEIGHTS
from spineseg_cli.errors import SpinesegError
from spineseg_cli.weights.files import attach_tflite, tflite_path
from spineseg_cli.weights.find import find_model
from testing.cohort.cohorts import results_of

STEPS = ("centerline", "cord", "gm", "measures", "pictures")
SCAN = "sub-01/anat/sub-01_T2star"


def only(results, session="sub-01"):
    (scan,) = results[session].scans
    return scan


def computed(results, session="sub-01"):
    return only(results, session).computed


def label(work, name, data, like=SCAN):
    """Write a mask into derivatives/labels on the grid of a scan."""
    image = nib.load(work.bids / f"{like}.nii.gz")
    path = work.bids / "derivatives/labels" / f"{name}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data.astype(np.uint8), image.affine), path)
    return path


def test_what_is_written(work):
    results = work.run()
    assert sorted(results) == ["sub-01", "sub-02/ses-1"]
    assert not any(result.failed for result in results.values())
    assert computed(results) == STEPS
    ends = ("label-SC_seg.nii.gz", "label-GM_seg.nii.gz", "label-WM_seg.nii.gz", "desc-centerline.nii.gz", "desc-morphometry.tsv")
    for end in ends:
        assert (work.out / f"{SCAN}_{end}").is_file(), end
    cord, gray, white = (nib.load(work.out / f"{SCAN}_{end}").get_fdata() for end in ends[:3])
    np.testing.assert_array_equal(gray + white, cord, err_msg="gray and white matter add up to the cord")
    sidecar = json.loads((work.out / f"{SCAN}_label-GM_seg.json").read_text())
    assert sidecar["Sources"] == [f"bids:raw:{SCAN}.nii.gz", f"bids::{SCAN}_label-SC_seg.nii.gz"]
    assert sidecar["GeneratedBy"][0]["Name"] == "spineseg"
    assert (work.out / "qc/entries" / f"{SCAN}.json").is_file()


def test_what_is_finished_is_not_done_again(work):
    work.run_first()
    before = results_of(work.out)
    assert computed(work.run_first()) == ()
    assert results_of(work.out) == before
    assert computed(work.run_first(force=True)) == STEPS
    assert results_of(work.out) == before, "equal work gives equal bytes"


def test_a_change_costs_what_depends_on_it(work):
    work.run()
    assert computed(work.run(gm__tta="true")) == ("gm", "measures", "pictures")
    assert computed(work.run(gm__tta="true", measures__edge="false")) == ("measures", "pictures")
    image = nib.load(work.bids / f"{SCAN}.nii.gz")
    nib.save(nib.Nifti1Image(image.get_fdata() + np.float32(1), image.affine), work.bids / f"{SCAN}.nii.gz")
    results = work.run(gm__tta="true", measures__edge="false")
    assert computed(results) == STEPS
    assert computed(results, "sub-02/ses-1") == ()


@pytest.mark.parametrize("change", ["weights", "export"])
def test_weights_that_changed_are_used_even_by_a_process_that_knows_the_old_ones(work, tiny_weights, tmp_path, change):
    weights, networks = tmp_path / "mine.weights.h5", NetworkCache()
    shutil.copy(tiny_weights, weights)

    def attach(export):
        tflite_path(weights).write_bytes(export)
        with h5py.File(weights, "a") as file:
            attach_tflite(file, tflite_path(weights))

    def run():
        return computed(work.run_first(cord__model=weights, steps="centerline cord", networks=networks))

    attach(b"export")
    assert (run(), run()) == (("centerline", "cord"), ())
    if change == "weights":
        with h5py.File(weights, "a") as file:
            file.attrs["note"] = "trained for longer"
    else:
        attach(b"another export")
    assert (run(), run()) == (("cord",), ())


def test_a_key_holds_the_checksums_of_every_file_of_weights(work):
    context = StepContext(None, work.out, read_settings(), NetworkCache())
    models = [find_model(name) for name in ("gm", "centerline", "cord")]
    files = {file for model in models for file in (model.path, model.tflite, model.int8)} | {PRESENCE_WEIGHTS}
    assert {*context.weights("gm")} == {file_sha256(file) for file in files}


def test_a_result_that_was_removed_is_made_again(work):
    work.run_first()
    before = results_of(work.out)
    (work.out / f"{SCAN}_label-SC_seg.nii.gz").unlink()
    assert computed(work.run_first()) == ("cord",)
    assert results_of(work.out) == before


def test_a_mask_made_by_hand_takes_the_place_of_the_automatic_one(work):
    work.run()
    mask = np.zeros((40, 44, 5))
    mask[16:26, 16:26, 1:4] = 1
    path = label(work, f"{SCAN}_label-SC_seg", mask)
    results = work.run()
    assert computed(results) == STEPS
    assert only(results).states["cord"] == only(results).states["centerline"] == "corrected"
    np.testing.assert_array_equal(nib.load(work.out / f"{SCAN}_label-SC_seg.nii.gz").get_fdata(), mask)
    assert json.loads((work.out / f"{SCAN}_label-SC_seg.json").read_text())["Sources"] == [
        f"bids:raw:derivatives/labels/{SCAN}_label-SC_seg.nii.gz"
    ]
    assert computed(results, "sub-02/ses-1") == ()
    path.unlink()
    assert "cord" in computed(work.run())
    assert only(work.run(labels="ignore")).states["cord"] == "done"


def test_a_mask_made_by_hand_may_be_stored_in_another_orientation(work):
    codes = "SLA"
    mask = np.zeros((40, 44, 5))
    mask[16:26, 14:26, 1:4] = 1
    scan = nib.load(work.bids / f"{SCAN}.nii.gz")
    path = label(work, f"{SCAN}_label-SC_seg", mask)
    turns = nib.orientations.ornt_transform(nib.io_orientation(scan.affine), nib.orientations.axcodes2ornt(codes))
    nib.save(nib.load(path).as_reoriented(turns), path)
    assert "".join(nib.aff2axcodes(nib.load(path).affine)) == codes != "".join(nib.aff2axcodes(scan.affine))
    result = only(work.run_first())
    assert result.states["cord"] == result.states["centerline"] == "corrected"
    for end in ("label-SC_seg", "desc-centerline"):
        written = nib.load(work.out / f"{SCAN}_{end}.nii.gz")
        np.testing.assert_array_equal(written.affine, scan.affine)
    np.testing.assert_array_equal(nib.load(work.out / f"{SCAN}_label-SC_seg.nii.gz").get_fdata(), mask)


@pytest.mark.parametrize(("kind", "states"), [("SC_seg", "failed empty"), ("centerline", "failed failed")])
def test_an_empty_label_is_named(work, kind, states):
    path = label(work, f"{SCAN}_label-{kind}", np.zeros((40, 44, 5)))
    result = only(work.run_first())
    assert f"{result.states['centerline']} {result.states['cord']}" == states
    for step in ("centerline", "cord"):
        assert f"{path.name} is empty" in result.messages[step]


def test_a_centerline_made_by_hand_is_followed(work):
    """Where it ends, the cord ends too."""
    work.run_first()
    z = np.arange(1, 4)
    line = np.zeros((40, 44, 5))
    line[np.round(19.5 + (4 + 0.2 * 4 * (z - 2)) / 0.7).astype(int), 16, z] = 1
    label(work, f"{SCAN}_label-centerline", line)
    results = work.run_first()
    assert computed(results) == STEPS
    assert only(results).states | {"pictures": ""} == dict.fromkeys(STEPS, "done") | {"centerline": "corrected", "pictures": ""}
    mask = nib.load(work.out / f"{SCAN}_label-SC_seg.nii.gz").get_fdata()
    assert mask.any(axis=(0, 1)).tolist() == [False, True, True, True, False]
    assert json.loads((work.out / f"{SCAN}_label-SC_seg.json").read_text())["Sources"] == [
        f"bids:raw:{SCAN}.nii.gz", f"bids:raw:derivatives/labels/{SCAN}_label-centerline.nii.gz"
    ]  # fmt: skip


def test_a_scan_without_cord_names_the_file_that_would_help(work):
    image = nib.load(work.bids / f"{SCAN}.nii.gz")
    noise = np.random.default_rng(0).gamma(2, 5, image.shape).astype(np.float32)
    nib.save(nib.Nifti1Image(noise, image.affine), work.bids / f"{SCAN}.nii.gz")
    wanted = f"mark its centerline in derivatives/labels/{SCAN}_label-centerline.nii.gz, and run this again"
    scan = only(work.run_first(steps="cord"))
    assert scan.states["cord"] == "empty"
    assert wanted in scan.messages["cord"]
    assert f"{wanted} with --set labels=use" in only(work.run_first(steps="cord", labels="ignore")).messages["cord"]


def test_a_result_changed_by_hand_is_not_written_over(work):
    work.run_first()
    path = work.out / f"{SCAN}_label-SC_seg.nii.gz"
    image = nib.load(path)
    edited = image.get_fdata()
    edited[..., 2] = 0
    nib.save(nib.Nifti1Image(edited.astype(np.uint8), image.affine), path)
    before = path.read_bytes()
    scan = only(work.run_first())
    assert scan.states["cord"] == scan.states["measures"] == "failed"
    assert "was changed after it was written: move it to derivatives/labels" in scan.messages["cord"]
    assert path.read_bytes() == before
    assert only(work.run_first(force=True)).states["cord"] == "done"


def test_gray_matter_only_where_it_can_be_seen(work):
    scan = only(work.run_first(gm__max_in_plane_mm="0.5"))
    assert scan.states["gm"] == "skipped"
    assert "0.7 x 0.6 mm are too large for gray matter" in scan.messages["gm"]
    assert not (work.out / f"{SCAN}_label-GM_seg.nii.gz").exists()
    work.run_first()
    assert (work.out / f"{SCAN}_label-GM_seg.nii.gz").exists()
    work.run_first(gm__max_in_plane_mm="0.5")
    assert not (work.out / f"{SCAN}_label-GM_seg.nii.gz").exists(), "what no longer applies is removed"


def test_an_unexpected_error_costs_one_scan_and_is_in_its_log(work, monkeypatch):
    def fail(_):
        raise ZeroDivisionError("of all things")

    work.run_first()
    monkeypatch.setattr("spineseg_cli.morphometry.measure.clean_cord", fail)
    scan = only(work.run_first(force=True))
    assert scan.states == {"centerline": "done", "cord": "done", "gm": "done", "measures": "failed", "pictures": "done"}
    assert "unexpected ZeroDivisionError: of all things" in scan.messages["measures"]
    assert "Traceback" in (work.out / "logs" / f"{SCAN}.log").read_text()
    table = work.out / f"{SCAN}_desc-morphometry.tsv"
    table.write_text(f"{table.read_text()}\n")
    message = only(work.run_first()).messages["measures"]
    assert "was changed after it was written" in message, "what was written before the error is known"


def test_a_full_disk_stops_the_run(work, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nibabel.Nifti1Header.write_to", full)
    result = work.run()["sub-01"]
    assert result.failed
    assert "No space left on device; free some space" in result.fatal
    assert not [path for path in work.out.rglob("*.nii.gz")]


def test_a_session_that_another_run_is_at_is_left_to_it(work, monkeypatch):
    monkeypatch.setattr("spineseg_cli.cohort.session.locked", _impatient())
    lock = work.out / ".spineseg/sub-01/lock"
    lock.parent.mkdir(parents=True)
    with open(lock, "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        results = work.run()
    assert "another run is at work on sub-01; wait until it has ended" in results["sub-01"].error
    assert not results["sub-02/ses-1"].failed


def _impatient():
    from functools import partial

    from spineseg_cli.cohort.locks import locked

    return partial(locked, patience_s=0.1)


def test_networks_are_loaded_once_and_asked_once(work):
    """Two scans and five steps: the localizer, the cord's network, and that of gray matter."""
    networks = NetworkCache()
    work.run(networks=networks)
    assert len(work.networks) == 3
    assert work.networks[0].asked == 2, "centerline, cord and gray matter look for the cord in the same windows"


def test_half_written_files_of_a_killed_worker_are_removed(work):
    left = work.out / "sub-01/anat/.partial-1234-x.nii.gz"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    other = work.out / "sub-03/anat/.partial-1234-x.nii.gz"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"of a session at work elsewhere")
    work.run_first()
    assert not left.exists()
    assert other.exists()


def test_each_volume_of_a_series_by_itself(work):
    path = work.bids / f"{SCAN}.nii.gz"
    image = nib.load(path)
    data = np.stack([image.get_fdata(), np.roll(image.get_fdata(), 3, axis=1)], -1).astype(np.float32)
    nib.save(nib.Nifti1Image(data, image.affine), path)
    results = work.run_first(volumes="each", steps="cord")["sub-01"].scans
    assert [scan.scan for scan in results] == [f"{SCAN}.nii.gz:1", f"{SCAN}.nii.gz:2"]
    first, second = (nib.load(work.out / f"{SCAN}_vol-00{i}_label-SC_seg.nii.gz").get_fdata() for i in (1, 2))
    assert first.shape == (40, 44, 5)
    np.testing.assert_array_equal(np.roll(first, 3, axis=1), second)


def test_errors_that_are_no_scans_fault_reach_the_caller(work, monkeypatch):
    def fail(*_):
        raise SpinesegError("weights are damaged")

    monkeypatch.setattr("spineseg_cli.weights.find.find_custom", fail)
    assert only(work.run_first()).messages["cord"] == "weights are damaged"
