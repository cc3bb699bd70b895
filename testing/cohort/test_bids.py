"""Finding scans, reading their names, selecting some of them, and matching labels to them."""

from pathlib import Path

import pytest

from spineseg_cli.cohort.bids import Scan, find_scans
from spineseg_cli.cohort.labels import find_label
from spineseg_cli.cohort.ratings import read_list
from spineseg_cli.cohort.selection import Selection
from spineseg_cli.errors import InputError

NAMES = (
    "sub-01/anat/sub-01_T2w.nii.gz",
    "sub-01/anat/sub-01_T2w.json",
    "sub-01/anat/sub-01_acq-axial_run-2_T2star.nii",
    "sub-01/anat/._sub-01_T2w.nii.gz",
    "sub-02/ses-a/anat/sub-02_ses-a_echo-1_part-mag_MEGRE.nii.gz",
    "sub-02/ses-a/anat/sub-02_ses-a_echo-1_part-phase_MEGRE.nii.gz",
    "sub-02/ses-a/anat/sub-02_ses-a_T2w.nii",
    "sub-02/ses-a/anat/sub-02_ses-a_T2w.nii.gz",
    "sub-02/ses-b/func/sub-02_ses-b_task-rest_bold.nii.gz",
    "sub-02/ses-b/dwi/sub-02_ses-b_dwi.nii.gz",
    "sub-02/ses-b/fmap/sub-02_ses-b_phasediff.nii.gz",
    "derivatives/labels/sub-01/anat/sub-01_T2w_label-SC_seg.nii.gz",
    "sourcedata/sub-01/anat/sub-01_T2w.nii.gz",
    "code/anat/thing.nii.gz",
)


@pytest.fixture
def root(tmp_path):
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    return tmp_path


def chosen(root, **options):
    return [scan.relative.name for scan in Selection(**options).choose(find_scans(root))]


def test_images_of_the_data_set_and_nothing_else(root):
    names = [scan.relative.as_posix() for scan in find_scans(root)]
    assert len(names) == 7
    assert not [name for name in names if name.startswith(("derivatives", "code", "source")) or "._" in name or "fmap" in name]
    assert "sub-02/ses-a/anat/sub-02_ses-a_T2w.nii.gz" in names
    assert "sub-02/ses-a/anat/sub-02_ses-a_T2w.nii" not in names, "the compressed one counts"
    with pytest.raises(InputError, match="no folder"):
        find_scans(root / "nowhere")


def test_what_a_name_says(root):
    scan = Scan(root, next(s.relative for s in find_scans(root) if "acq-axial" in s.stem))
    assert (scan.suffix, scan.session) == ("T2star", "sub-01")
    assert scan.entities == {"sub": "01", "acq": "axial", "run": "2"}
    assert next(s for s in find_scans(root) if s.suffix == "bold").session == "sub-02/ses-b"
    assert Scan(root, Path("Sub-03/anat/Sub-03_T2w.nii.gz")).entities["sub"] == "03"


def test_contrasts_of_the_cord_by_default(root):
    assert chosen(root) == [
        "sub-01_T2w.nii.gz", "sub-01_acq-axial_run-2_T2star.nii", "sub-02_ses-a_T2w.nii.gz",
        "sub-02_ses-a_echo-1_part-mag_MEGRE.nii.gz",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"participants": ("sub-01",)}, 2),
        ({"participants": ("02",), "sessions": ("a",)}, 2),
        ({"suffixes": ("T2w",)}, 2),
        ({"suffixes": ("bold",), "entities": (("task", "rest"),)}, 1),
        ({"entities": (("acq", "axial"), ("acq", "sag"))}, 1),
        ({"entities": (("part", "phase"),)}, 1),
        ({"pattern": "*dwi*.nii*"}, 1),
        ({"include": ("sub-02",)}, 2),
        ({"exclude": ("sub-02/ses-a", "sub-01_T2w.nii.gz")}, 1),
        ({"exclude": ("*T2star*",)}, 3),
    ],
)
def test_choices(root, options, expected):
    assert len(chosen(root, **options)) == expected


def test_lists(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("participant_id\nsub-01  # moved\n\nsub-02/ses-1\n")
    assert read_list(path) == ("sub-01", "sub-02/ses-1")
    path.write_text(
        "scan\tstep\tmark\trating\tnote\nsub-01/anat/a.nii.gz\tspineseg\tfail\t\t\nsub-02/anat/b.nii.gz\tspineseg\tpass\t\t\n"
    )
    assert read_list(path) == ("sub-01/anat/a.nii.gz",), "of ratings, what raters have failed"
    path.write_text("\n")
    with pytest.raises(InputError, match="names nothing"):
        read_list(path)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("cord", "sub-01_T2w_label-SC_seg.nii.gz"),
        ("cord", "sub-01_T2w_seg-manual.nii.gz"),
        ("gray", "sub-01_T2w_gmseg-manual.nii"),
        ("discs", "sub-01_T2w_labels-disc-manual.nii.gz"),
    ],
)
def test_labels_by_several_habits(root, kind, name):
    scan = next(s for s in find_scans(root) if s.stem == "sub-01_T2w")
    folder = root / "derivatives/labels/sub-01/anat"
    (folder / "sub-01_T2w_label-SC_seg.nii.gz").unlink()
    assert find_label(scan, kind) is None
    (folder / "sub-01_T2w_acq-other_label-SC_seg.nii.gz").touch()
    (folder / name).touch()
    assert find_label(scan, kind).name == name
    assert find_label(scan, "centerline") is None
