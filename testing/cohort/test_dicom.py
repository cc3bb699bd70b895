"""Import of DICOM files into BIDS: names, grids, series that are left out, and the removal of identifying information."""

import gzip
import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

pytest.importorskip("pydicom", reason="pydicom, of the tests' environment, is not installed")
pytest.importorskip("dcm2niix", reason="dcm2niix, of the extra cohort, is not installed")

from spineseg_cli.cohort.dicom.bids_import import import_dicom
from spineseg_cli.cohort.dicom.naming import guess_suffix
from spineseg_cli.cohort.dicom.table import read_table, write_table
from spineseg_cli.errors import InputError
from testing.cohort import dicoms


@pytest.fixture(scope="module")
def scanner(phantom, tmp_path_factory):
    """Two subjects: a study of several series in one folder, and one with an enhanced file and a mosaic."""
    folder = tmp_path_factory.mktemp("scanner")
    image = phantom.image.with_data(np.round(phantom.image.data * 5))
    image = image.with_data(np.concatenate([image.data], axis=2))
    study = dicoms.generate_uid()
    mixed = folder / "mixed"
    dicoms.write_classic(mixed, image, series=1, study_uid=study)
    dicoms.write_classic(mixed, image, series=2, study_uid=study)
    uid = dicoms.generate_uid()
    for echo, echo_ms in ((1, 5.0), (2, 15.0)):
        dicoms.write_classic(
            mixed, image, series=3, description="gre Mustermann", study_uid=study, series_uid=uid, echo=echo, echo_ms=echo_ms
        )
    dicoms.write_classic(mixed, image, series=4, description="localizer", study_uid=study)
    dicoms.write_classic(mixed, image, series=6, description="t2w_tilted", tilt_deg=10.0, study_uid=study)
    dicoms.write_enhanced(folder / "other", image, patient=2)
    dicoms.write_mosaic(folder / "other", image, patient=2)
    (folder / "DICOMDIR.txt").write_text("no image")
    return folder, image


@pytest.fixture(scope="module")
def imported(scanner, tmp_path_factory):
    bids = tmp_path_factory.mktemp("imported") / "bids"
    return import_dicom(scanner[0], bids), bids


def images_in(bids):
    return sorted(path.relative_to(bids).as_posix() for path in bids.rglob("*.nii.gz"))


def test_names(imported):
    _, bids = imported
    names = images_in(bids)
    assert [name.split("/")[-1] for name in names] == [
        "sub-01_acq-axial_T2w.nii.gz", "sub-01_acq-axial_echo-1_T2star.nii.gz", "sub-01_acq-axial_echo-2_T2star.nii.gz",
        "sub-01_acq-axial_run-1_T2star.nii.gz", "sub-01_acq-axial_run-2_T2star.nii.gz",
        "sub-02_ses-01_acq-axial_T2w.nii.gz", "sub-02_ses-02_acq-axial_dwi.nii.gz",
    ]  # fmt: skip
    sidecar = json.loads((bids / "sub-01/anat/sub-01_acq-axial_echo-2_T2star.json").read_text())
    assert (sidecar["EchoTime"], sidecar["EchoNumber"], sidecar["ProtocolName"]) == (0.015, 2, "gre")


@pytest.mark.parametrize("name", ["sub-01/anat/sub-01_acq-axial_run-1_T2star", "sub-02/ses-01/anat/sub-02_ses-01_acq-axial_T2w",
                                  "sub-02/ses-02/dwi/sub-02_ses-02_acq-axial_dwi"])  # fmt: skip
def test_voxels_are_where_they_were(imported, scanner, name):
    """Classic, enhanced, mosaic."""
    _, image = scanner
    written = nib.as_closest_canonical(nib.load(imported[1] / f"{name}.nii.gz"))
    expected = nib.as_closest_canonical(nib.Nifti1Image(image.data, image.affine))
    np.testing.assert_array_equal(np.squeeze(written.get_fdata()), expected.get_fdata())
    np.testing.assert_allclose(written.affine, expected.affine, atol=1e-3)


def test_a_tilted_gantry_is_set_upright(imported, scanner):
    rows = {row.protocol: row for row in imported[0].rows}
    assert rows["t2w_tilted"].note == "the gantry's tilt was undone"
    written = nib.load(imported[1] / rows["t2w_tilted"].path)
    axes = written.affine[:3, :3] / np.linalg.norm(written.affine[:3, :3], axis=0)
    np.testing.assert_allclose(np.abs(axes.T @ axes), np.eye(3), atol=1e-3)


