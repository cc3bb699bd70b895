"""Cohorts of phantoms: the files and their content."""

import nibabel as nib
import numpy as np
import pytest

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.errors import InputError
from spineseg_cli.experiments.cohort_files import write_cohort
from spineseg_cli.experiments.cohorts import ExVivoCohort, PhantomCohort
from spineseg_cli.synthesis.exvivo import make_exvivo_cord
from spineseg_cli.training.data.find_scans import ScanSource, find_scans
from spineseg_cli.training.data.labeled_scans import check_scans
from spineseg_cli.training.data.scan_tables import read_scan_table, read_traits
from spineseg_cli.training.data.split import read_split

CHILDREN = PhantomCohort.model_validate({
    "kind": "phantoms", "subjects": 4, "regions": {"neck": ["C2", "C7"], "back": ["T1", "T6"]}, "slab_mm": 12,
    "contrasts": ["t2s", "t1"], "size_scale": [0.6, 0.8], "gamma": [0.5, 1.5], "spacing_mm": [1.0, 1.0, 4.0], "fov_mm": [40, 40],
})  # fmt: skip
EXVIVO = ExVivoCohort(kind="exvivo", slices=24, train=4, validation=2, spacing_mm=(0.4, 0.4, 2.0), side_mm=16)


@pytest.fixture(scope="module")
def children(tmp_path_factory):
    return write_cohort(CHILDREN, tmp_path_factory.mktemp("children") / "data")


def test_phantoms_are_a_cohort_that_can_be_trained_on(children):
    scans = find_scans(ScanSource(children), "gm")
    check_scans(scans)
    assert [scan.image.name for scan in scans] == [
        "sub-01_T2star.nii.gz", "sub-02_T2star.nii.gz", "sub-03_T1w.nii.gz", "sub-04_T1w.nii.gz",
    ]  # fmt: skip
    assert read_traits(children, "region") == {"sub-01": "neck", "sub-02": "back", "sub-03": "neck", "sub-04": "back"}
    scales = [float(row["size_scale"]) for row in read_scan_table(children / "participants.tsv", ["size_scale"])]
    assert len(set(scales)) == 4
    assert all(0.6 <= scale <= 0.8 for scale in scales)
    shapes = [nib.load(scan.image).shape for scan in scans]
    assert [shape[0] for shape in shapes] == [round(40 * scale) for scale in scales], "the field of view is a child's too"


def test_what_is_there_is_not_made_again(children, tmp_path):
    folder = write_cohort(CHILDREN, tmp_path / "again")
    image = "sub-02/anat/sub-02_T2star.nii.gz"
    assert (folder / image).read_bytes() == (children / image).read_bytes(), "the same seed gives the same bytes"
    (folder / image).write_bytes(b"kept")
    lost = folder / "derivatives/labels/sub-03/anat/sub-03_T1w_label-GM_seg.nii.gz"
    lost.unlink()
    write_cohort(CHILDREN, folder)
    assert (folder / image).read_bytes() == b"kept"
    assert lost.is_file(), "a subject that was cut short is made again"
    with pytest.raises(InputError, match="holds another cohort"):
        write_cohort(CHILDREN.model_copy(update={"seed": 2}), folder)


def test_ex_vivo_parts_share_no_slice_and_leave_none_out(tmp_path):
    folder = write_cohort(EXVIVO, tmp_path / "exvivo")
    scans = find_scans(ScanSource(folder), "gm")
    split = read_split(folder / "split.tsv", {scan.subject for scan in scans})
    counts = {part: 0 for part in ("train", "validation", "test")}
    seen = []
    for scan in scans:
        volume = read_volume(scan.image)
        counts[split[scan.subject]] += volume.shape[2]
        seen += [volume.data[:, :, k].tobytes() for k in range(volume.shape[2])]
    assert counts == {"train": 4, "validation": 2, "test": 18}
    assert len(set(seen)) == 24
    train, *_ = (read_volume(scan.image) for scan in scans if split[scan.subject] == "train")
    assert train.spacing_mm == (0.4, 0.4, 12.0), "slices that are six apart"


def test_ex_vivo_anatomy():
    """Gray matter lies in the cord, is brighter than white matter, and the fluid is dark; there is about 16 to 25 % of it."""
    scan = make_exvivo_cord(slices=3, spacing_mm=(0.2, 0.2, 40.0), noise=0.02, bias=0.0, seed=4)
    gray, cord = scan.gray_matter.data > 0, scan.cord.data > 0
    assert not (gray & ~cord).any()
    assert (gray.sum(axis=(0, 1)) / cord.sum(axis=(0, 1)) > 0.12).all()
    assert gray.sum() / cord.sum() < 0.3
    levels = [scan.image.data[mask].mean() for mask in (gray, cord & ~gray, ~cord)]
    assert levels[0] > 1.2 * levels[1] > 3 * levels[2]
    again = make_exvivo_cord(slices=3, spacing_mm=(0.2, 0.2, 40.0), noise=0.02, bias=0.0, seed=4)
    np.testing.assert_array_equal(scan.image.data, again.image.data)
