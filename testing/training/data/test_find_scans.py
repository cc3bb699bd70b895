"""Finding labeled scans in folders and tables, and the errors that are reported before a training."""

import nibabel as nib
import numpy as np
import pytest

from spineseg_cli.errors import GridMismatchError, InputError
from spineseg_cli.training.data.find_scans import ScanSource, find_scans
from spineseg_cli.training.data.labeled_scans import LabeledScan, check_scans
from spineseg_cli.training.data.scan_tables import person_of, read_traits
from testing.training.runs import cut

SHAPE, AFFINE = (6, 5, 4), np.diag([1.0, 1, 2, 1])


def save(path, data=None, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.random.default_rng(0).random(SHAPE, np.float32) if data is None else data, affine), path)
    return path


def mask(*slices, shape=SHAPE, value=1):
    data = np.zeros(shape, np.uint8)
    data[1:3, 1:3, list(slices)] = value
    return data


@pytest.fixture
def bids(tmp_path):
    """Subjects with sessions, with two raters, with a scan that nobody labeled, and with labels of other structures."""
    root, labels = tmp_path / "bids", tmp_path / "bids" / "derivatives" / "labels"
    for name in ("sub-01/anat/sub-01_T2star", "sub-01/anat/sub-01_run-2_T2star", "sub-02/ses-a/anat/sub-02_ses-a_T2star"):
        save(root / f"{name}.nii.gz")
        save(root / f"{name}.nii.gz".replace("anat", "func"))
    save(root / "sub-03/anat/sub-03_T2w.nii")
    save(labels / "sub-01/anat/sub-01_T2star_label-GM_seg.nii.gz", mask(1, 2))
    save(labels / "sub-01/anat/sub-01_T2star_label-SC_seg.nii.gz", mask(1, 2))
    save(labels / "sub-01/anat/sub-01_T2star_label-WM_seg.nii.gz", mask(1))
    save(labels / "sub-01/anat/sub-01_T2star_label-lesion_seg.nii.gz", mask(1))
    for rater in (1, 2):
        save(labels / f"sub-02/ses-a/anat/sub-02_ses-a_T2star_gmseg-rater{rater}.nii.gz", mask(1))
    save(labels / "sub-03/anat/sub-03_T2w_seg-manual.nii.gz", mask(0, 1))
    save(root / "derivatives/other/sub-03/anat/sub-03_T2w_seg.nii.gz", mask(3))
    return root


def test_a_bids_folder(bids, caplog):
    gray = find_scans(ScanSource(bids), "gm")
    assert [(scan.subject, scan.image.name, len(scan.masks["gray_matter"]), scan.cord is not None) for scan in gray] == [
        ("sub-01", "sub-01_T2star.nii.gz", 1, True),
        ("sub-02", "sub-02_ses-a_T2star.nii.gz", 2, False),
    ]
    left_out = "left out for want of a gray-matter mask: 2 of 4 scans (sub-01_run-2_T2star.nii.gz, sub-03_T2w.nii)"
    assert caplog.messages == [left_out]
    cord = find_scans(ScanSource(bids), "cord")
    assert [(scan.subject, scan.cord.name) for scan in cord] == [
        ("sub-01", "sub-01_T2star_label-SC_seg.nii.gz"),
        ("sub-03", "sub-03_T2w_seg-manual.nii.gz"),
    ]
    check_scans([*gray, *cord])


def test_a_table(bids, tmp_path):
    table = bids / "scans.tsv"
    labels = "derivatives/labels"
    raters = ";".join(f"{labels}/sub-02/ses-a/anat/sub-02_ses-a_T2star_gmseg-rater{rater}.nii.gz" for rater in (1, 2))
    table.write_text(
        "image\tgray_matter\tcord\tsubject\tsite\n"
        f"sub-02/ses-a/anat/sub-02_ses-a_T2star.nii.gz\t{raters}\tn/a\t\tA\n"
        f"sub-03/anat/sub-03_T2w.nii\t\t{labels}/sub-03/anat/sub-03_T2w_seg-manual.nii.gz\tchild\tB\n"
    )
    (scan,) = find_scans(ScanSource(table), "gm")
    assert (scan.subject, len(scan.masks["gray_matter"]), scan.cord) == ("sub-02", 2, None)
    (scan,) = find_scans(ScanSource(table), "cord")
    assert (scan.subject, list(scan.masks)) == ("child", ["cord"])
    assert read_traits(table, "site") == {"sub-02": "A", "child": "B"}


