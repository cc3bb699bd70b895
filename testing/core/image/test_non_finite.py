"""NaN and infinite voxels are read as 0, in place, and what is said of them."""

import nibabel as nib
import numpy as np
import pytest

from spineseg_cli.core.image import non_finite
from spineseg_cli.core.image.nifti import read_volume, read_volumes, volume_from_nibabel
from spineseg_cli.core.image.non_finite import non_finite_details
from spineseg_cli.errors import InputError

SHAPE = (5, 6, 7)
# Axial slices, from below, are the third axis; the same with the third axis downwards; the first axis upwards.
UPRIGHT, HANGING = np.diag([-1.0, 1, 2, 1]), np.diag([-1.0, 1, -2, 1])
LYING = np.array([[0, 0, 1.0, 0], [0, 1, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1]])


@pytest.fixture(autouse=True)
def small_slabs(monkeypatch):
    monkeypatch.setattr(non_finite, "VOXELS_AT_A_TIME", 64)


def values(*shape):
    return np.random.default_rng(0).random(shape, np.float32) + 1


def holed(data, *bad):
    """The values with NaN, infinity and minus infinity in turn in some voxels."""
    data = data.copy()
    for index, value in zip(bad, (np.nan, np.inf, -np.inf) * len(bad), strict=False):
        data[index] = value
    return data


@pytest.mark.parametrize(
    ("affine", "listed"), [(UPRIGHT, "1, 3-4"), (HANGING, "2-3, 5"), (LYING, "0-2")], ids=["upright", "hanging", "lying"]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_they_are_0_and_their_number_and_axial_slices_are_told(tmp_path, caplog, affine, listed, dtype):
    data = values(*SHAPE)
    data[0, 0, 0] = 0
    bad = [(0, 1, 1), (1, 0, 3), (2, 5, 4), (2, 5, 3)]
    nib.save(nib.Nifti1Image(holed(data, *bad).astype(dtype), affine), tmp_path / "t2.nii.gz")
    volume = read_volume(tmp_path / "t2.nii.gz", as_stored=True)
    np.testing.assert_array_equal(volume.data, np.where(np.isfinite(holed(data, *bad)), data, 0))
    assert f"t2.nii.gz holds 4 NaN or infinite voxel(s) (1.9 %), in axial slices {listed} from below" in caplog.text
    expected = {"NonFiniteVoxels": [{"File": "t2.nii.gz", "Voxels": 4, "AxialSlices": listed}]}
    assert non_finite_details(None, volume.with_data(data)) == expected


def test_a_whole_side_of_the_scan(tmp_path, caplog):
    data = values(*SHAPE)
    data[0] = np.nan
    nib.save(nib.Nifti1Image(data, UPRIGHT), tmp_path / "a.nii")
    mask = read_volume(tmp_path / "a.nii", kind="mask")
    assert not mask.data[0].any()
    assert "in all axial slices: they are taken for 0, outside the mask" in caplog.text


def test_finite_values_are_not_touched_and_nothing_is_said(tmp_path, caplog):
    nib.save(nib.Nifti1Image(values(*SHAPE), UPRIGHT), tmp_path / "a.nii")
    volume = read_volume(tmp_path / "a.nii")
    assert non_finite_details(volume) == {}
    assert not caplog.text


def test_numbers_that_are_too_large_for_a_float_count_as_infinite(tmp_path):
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), UPRIGHT)
    image.header.set_slope_inter(1e37, 0)
    content = bytearray(image.to_bytes())
    content[112:116] = np.float32(1e38).tobytes()  # scl_slope
    (tmp_path / "a.nii").write_bytes(content)
    volume = read_volume(tmp_path / "a.nii", as_stored=True)
    np.testing.assert_allclose(volume.data.ravel(), [0, 1e38, 2e38, 3e38] + [0] * 20)


def test_an_image_in_memory_stays_as_it_is(caplog):
    data = holed(values(*SHAPE), (1, 2, 3))
    image = nib.Nifti1Image(data, UPRIGHT)
    assert volume_from_nibabel(image).data[1, 2, 3] == 0
    assert np.isnan(data[1, 2, 3])
    assert "the image holds 1 NaN" in caplog.text


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_mean_is_that_of_the_volumes_that_are_finite_there(tmp_path, caplog, in_memory):
    series = values(*SHAPE, 3)
    bad = holed(series, (0, 0, 0, 0), (1, 1, 1), (2, 2, 2, 1), (2, 2, 2, 2))
    bad[..., 1] = np.nan  # a whole volume
    image = nib.Nifti1Image(bad, UPRIGHT)
    nib.save(image, tmp_path / "dwi.nii")
    volume = volume_from_nibabel(image, volumes="mean") if in_memory else read_volume(tmp_path / "dwi.nii", volumes="mean")
    expected = series[..., [0, 2]].mean(axis=-1)
    expected[0, 0, 0], expected[1, 1, 1], expected[2, 2, 2] = series[0, 0, 0, 2], 0, series[2, 2, 2, 0]
    np.testing.assert_allclose(volume.data, expected, rtol=1e-6)
    assert "holds 210 NaN or infinite voxel(s) (1e+02 %), in all axial slices: the mean there is that of the other" in caplog.text


def test_each_volume(tmp_path, caplog):
    series = values(*SHAPE, 3)
    nib.save(nib.Nifti1Image(holed(series, (1, 2, 3, 0), (0, 0, 0, 2)), UPRIGHT), tmp_path / "dwi.nii")
    for volume, k in zip(read_volumes(tmp_path / "dwi.nii"), range(3), strict=True):
        assert (volume.data[1, 2, 3], volume.data[0, 0, 0]) == (k != 0 and series[1, 2, 3, k], k != 2 and series[0, 0, 0, k])
        assert non_finite_details(volume)["NonFiniteVoxels"][0]["Voxels"] == 2
    assert caplog.text.count("holds 2 NaN or infinite voxel(s) (0.32 %), in axial slices 0, 3 from below") == 1


@pytest.mark.parametrize("kind", ["image", "mask"])
@pytest.mark.parametrize("volumes", [1, 2])
def test_nothing_finite_is_refused(tmp_path, caplog, kind, volumes):
    nib.save(nib.Nifti1Image(values(*SHAPE, volumes) * np.float32(np.nan), UPRIGHT), tmp_path / "a.nii")
    with pytest.raises(InputError, match=r"every voxel of .*a.nii is NaN or infinite"):
        read_volume(tmp_path / "a.nii", kind=kind, volumes="mean")
    assert not caplog.text
