"""Reading and writing NIfTI: what is refused, in which words, and what is kept."""

import gzip

import nibabel as nib
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spineseg_cli.core.image.grid import check_same_grid
from spineseg_cli.core.image.nifti import nibabel_from_volume, read_volume, write_volume
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import GridMismatchError, InputError

AFFINE = np.array([[-0.4, 0, 0, 10], [0, 0.5, 0.2, -5], [0, -0.02, 4.0, 3], [0, 0, 0, 1.0]])
DATA = np.random.default_rng(0).integers(0, 1000, size=(7, 6, 3)).astype(np.int16)


def save(path, data=DATA, affine=AFFINE, kind=nib.Nifti1Image):
    nib.save(kind(data, affine), path)
    return path


def with_value(value):
    data = DATA.astype(np.float32)
    data[3, 2, 1] = value
    return data


def rgb():
    return np.zeros(DATA.shape, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))


def header_field(**fields):
    """Return a writer of a file whose header has these fields, right or wrong."""

    def change(path):
        image = nib.Nifti1Image(DATA, AFFINE)
        content = bytearray(image.to_bytes())
        header = nib.Nifti1Header(bytes(content[:348]), check=False)
        for name, value in fields.items():
            header[name] = value
        path.write_bytes(header.binaryblock + bytes(content[348:]))

    return change


def cut(path):
    path.write_bytes(nib.Nifti1Image(DATA, AFFINE).to_bytes()[:-20])


def changed_gzip(path, place, to):
    content = bytearray(gzip.compress(nib.Nifti1Image(DATA, AFFINE).to_bytes()))
    content[place] = to
    path.write_bytes(content)


def cut_gzip(path):
    changed_gzip(path, slice(-40, None), b"")