def test_scans_by_patterns(bids):
    """Masks of the cord, and masks of gray matter by several raters; only one mask of the cord is allowed."""
    images, labels = "sub-*/**/anat/*.nii*", "derivatives/labels/sub-*/**"
    (cord,) = find_scans(ScanSource(bids, ("sub-03/anat/*.nii", f"{labels}/*_seg-manual.nii.gz")), "cord")
    assert (cord.subject, cord.image.name, cord.cord.name) == ("sub-03", "sub-03_T2w.nii", "sub-03_T2w_seg-manual.nii.gz")
    (gray,) = find_scans(ScanSource(bids, (images, f"{labels}/*_gmseg-rater?.nii.gz")), "gm")
    assert (gray.subject, len(gray.masks["gray_matter"]), gray.cord) == ("sub-02", 2, None)
    assert find_scans(ScanSource(bids, ("sub-03/anat/*.nii", f"{labels}/*_seg-manual.nii.gz")), "centerline") == [cord]
    with pytest.raises(InputError, match="expected one cord mask for .*sub-02.*narrow it down"):
        find_scans(ScanSource(bids, (images, f"{labels}/*_gmseg-rater?.nii.gz")), "cord")


def test_where_labels_end_with_the_cord(bids):
    label = "derivatives/labels/sub-03/anat/sub-03_T2w_seg-manual.nii.gz"
    table, image = bids / "scans.tsv", "sub-03/anat/sub-03_T2w.nii"
    table.write_text(f"image\tcord\tlabel_coverage\n{image}\t{label}\tbelow\n{image}\t{label}\tn/a\n{image}\t{label}\t\n")
    assert [scan.label_coverage for scan in find_scans(ScanSource(table), "cord")] == ["below", None, None]
    assert [scan.label_coverage for scan in find_scans(ScanSource(table, label_coverage="both"), "cord")] == [
        "below",
        "both",
        "both",
    ]
    assert {scan.label_coverage for scan in find_scans(ScanSource(bids, label_coverage="above"), "cord")} == {"above"}
    table.write_text(f"image\tcord\tlabel_coverage\n{image}\t{label}\tyes\n")
    with pytest.raises(InputError, match="column label_coverage .*'yes'"):
        find_scans(ScanSource(table), "cord")


@pytest.mark.parametrize(
    ("subject", "person"),
    [
        ("sub-01", "sub-01"),
        ("sub-01_ses-2", "sub-01"),
        ("sub-10062Ses1", "sub-10062"),
        ("anna_ses-b", "anna"),
        ("moses1", "moses1"),
    ],
)
def test_sessions_are_of_one_person(subject, person):
    assert person_of(subject) == person


def test_who_is_one_person_by_a_column(bids):
    (bids / "participants.tsv").write_text("participant_id\tperson\tsite\nsub-01\tanna\tA\nsub-02\tanna\tA\nsub-03\tben\tB\n")
    assert {scan.subject for scan in find_scans(ScanSource(bids, person="person"), "gm")} == {"anna"}
    assert {scan.subject for scan in find_scans(ScanSource(bids), "gm")} == {"sub-01", "sub-02"}
    assert read_traits(bids, "site", "person") == {"anna": "A", "ben": "B"}
    with pytest.raises(InputError, match="expected the columns family in .*participants.tsv"):
        find_scans(ScanSource(bids, person="family"), "gm")


def test_mistakes_in_a_table(bids):
    table = bids / "scans.tsv"
    for text, message in (
        ("image\tgray_matter\na.nii.gz\tb.nii.gz\n", "scans.tsv lists a file that cannot be read: no such file: .*a.nii.gz"),
        ("scan\tgray\n", "expected the columns image in .*scans.tsv; it has scan, gray"),
        ("image\tgray_matter\n", "no scan with a gray-matter mask in .*scans.tsv; searched for rows"),
        ("image\tgray_matter\n\t\n", "expected one image, and at most one cord mask, in each row"),
        ("image\tgray_matter\nscans.tsv\tscans.tsv\n", "whose scan is .*scans.tsv.* a column subject"),
    ):
        table.write_text(text)
        with pytest.raises(InputError, match=message):
            find_scans(ScanSource(table), "gm")


def test_nothing_to_train_on(tmp_path):
    with pytest.raises(InputError, match="BIDS folder, or a table .*nowhere"):
        find_scans(ScanSource(tmp_path / "nowhere"), "gm")
    with pytest.raises(InputError, match=r"no scan with a cord mask in .*; searched for sub-\*/.*derivatives/.*label-SC_seg"):
        find_scans(ScanSource(tmp_path), "cord")
    with pytest.raises(InputError, match="no such table: .*participants.tsv"):
        read_traits(tmp_path, "site")


def test_a_mask_that_may_be_of_two_scans_or_two_masks_of_the_cord(bids):
    labels = bids / "derivatives/labels/sub-03/anat"
    save(labels / "sub-03_T2w_label-SC_seg.nii.gz", mask(1))
    with pytest.raises(InputError, match="one cord mask for .*sub-03_T2w.nii"):
        find_scans(ScanSource(bids), "cord")
    (labels / "sub-03_T2w_label-SC_seg.nii.gz").unlink()
    save(bids / "sub-03/anat/sub-03_T1w.nii.gz")
    save(labels / "sub-03_label-GM_seg.nii.gz", mask(1))
    with pytest.raises(InputError, match="cannot tell which scan the gray-matter mask .*sub-03_label-GM_seg"):
        find_scans(ScanSource(bids), "gm")


