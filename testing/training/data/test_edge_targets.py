"""Targets on the edge of the image, from masks inside it and for scans without masks."""

from fnmatch import fnmatch

import numpy as np
import pytest
from scipy import ndimage

from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.training.config_files import load_config
from spineseg_cli.training.data.edge_targets import edge_targets, mask_inside_edge, write_target
from testing.scans import networks_of_folds

RADIUS_MM = 5.0


def area_mm2(volume):
    """The mean area over the slices with anything in them."""
    area = volume.data.sum(axis=(0, 1)) * np.prod(volume.spacing_mm[:2])
    return area[area > 0].mean()


def smaller(mask):
    """The mask without its outermost voxels: area 0.65 of its own."""
    return mask.with_data(ndimage.binary_erosion(mask.data, np.ones((3, 3, 1))).astype(np.uint8))


@pytest.fixture
def scan(tube):
    return tube((40, 44, 8), (0.7, 0.7, 4.0))


def test_a_mask_inside_the_edge_is_moved_there(scan, stored_as):
    image, mask = scan
    target = mask_inside_edge(image, smaller(mask))
    assert area_mm2(smaller(mask)) < 0.75 * np.pi * RADIUS_MM**2
    assert area_mm2(target) == pytest.approx(np.pi * RADIUS_MM**2, rel=0.05)
    turned = mask_inside_edge(*(stored_as(volume, "PIR") for volume in (image, smaller(mask))))
    np.testing.assert_array_equal(stored_as(turned, "LAS").data, stored_as(target, "LAS").data)


def test_targets_of_a_folder(scan, tmp_path, cord_model, by_search, bright_is_cord):
    """A mask inside the edge is moved; scans of one session share a target if they have its grid, and the cord where it is."""
    image, mask = scan
    files = {
        "dev/unf01/sub-unf01/anat/sub-unf01_T1w": image,
        "dev/unf01/derivatives/labels/sub-unf01/anat/sub-unf01_T1w_seg-manual": smaller(mask),
        "unlabelled/sub-01_acq-MTon_MTS": image,
        "unlabelled/sub-01_acq-MToff_MTS": image,
        "dev/errsm/sub-x/anat/sub-x_mt-on_MTS": image,
        "dev/errsm/sub-x/anat/sub-x_flip-4_spgr": image.with_data(200 - image.data),
        "dev/errsm/sub-x/anat/sub-x_flip-10_spgr": type(image)(image.data[:, :, 1:], image.affine),
        "dev/errsm/sub-x/anat/sub-x_flip-20_spgr": image.with_data(np.roll(image.data, 5, axis=1)),
    }
    for name, volume in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_volume(tmp_path / f"{name}.nii.gz", volume)
    written = [
        path
        for found in edge_targets(tmp_path, cord_model.predictor(), by_search)
        for path in write_target(found, tmp_path / "out")
    ]
    names = ["sub-unf01_T1w", "sub-01_acq-MTon_MTS", "sub-01_acq-MToff_MTS", "sub-x_mt-on_MTS", "sub-x_flip-4_spgr"]
    assert [path.name for path in written] == [f"{name}_edge.nii.gz" for name in names]
    for path in written:
        target = read_volume(path)
        np.testing.assert_allclose(target.affine, image.affine, atol=1e-5)
        assert area_mm2(target) == pytest.approx(np.pi * RADIUS_MM**2, rel=0.06)


def test_every_target_that_the_configuration_cord_names_is_made(shared):
    """Two gradient echoes are not among them: the subject had moved since the scan that the target is made in."""
    made = [image.name for target in edge_targets(shared / "data", *networks_of_folds("cord", "centerline")("A"))
            for image in target.images]  # fmt: skip
    targets = [name.replace(".nii.gz", "_edge.nii.gz") for name in made]
    named = [source.cord.removeprefix("targets/") for source in load_config("cord").data.labeled_scans
             if source.cord.startswith("targets/")]  # fmt: skip
    assert named
    assert [pattern for pattern in named if not any(fnmatch(target, pattern) for target in targets)] == []
    assert not {"sub-pilot7_flip-20_spgr.nii.gz", "sub-pilot9_flip-10_spgr.nii.gz"} & set(made)
