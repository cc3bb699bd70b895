"""Scans and masks by two globs: matching, subjects, and ambiguous cases."""

from pathlib import Path

import pytest

from spineseg_cli.errors import InputError
from spineseg_cli.training.data.patterns import pair_by_patterns, subject_of


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("path", "pattern", "subject"),
    [
        ("scans/sub-07_T2w.nii.gz", "scans/*_T2w.nii.gz", "sub-07"),
        ("sub-07/ses-1/anat/x.nii.gz", "**/*.nii.gz", "sub-07"),
        ("scans/anna_T2w.nii.gz", "scans/*_T2w.nii.gz", "anna"),
        ("scans/anna_T1w.nii", "scans/*_T?w.nii", "anna"),
        ("scan_012.nii.gz", "scan_*.nii.gz", "012"),
        ("anna/t2.nii.gz", "*/t2.nii.gz", "anna"),
        ("data/anna/day1/t2.nii.gz", "data/*/day?/t2.nii.gz", "anna"),
        ("deep/down/anna_T2w.nii.gz", "**/*_T2w.nii.gz", "anna"),
        ("anna.nii.gz", "*", "anna"),
        ("only.nii.gz", "only.nii.gz", "only"),
    ],
)
def test_whose_scan_it_is(path, pattern, subject):
    assert subject_of(Path(path), pattern) == subject


@pytest.mark.parametrize(
    ("files", "images", "masks", "expected"),
    [
        (
            ["scans/anna_T2w.nii.gz", "scans/ben_T2w.nii.gz", "masks/anna_cord.nii.gz", "masks/ben_cord.nii.gz"],
            "scans/*_T2w.nii.gz",
            "masks/*_cord.nii.gz",
            [("anna", "anna_T2w.nii.gz", ["anna_cord.nii.gz"]), ("ben", "ben_T2w.nii.gz", ["ben_cord.nii.gz"])],
        ),
        (  # names alone tell nothing
            ["anna/t2.nii", "anna/cord.nii", "ben/t2.nii", "ben/cord.nii"],
            "*/t2.nii",
            "*/cord.nii",
            [("anna", "t2.nii", ["cord.nii"]), ("ben", "t2.nii", ["cord.nii"])],
        ),
        (  # two scans of one subject; the masks' wildcard stands for more than the subject
            ["anna_T1w.nii", "anna_T2w.nii", "m/anna_T1w_seg.nii", "m/anna_T2w_seg.nii"],
            "*_T?w.nii",
            "m/*_seg.nii",
            [("anna", "anna_T1w.nii", ["anna_T1w_seg.nii"]), ("anna", "anna_T2w.nii", ["anna_T2w_seg.nii"])],
        ),
        (  # two raters, and a scan that nobody labeled
            ["sub-1_T2w.nii", "sub-2_T2w.nii", "sub-1_T2w_gm-a.nii", "sub-1_T2w_gm-b.nii"],
            "*_T2w.nii",
            "*_gm-?.nii",
            [("sub-1", "sub-1_T2w.nii", ["sub-1_T2w_gm-a.nii", "sub-1_T2w_gm-b.nii"])],
        ),
    ],
)
def test_pairs(tmp_path, files, images, masks, expected):
    touch(tmp_path, *files)
    found = pair_by_patterns(tmp_path, images, masks, "cord")
    assert [(subject, image.name, [mask.name for mask in own]) for subject, image, own in found] == expected
    assert all(image.parent.name == own[0].parent.name for _, image, own in found if image.name == "t2.nii")


def test_mistakes_are_named(tmp_path):
    touch(tmp_path, "anna_T1w.nii", "anna_T2w.nii", "anna_cord.nii", "other_seg.nii", "notes.txt")
    for images, masks, message in (
        ("*_PD.nii", "*_cord.nii", r"expected images .* that match '\*_PD.nii' under .*; found none"),
        ("*_T2w.nii", "*.txt", "expected masks .* that match .*; found none"),
        ("*_T?w.nii", "*_cord.nii", "cannot tell which scan the cord mask .*anna_cord.nii belongs to"),
        ("*_T?w.nii", "other*.nii", "cannot tell which scan the cord mask .*other_seg.nii belongs to .as likely anna_T1w.nii"),
        ("*.nii", "*_cord.nii", "expected images and masks to be different files; .*anna_cord.nii matches both"),
        ("/abs/*.nii", "*_cord.nii", "expected a pattern that starts from .*; got '/abs/"),
        ("", "*_cord.nii", "expected a pattern that starts from .*; got ''"),
    ):
        with pytest.raises(InputError, match=message):
            pair_by_patterns(tmp_path, images, masks, "cord")
    with pytest.raises(InputError, match="expected a folder that the patterns start from"):
        pair_by_patterns(tmp_path / "notes.txt", "*.nii", "*.nii", "cord")