def test_masks_may_be_stored_in_another_orientation(tmp_path):
    image, cord = save(tmp_path / "image.nii"), save(tmp_path / "cord.nii", mask(1))
    turned = nib.load(cord).as_reoriented(nib.orientations.axcodes2ornt(("S", "P", "L")))
    save(cord, np.array(turned.dataobj), turned.affine)
    check_scans([LabeledScan(f"sub-{n}", image, {"cord": (cord,)}) for n in range(3)])
    (piece,) = cut(image, cord, changes={"inference.spacing_mm": 1.0, "data.source_fov_mm": 16.0})
    assert (piece.cord.sum(), piece.height_mm) == (4, 2)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"cord": (mask(), AFFINE)}, InputError, "the mask .*cord.nii is empty: draw it"),
        ({"cord": (mask(1, value=255), AFFINE)}, InputError, "values from 0 to 1; .*cord.nii has 0 to 255"),
        ({"cord": (mask(1, value=2), AFFINE)}, InputError, "values from 0 to 1; .*cord.nii has 0 to 2"),
        ({"cord": (1 - mask(1), AFFINE)}, InputError, "cord.nii fills 97% of its slices: exchange 0 and 1"),
        (
            {"image": (1 - np.ones(SHAPE) * (np.arange(4) == 1), AFFINE)},
            InputError,
            "gray.nii is drawn only where .*image.nii is 0",
        ),
        ({"cord": (mask(1, shape=(6, 5, 3)), AFFINE)}, GridMismatchError, "must be on one voxel grid; their shapes"),
        ({"cord": (mask(1), np.diag([1.0, 1, 3, 1]))}, GridMismatchError, "must be on one voxel grid"),
        ({"cord": (mask(3), AFFINE)}, InputError, "no slice of .*image.nii has both gray matter and cord"),
        ({"image": (np.random.default_rng(0).random((*SHAPE, 2), np.float32), AFFINE)}, InputError, "expected one 3-D image"),
    ],
)
def test_scans_that_cannot_be_trained_on(tmp_path, changes, error, message):
    files = {"image": (None, AFFINE), "gray": (mask(1), AFFINE), "cord": (mask(1), AFFINE)} | changes
    image, gray, cord = (save(tmp_path / f"{name}.nii", *content) for name, content in files.items())
    with pytest.raises(error, match=message):
        check_scans([LabeledScan(f"sub-{n}", image, {"gray_matter": (gray,), "cord": (cord,)}) for n in range(3)])


def disc(radius_mm, *slices, shift_mm=0):
    """Return a disc in some slices of 40 mm."""
    x = np.arange(40) - 19.5
    inside = np.hypot(x[:, None] - shift_mm, x) < radius_mm
    return (inside[:, :, None] & np.isin(np.arange(6), slices)).astype(np.uint8)


def test_implausible_masks_are_named_in_one_warning(tmp_path, caplog):
    image = np.random.default_rng(0).random((40, 40, 6), np.float32)
    image[:, :, 5] = 0
    kinds = {
        "good": (disc(5, 1, 2), disc(2, 1, 2)),
        "half": (disc(16, 1, 2), disc(2, 1, 2)),
        "thin": (disc(5, 1, 2), disc(0.6, 1, 2, shift_mm=0.5)),
        "dark": (disc(5, 1, 2, 5), disc(2, 1, 2)),
        "beside": (disc(5, 1, 2), disc(3, 1, 2, shift_mm=5)),
    }
    scans = []
    for name, masks in kinds.items():
        path = save(tmp_path / f"{name}.nii", image)
        cord, gray = (save(tmp_path / f"{name}_{kind}.nii", data) for kind, data in zip(("cord", "gray"), masks, strict=True))
        scans.append(LabeledScan(name, path, {"cord": (cord,), "gray_matter": (gray,)}))
    check_scans(scans)
    (message,) = caplog.messages
    assert message == (
        "masks of 4 of 5 scans look implausible: half.nii (cord of 812 mm2, where 15 to 200 are usual), "
        "thin.nii (gray matter of 2.0 mm2, where 3 to 60 are usual), dark.nii (cord in 1 of 3 slices where the image is 0), "
        "beside.nii (56% of the gray matter outside the cord); check them"
    )


def test_too_few_subjects(tmp_path):
    image, cord = save(tmp_path / "image.nii"), save(tmp_path / "cord.nii", mask(1))
    scans = [LabeledScan(f"sub-{n % 2}", image, {"cord": (cord,)}) for n in range(4)]
    with pytest.raises(InputError, match=r"expected labeled scans of 3 subjects or more.* found 2 \(sub-0, sub-1\)"):
        check_scans(scans)