REFUSED = {
    "missing": ("a.nii", lambda path: None, "no such file"),
    "extension": ("a.img", lambda path: path.write_bytes(b""), "expected a NIfTI file ending in .nii or .nii.gz; got 'a.img'"),
    "half of a pair": ("a.img", lambda path: path.write_bytes(b""), "make one file of .* by nib-convert a.img a.nii.gz"),
    "FreeSurfer's format": ("b.a.MGZ", lambda path: path.write_bytes(b""), "'b.a.MGZ': .* nib-convert b.a.MGZ b.a.nii.gz"),
    "DICOM": ("a.dcm", lambda path: path.write_bytes(b""), "by dcm2niix or spineseg --dicom"),
    "folder": ("a.nii", lambda path: path.mkdir(), "no such file"),
    "text": ("a.nii", lambda path: path.write_text("not an image" * 99), "not a readable NIfTI file"),
    "empty file": ("a.nii.gz", lambda path: path.write_bytes(b""), "not a readable NIfTI file"),
    "not gzip, but named so": ("a.nii.gz", cut, "it is not gzipped.; rename it to end in .nii$"),
    "gzip, but not named so": ("a.nii", lambda path: path.write_bytes(gzip.compress(b"")), "rename it to end in .nii.gz$"),
    "cut": ("a.nii", cut, "damaged or cut short"),
    "cut gzip": ("a.nii.gz", cut_gzip, "damaged or cut short|not a readable NIfTI file"),
    "cut behind the voxels": ("a.nii.gz", lambda path: changed_gzip(path, slice(-4, None), b""), "damaged or cut short"),
    "gzip with a wrong sum": ("a.nii.gz", lambda path: changed_gzip(path, slice(-8, -4), b"sum?"), "damaged .*CRC check failed"),
    "NaN": ("a.nii", lambda path: save(path, np.full(DATA.shape, np.nan)), "every voxel of .*a.nii is NaN or infinite"),
    "infinity": ("a.nii", lambda path: save(path, np.full(DATA.shape, np.inf)), "every voxel of .*a.nii is NaN or infinite"),
    "NaN and nothing": ("a.nii", lambda path: save(path, with_value(np.nan) * 0), "every voxel of .* is 0"),
    "constant": ("a.nii", lambda path: save(path, DATA * 0 + 7), "every voxel of .* is 7"),
    "complex": ("a.nii", lambda path: save(path, DATA.astype(np.complex64)), "complex ones: save its magnitude"),
    "RGB": ("a.nii", lambda path: save(path, rgb()), "colors"),
    "4-D": ("a.nii", lambda path: save(path, np.stack([DATA, DATA], -1)), r"4-D with shape .*average it .* or split it"),
    "1-D": ("a.nii", lambda path: save(path, DATA[:, 0, 0]), r"expected a 3-D image; .* has shape \(7,\)"),
    "no voxels": ("a.nii", header_field(dim=[3, 7, 0, 3, 1, 1, 1, 1]), "expected a 3-D image|not a readable NIfTI"),
    "NaN offset": ("a.nii", header_field(vox_offset=np.nan), "not a readable NIfTI file"),
    "negative shape": ("a.nii", header_field(dim=[3, 7, -6, 3, 1, 1, 1, 1]), "expected a 3-D image"),
    "fewer axes than it has": ("a.nii", header_field(dim=[2, 7, 6, 3, 1, 1, 1, 1]), "holds 3 times the voxels"),
    "volumes left out": ("a.nii", header_field(dim=[3, 7, 3, 1, 1, 1, 1, 1]), "holds 6 times the voxels .*repair its header"),
    "smaller numbers than it has": ("a.nii", header_field(datatype=2), "holds 2 times the voxels .*uint8"),
    "larger numbers than it has": ("a.nii", header_field(datatype=16), "damaged or cut short"),
    "more voxels than it has": ("a.nii", header_field(dim=[3, 32767, 32767, 32767, 1, 1, 1, 1]), "damaged or cut short"),
    "voxels in the header": ("a.nii", header_field(vox_offset=100), "would begin at byte 100, expected 352 or later"),
    "unknown type": ("a.nii", header_field(datatype=77), "says type 77"),
    "tiny voxels": ("a.nii", lambda path: save(path, affine=np.diag([5e-4, 5e-4, 4e-3, 1])), "expected voxels of 0.005 to 100"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    file, make, message = REFUSED[name]
    make(tmp_path / file)
    with pytest.raises(InputError, match=message) as caught:
        read_volume(tmp_path / file)
    assert "\n" not in str(caught.value)


def test_masks_may_be_constant(tmp_path):
    assert not read_volume(save(tmp_path / "a.nii", DATA * 0), kind="mask").data.any()


@given(st.lists(st.tuples(st.integers(0, 347), st.integers(0, 255)), min_size=1, max_size=6))
@example([(111, 95)])  # data that would begin further into the file than a number of the machine can say
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numbers that overflow on the way to being refused
def test_any_damage_to_the_header_is_read_or_refused(tmp_path, changes):
    content = bytearray(nib.Nifti1Image(DATA[:4, :3, :2], AFFINE).to_bytes())
    for place, value in changes:
        content[place] = value
    (tmp_path / "a.nii").write_bytes(content)
    try:
        volume = read_volume(tmp_path / "a.nii")
    except InputError:
        return
    write_volume(tmp_path / "b.nii", volume.with_data(np.zeros(volume.shape)), np.uint8)
    again = read_volume(tmp_path / "b.nii", kind="mask")
    np.testing.assert_array_equal(again.affine, volume.affine)
    assert again.shape == volume.shape
    assert_same_header(tmp_path / "a.nii", tmp_path / "b.nii")


WRITTEN_ANEW = (
    {"sizeof_hdr", "magic", "vox_offset", "datatype", "bitpix", "scl_slope", "scl_inter", "cal_max", "cal_min", "descrip"}
    | {"intent_code", "intent_name", "intent_p1", "intent_p2", "intent_p3"}
)  # fmt: skip


def assert_same_header(*paths):
    """As they are stored, where nibabel would repair both, but for what says how voxels are stored and what they are."""
    one, other = (nib.Nifti1Header(path.read_bytes()[:348], check=False) for path in paths)
    for field in set(one.keys()) - WRITTEN_ANEW:
        assert one[field].tobytes() == other[field].tobytes(), field


UNUSUAL = {
    "no pixdim, but an sform": {"sform_code": 1, "pixdim": [0] * 8},
    "no handedness": {"qform_code": 1, "sform_code": 0, "pixdim": [0, 0.4, 0.5, 4, 1, 1, 1, 1]},
    "long quaternion": {"qform_code": 1, "sform_code": 0, "quatern_b": 0.6000006, "quatern_c": 0.8000008, "quatern_d": 0},
    "unused quaternion that is no number": {"sform_code": 2, "quatern_b": np.nan},
    "codes to come": {"sform_code": 9, "qform_code": 9},
    "micrometers": {"xyzt_units": 3, "srow_x": [-400, 0, 0, 1], "srow_y": [0, 500, 0, 1], "srow_z": [0, 0, 4000, 1]},
    "wrong header size": {"sizeof_hdr": 0},
    "no offset": {"vox_offset": 0},
    "scaled by nothing": {"scl_slope": 0, "scl_inter": 9},
    "scaled by what is no number": {"scl_slope": np.nan, "scl_inter": np.nan},
    "shifted by what is no number": {"scl_slope": 1, "scl_inter": np.nan},
    "wrong number of bits": {"bitpix": 64},
    "magic of a pair of files": {"magic": b"ni1"},
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_can_mean_one_thing_alone_is_read_and_its_grid_copied(tmp_path, name):
    header_field(**UNUSUAL[name])(tmp_path / "a.nii")
    volume = read_volume(tmp_path / "a.nii")
    np.testing.assert_array_equal(volume.data, DATA)
    write_volume(tmp_path / "b.nii", volume, np.uint8)
    assert_same_header(tmp_path / "a.nii", tmp_path / "b.nii")
    np.testing.assert_array_equal(read_volume(tmp_path / "b.nii").affine, volume.affine)
    nib.save(nibabel_from_volume(volume, np.uint8), tmp_path / "c.nii")  # by way of an image in memory
    np.testing.assert_allclose(read_volume(tmp_path / "c.nii").affine, volume.affine, atol=1e-5)


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize(("kind", "values", "is_said"), [("image", 2, True), ("image", 3, False), ("mask", 2, False)])
def test_a_mask_in_the_place_of_a_scan_is_said(tmp_path, caplog, kind, values, is_said, stored):
    path = save(tmp_path / "a.nii.gz", (DATA % values).astype(np.uint8))
    read_volume(path, kind=kind, as_stored=stored)
    assert (f"{path} looks like a mask, each voxel is 0 or 1" in caplog.text) == is_said


def test_grids(tmp_path):
    image = Volume(np.zeros((40, 40, 3), np.float32), AFFINE)

    def moved(shift_mm):
        affine = AFFINE.copy()
        affine[0, 3] += shift_mm
        return Volume(image.data, affine)

    check_same_grid(image, moved(0.05), "the image", "the mask")
    with pytest.raises(GridMismatchError, match="the image and the mask must be on one voxel grid; .* 0.2 mm apart"):
        check_same_grid(image, moved(0.2), "the image", "the mask")
    with pytest.raises(GridMismatchError, match=r"\(40, 40, 3\) and \(40, 40, 2\)"):
        check_same_grid(image, Volume(image.data[..., :2], AFFINE), "the image", "the mask")


@pytest.mark.parametrize("behind", [bytes(512), b"junk that some transfer has appended"])
def test_bytes_behind_a_gzipped_image_are_left_out(tmp_path, caplog, behind):
    """As gzip itself does: zeros in silence, the rest with a warning."""
    path = tmp_path / "a.nii.gz"
    data = np.random.default_rng(0).random((4, 5, 6), np.float32)
    nib.save(nib.Nifti1Image(data, np.diag([2.0, 2, 2, 1])), path)
    path.write_bytes(path.read_bytes() + behind)
    np.testing.assert_array_equal(read_volume(path).data, data)
    assert ("bytes that follow the gzipped image are left out" in caplog.text) == any(behind)
