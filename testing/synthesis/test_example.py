"""The example subjects: a BIDS folder whose images and truth agree."""

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from spineseg_cli.cli.make_example import main
from spineseg_cli.core.image.grid import check_same_grid
from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.errors import InputError
from spineseg_cli.synthesis.example import write_example_subjects


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("example")
    result = CliRunner().invoke(main, [str(path)])
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 3
    return path


def truth(folder, name, label):
    return read_volume(folder / "derivatives/labels" / name / "anat" / f"{name}_T2star_label-{label}.nii.gz", kind="mask")


@pytest.mark.parametrize("name", ["sub-01", "sub-02", "sub-03"])
def test_image_and_truth_share_a_grid(folder, name):
    image = read_volume(folder / name / "anat" / f"{name}_T2star.nii.gz")
    cord, gray, line = (truth(folder, name, label) for label in ("SC_seg", "GM_seg", "centerline"))
    for mask in (cord, gray, line):
        check_same_grid(image, mask, "image", "mask")
        assert mask.meta["header"].get_data_dtype() == np.uint8
    assert not ((gray.data > 0) & (cord.data == 0)).any()
    assert not ((line.data > 0) & (cord.data == 0)).any()
    assert gray.data.any()
    slices = [axis for axis in range(3) if image.shape[axis] == min(image.shape)][0]
    assert (line.data.sum(axis=tuple({0, 1, 2} - {slices})) == 1).all()


def test_they_differ_in_grid_and_orientation(folder):
    images = [nib.load(folder / name / "anat" / f"{name}_T2star.nii.gz") for name in ("sub-01", "sub-02", "sub-03")]
    assert {nib.aff2axcodes(image.affine) for image in images} == {("L", "A", "S"), ("L", "P", "I")}
    assert len({tuple(np.round(image.header.get_zooms(), 3)) for image in images}) == 3


def test_the_same_seed_gives_the_same_bytes(folder, tmp_path):
    path = write_example_subjects(tmp_path, n=1)[0]
    assert path.read_bytes() == (folder / "sub-01" / "anat" / path.name).read_bytes()


def test_an_impossible_count_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected 1 to 99 example subjects; got 0"):
        write_example_subjects(tmp_path, n=0)
    assert not list(tmp_path.iterdir())
