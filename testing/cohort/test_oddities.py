"""What in a data set is probably not what its owner means."""

import pytest

from spineseg_cli.cohort.bids import find_scans
from spineseg_cli.cohort.oddities import oddities
from spineseg_cli.cohort.selection import Selection

SOUND = (
    "sub-01/anat/sub-01_T2w.nii.gz",
    "sub-02/ses-a/anat/sub-02_ses-a_T2w.nii.gz",
    "sub-02/ses-a/dwi/sub-02_ses-a_dwi.nii.gz",
    "sub-03/ses-a/anat/T2w.nii.gz",
    "derivatives/labels/sub-01/anat/sub-01_T2w_label-SC_seg.nii.gz",
    "derivatives/labels/sub-01/anat/sub-01_T2w_label-lesion_seg.nii.gz",
    "derivatives/labels/sub-01/anat/sub-01_T2w_label-rootlets_dseg.nii.gz",
    "derivatives/labels/sub-02/ses-a/dwi/sub-02_ses-a_dwi_seg-manual.nii.gz",
)


def odd(root, *names, **selection):
    for name in (*SOUND, *names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    chosen = Selection(**selection)
    return oddities(root, chosen.choose(find_scans(root)), chosen)


def test_nothing_is_odd_in_a_sound_data_set(tmp_path):
    assert odd(tmp_path) == []
    assert odd(tmp_path, participants=("01",)) == [], "the others were left out on purpose"


def test_subjects_without_a_scan(tmp_path):
    (tmp_path / "sub-04/anat").mkdir(parents=True)
    (sentence,) = odd(tmp_path, "sub-05/anat/sub-05_T2w (copy).nii.gz")
    assert sentence.startswith("2 of 5 subjects have no scan that is worked on: sub-04 (no image in anat,")
    assert "sub-05 (there is sub-05_T2w (copy).nii.gz)" in sentence
    assert "sub-01 (there is sub-01_T2w.nii.gz)" in odd(tmp_path, suffixes=("dwi",))[0]
    assert odd(tmp_path, exclude=("sub-05",)) == []


@pytest.mark.parametrize("name", ["sub-01/anat/sub-10_T1w.nii.gz", "sub-02/ses-a/anat/sub-02_ses-b_T1w.nii.gz"])
def test_a_scan_in_the_folder_of_another(tmp_path, name):
    (sentence,) = odd(tmp_path, name)
    assert f"than in that of its folder: {name}; tables" in sentence


@pytest.mark.parametrize(
    "name",
    ["sub-1/anat/sub-1_T2w_label-SC_seg", "sub-01/anat/sub-01_T1w_seg-manual", "sub-01/anat/sub-01_T2w_desc-mine_label-GM_seg"],
)
def test_a_label_of_no_scan(tmp_path, name):
    (sentence,) = odd(tmp_path, f"derivatives/labels/{name}.nii.gz")
    assert f"belong to no scan, and are not used: {name}.nii.gz; that of" in sentence
