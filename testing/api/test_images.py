"""Images in and out of the functions."""

import nibabel as nib
import numpy as np
import pytest

from spineseg_cli import SpinesegError
from spineseg_cli.api.images import load_image, load_mask
from spineseg_cli.core.image.nifti import nibabel_from_volume, write_volume

AFFINE = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.2, -0.3, 0.4) @ np.diag([-1.0, 1.2, 4.0]), [12.5, -7, 31])


def image_of(data, kind=nib.Nifti1Image, qform=1, sform=2):
    image = kind(data, AFFINE)
    image.set_qform(AFFINE, qform)
    image.set_sform(AFFINE, sform)
    return image


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("shape", [(5, 6, 7), (5, 6), (5, 6, 7, 1), (5, 6, 7, 3)])
def test_an_image_in_memory_is_read_as_its_file_is(tmp_path, kind, shape):
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    image = image_of(data, kind)
    nib.save(image, tmp_path / "scan.nii.gz")
    in_memory, on_disk = load_image(image), load_image(tmp_path / "scan.nii.gz")
    np.testing.assert_array_equal(in_memory.data, on_disk.data)
    np.testing.assert_allclose(in_memory.affine, on_disk.affine, atol=1e-6)
    for name in ("memory", "disk"):
        write_volume(tmp_path / f"{name}.nii", in_memory if name == "memory" else on_disk, np.uint8)
    assert (tmp_path / "memory.nii").read_bytes() == (tmp_path / "disk.nii").read_bytes()


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_results_have_the_grid_and_the_codes_of_the_image(kind):
    image = image_of(np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32), kind, qform=3, sform=4)
    volume = load_image(image)
    mask = nibabel_from_volume(volume.with_data((volume.data > 0).astype(np.uint8)), np.uint8)
    assert (type(mask), mask.get_data_dtype(), mask.shape) == (kind, np.uint8, image.shape)
    assert (int(mask.header["qform_code"]), int(mask.header["sform_code"])) == (3, 4)
    np.testing.assert_array_equal(mask.affine, image.affine)
    np.testing.assert_array_equal(mask.get_fdata() > 0, image.get_fdata() > 0)


def test_what_cannot_be_read_is_refused_in_one_sentence(tmp_path):
    for image in (
        tmp_path / "missing.nii.gz",
        image_of(np.zeros((4, 4, 4), np.float32)),
        image_of(np.full((4, 4, 4), np.nan, np.float32)),
        image_of(np.arange(64).reshape(4, 4, 4).astype(np.complex64)),
        image_of(np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])),
        nib.MGHImage(np.ones((4, 4, 4), np.float32), AFFINE),
        np.ones((4, 4, 4)),
    ):
        with pytest.raises(SpinesegError):
            load_image(image)
    with pytest.raises(SpinesegError, match="4-D"):
        load_mask(image_of(np.ones((4, 4, 4, 2), np.float32)))
    assert load_mask(image_of(np.zeros((4, 4, 4), np.float32))).volume_mm3 == 0
    assert load_mask(None) is None
