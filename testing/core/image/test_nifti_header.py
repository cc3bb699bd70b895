"""Where a header places its image: what is read although nibabel mends it or refuses it, and what is refused."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spineseg_cli.core.image.nifti_header import affine_of, parse_header, warn_of_doubt
from spineseg_cli.errors import InputError

PATH = Path("scan.nii")
ROTATION = nib.eulerangles.euler2mat(0.1, -0.2, 3.1)  # the quaternion's first part, which is not stored, is near 0
AFFINE = nib.affines.from_matvec(ROTATION @ np.diag([0.5, 0.6, 4.0]), [12, -7, 31])
TURNED = nib.affines.from_matvec(np.diag([-0.5, 0.6, -4.0]), [12, -7, 31])  # by half a turn: the quaternion is (0, 1, 0)


def scaled(affine, factor):
    return np.diag([factor] * 3 + [1]) @ affine


def stored(affine, qform=0, sform=0, shape=(9, 8, 7), kind=nib.Nifti1Header, scale=1, **fields):
    """A header as it would be read from a file: of this affine, but for some fields (`pixdim_3`: one of several)."""
    header = kind()
    header.set_data_shape(shape)
    affine = scaled(affine, scale)
    header.set_qform(affine, qform)
    header.set_sform(affine, sform)
    for name, value in fields.items():
        field, _, place = name.partition("_") if name.startswith("pixdim") else (name, "", "")
        if place:
            header[field][int(place)] = value
        else:
            header[field] = value
    return parse_header(header.binaryblock, PATH)


@pytest.mark.parametrize("kind", [nib.Nifti1Header, nib.Nifti2Header])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("forms", [{"qform": 1}, {"sform": 1}, {"qform": 1, "sform": 4}, {}])
def test_a_sound_header_is_read_as_nibabel_reads_it(kind, order, forms):
    header = stored(AFFINE, kind=kind, **forms).as_byteswapped(order)
    header = parse_header(header.binaryblock, PATH)
    np.testing.assert_array_equal(affine_of(header, PATH), kind(header.binaryblock).get_best_affine())


@pytest.mark.parametrize("excess", [3e-7, 1e-6, 4e-5])
def test_a_quaternion_that_rounding_made_too_long_is_read(excess):
    header = stored(TURNED, qform=1, quatern_c=1 + excess)
    with pytest.raises(ValueError, match="w2 should be positive"):
        header.get_best_affine()
    np.testing.assert_allclose(affine_of(header, PATH), TURNED, atol=1e-6)


def test_one_that_is_not_too_long_keeps_its_small_first_part():
    np.testing.assert_allclose(affine_of(stored(AFFINE, qform=1), PATH), AFFINE, atol=1e-5)


READ = {
    "no size, but an sform": ({"sform": 1, "pixdim": 0}, 1.0),
    "a negative size, but an sform": ({"sform": 1, "pixdim_3": -4}, 1.0),
    "no handedness": ({"qform": 1, "pixdim_0": 0}, 1.0),
    "another code of the sform": ({"sform": 1, "sform_code": 77}, 1.0),
    "another code of the qform": ({"qform": 1, "qform_code": 77}, 1.0),
    "negative codes": ({"sform": 1, "qform": 1, "sform_code": -3}, 1.0),
    "micrometers": ({"sform": 1, "xyzt_units": 3, "scale": 1000}, 1e-3),
    "micrometers, by the qform": ({"qform": 1, "xyzt_units": 3 + 8, "scale": 1000}, 1e-3),
    "meters": ({"sform": 1, "xyzt_units": 1, "scale": 1e-3}, 1e3),
    "meters, finest": ({"sform": 1, "xyzt_units": 1, "scale": 2e-5}, 1e3),
    "another unit": ({"sform": 1, "xyzt_units": 7}, 1.0),
}


@pytest.mark.parametrize("name", READ)
def test_read(name, caplog):
    fields, unit_mm = READ[name]
    np.testing.assert_allclose(
        affine_of(stored(AFFINE, **fields), PATH), scaled(AFFINE, fields.get("scale", 1) * unit_mm), rtol=1e-4, atol=1e-5
    )
    assert not caplog.text


@pytest.mark.parametrize("code", [1, 3])
def test_a_unit_that_the_voxels_cannot_have_is_passed_over_with_a_warning(code, caplog):
    np.testing.assert_allclose(affine_of(stored(AFFINE, sform=1, xyzt_units=code), PATH), AFFINE, atol=1e-5)
    assert "which its voxels cannot have: taken for 1 mm" in caplog.text


REFUSED = {
    "no size": ({"qform": 1, "pixdim_3": 0}, r"above 0; the header of scan.nii says 0.5 x 0.6 x 0 \(pixdim\), and has no sform"),
    "no size, no codes": ({"pixdim_2": 0}, "says 0.5 x 0 x 4"),
    "no size of a single slice": ({"qform": 1, "pixdim_3": 0, "shape": (9, 8, 1)}, "says 0.5 x 0.6 x 0"),
    "a negative size": ({"qform": 1, "pixdim_1": -0.5}, "says -0.5 x 0.6 x 4"),
    "a size that is no number": ({"qform": 1, "pixdim_1": np.nan}, "says nan x 0.6 x 4"),
    "odd handedness": ({"qform": 1, "pixdim_0": -1.5}, r"pixdim\[0\] of 1 or -1; the header of scan.nii says -1.5"),
    "a quaternion far too long": ({"qform": 1, "quatern_c": 1.001}, "a quaternion no longer than 1; that of scan.nii is 1.00"),
    "a quaternion that is no number": ({"qform": 1, "quatern_c": np.nan}, "does not place the image in space"),
    "an origin that is no number": ({"qform": 1, "qoffset_x": np.inf}, "does not place the image in space"),
    "a flat grid": ({"sform": 1, "srow_x": [0.5, 0.5, 0, 1], "srow_y": [0.6, 0.6, 0, 1]}, "does not place the image in space"),
    "voxels of 50 m": ({"sform": 1, "xyzt_units": 1, "scale": 1000}, r"of 0.005 to 100 mm; the header of scan.nii says \[500000"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    fields, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        affine_of(stored(TURNED, **fields), PATH)


def test_the_unknown_thickness_of_a_2d_image_is_said(caplog):
    header = stored(TURNED, qform=1, shape=(9, 8), pixdim_3=0)
    assert np.linalg.norm(affine_of(header, PATH)[:3, 2]) == 1
    assert "does not say how thick its slice is" in caplog.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sform": 1}, ""),
        ({"sform": 1, "pixdim_3": 4.1}, ""),
        ({"sform": 1, "pixdim_3": 0}, ""),
        ({"sform": 1, "pixdim_3": 1}, "names two voxel sizes, 0.5 x 0.6 x 4 (sform) and 0.5 x 0.6 x 1 (pixdim)"),
        ({"qform": 1}, ""),
        ({"sform": 1, "qform": 1}, ""),
        ({"sform": 1, "qform": 1, "pixdim": 0}, ""),
        ({"sform": 1, "qform": 1, "quatern_c": np.nan}, ""),
        ({"sform": 1, "qform": 1, "srow_x": [0, 0.6, 0, 1], "srow_y": [-0.5, 0, 0, 1]}, "to PRI (sform) and to RPI (qform)"),
        ({}, "does not say which way it lies"),
    ],
)
def test_doubt_is_said(fields, said, caplog):
    warn_of_doubt(stored(AFFINE, **fields), PATH)
    assert said in caplog.text if said else not caplog.text