def test_missing_slices_are_named_and_left_out(phantom, tmp_path):
    image = phantom.image.with_data(np.round(phantom.image.data * 5))
    image = type(image)(np.concatenate([image.data] * 3, axis=2), image.affine)
    dicoms.write_classic(tmp_path / "in", image, description="t2s_cut", missing=(4,))
    found = import_dicom(tmp_path / "in", tmp_path / "bids")
    (row,) = found.rows
    assert (row.use, row.note) == ("no", "slices are missing, or not at equal distances")
    assert images_in(tmp_path / "bids") == []


def test_nothing_says_who_it_is(imported):
    """All bytes of all outputs are searched, after decompression."""
    texts = [text for value in dicoms.SECRETS.values() for text in value.replace("^", " ").split()]
    texts = [text for text in texts if text not in ("seen", "with", "moved", "Spine", "17")] + [
        "1964-08-12",
        "2024-05-01",
        "20240501",
    ]
    files = [path for path in imported[1].rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        content = path.read_bytes()
        for part in (content, gzip.decompress(content)[:352] if path.suffix == ".gz" else b""):
            for text in texts:
                assert text.lower().encode() not in part.lower(), (path.name, text)
                assert text.lower() not in str(path).lower()


def test_the_table_is_followed_once_it_is_edited(scanner, tmp_path):
    bids = tmp_path / "bids"
    proposal = import_dicom(scanner[0], bids, only_table=True)
    assert images_in(bids) == []
    rows = [
        replace(row, subject="erwin", session="a") if row.subject == "02" else replace(row, use="no") for row in proposal.rows
    ]
    write_table(proposal.table, rows)
    import_dicom(scanner[0], bids)
    assert len(images_in(bids)) == 2
    assert all(name.startswith("sub-erwin/ses-a/") for name in images_in(bids))
    before = {path: path.stat().st_mtime_ns for path in bids.rglob("*.nii.gz")}
    assert import_dicom(scanner[0], bids).written == ()
    assert {path: path.stat().st_mtime_ns for path in bids.rglob("*.nii.gz")} == before
    write_table(proposal.table, [replace(row, use="yes", subject="01", session="", entities="", suffix="T2w") for row in rows])
    with pytest.raises(InputError, match="two series of .* would both be sub-01"):
        import_dicom(scanner[0], bids)
    write_table(proposal.table, [replace(rows[0], subject="a/b")])
    with pytest.raises(InputError, match="line 2 of .*the subject must be letters and digits alone"):
        read_table(proposal.table)


def test_new_scans_of_a_known_subject(scanner, tmp_path, phantom):
    bids = tmp_path / "bids"
    import_dicom(scanner[0] / "other", bids)
    assert all(name.startswith("sub-01/") for name in images_in(bids))
    found = import_dicom(scanner[0], bids)
    labels = {row.protocol: row.subject for row in found.rows}
    assert (labels["t2_sagittal"], labels["t2star_axial"]) == ("01", "02")


def test_no_dicom(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        import_dicom(tmp_path / "none", tmp_path / "bids")
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match="nothing was converted"):
        import_dicom(tmp_path / "in", tmp_path / "bids")


@pytest.mark.parametrize(
    ("fields", "suffix"),
    [
        ({"SeriesDescription": "t2_medic_tra"}, "T2star"),
        ({"SeriesDescription": "T2_SPACE_sag"}, "T2w"),
        ({"ProtocolName": "T1_mprage"}, "T1w"),
        ({"SeriesDescription": "DTI 30 dir"}, "dwi"),
        ({"SeriesDescription": "gre MT on"}, "MTS"),
        ({"ScanningSequence": "GR", "EchoTime": 0.012}, "T2star"),
        ({"ScanningSequence": "SE", "EchoTime": 0.1, "RepetitionTime": 3}, "T2w"),
        ({"ScanningSequence": "SE", "EchoTime": 0.01, "RepetitionTime": 0.6}, "T1w"),
        ({}, "T2w"),
    ],
)
def test_contrasts(fields, suffix):
    assert guess_suffix(fields) == suffix
