"""Voxels kept as they are stored: the values are those that nibabel reads."""

import nibabel as nib
import numpy as np
import pytest

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.stored import StoredVoxels

AFFINE = np.array([[0, 0, 2.0, 5], [0.5, 0, 0, 3], [0, -0.7, 0, 1], [0, 0, 0, 1]])


@pytest.fixture(params=[(np.int16, 1, 0), (np.int16, 0.37, -11.5), (np.uint8, 2, 1), (np.uint16, -0.001, 3e4)])
def path(request, tmp_path):
    """A file of 16 or 8 bits, scaled or not."""
    dtype, slope, intercept = request.param
    limits = np.iinfo(dtype)
    data = np.random.default_rng(0).integers(limits.min, limits.max, (4, 5, 6), dtype, endpoint=True)
    header = nib.Nifti1Image(data, AFFINE).header
    header["scl_slope"], header["scl_inter"], header["vox_offset"] = slope, intercept, 352
    file = tmp_path / "scan.nii"
    with open(file, "wb") as opened:
        header.write_to(opened)
        opened.write(b"\0" * 4 + data.tobytes(order="F"))
    return file


def test_values_are_those_of_the_whole_read_at_once(path):
    whole, stored = read_volume(path), read_volume(path, as_stored=True)
    assert isinstance(stored.data, StoredVoxels)
    expected = nib.load(path).get_fdata(dtype=np.float32)
    np.testing.assert_array_equal(whole.data, expected)
    for turned, values in ((stored.data, expected), (to_rpi(stored, copy=False).data, to_rpi(whole).data)):
        assert (turned.shape, turned.ndim, turned.size) == (values.shape, values.ndim, values.size)
        np.testing.assert_array_equal(turned, values)
        for key in (np.s_[1], np.s_[:, 2:, [0, 3]], np.s_[::2, ::-1], (np.array([0, 1]), np.array([2, 2]), np.array([1, 0]))):
            assert turned[key].dtype == np.float32
            np.testing.assert_array_equal(turned[key], values[key])
        np.testing.assert_array_equal(list(turned), values)
        assert (turned.min(), turned.max(), turned.any()) == (values.min(), values.max(), True)


def test_values_of_32_bits_are_an_array(tmp_path):
    nib.save(nib.Nifti1Image(np.arange(8, dtype=np.float32).reshape(2, 2, 2), np.eye(4)), tmp_path / "scan.nii")
    assert isinstance(read_volume(tmp_path / "scan.nii", as_stored=True).data, np.ndarray)
