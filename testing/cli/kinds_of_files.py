"""Kinds of files as users have them: each makes one of a sound NIfTI file's bytes at a path, and returns the path it has taken.

`READ` are to be read as the sound file is, `REFUSED` to be refused with a message that names what is wrong; a `series` of equal
volumes is read where its mean can be taken.
"""

import gzip

import nibabel as nib
import numpy as np

from testing.cli.files import upright

SHAPE, SPACING_MM = (30, 32, 3), (1.0, 0.75, 4.0)  # sizes that a float holds in any unit
AFFINE = upright(SPACING_MM)


def with_header(**fields):
    """A file whose header has these fields, right or wrong."""

    def make(path, content):
        header = nib.Nifti1Header(content[:348], check=False)
        for name, value in fields.items():
            header[name] = value
        path.write_bytes(header.binaryblock + content[348:])
        return path

    return make


def image_of(change):
    """A file of nibabel's image of the sound file, changed."""

    def make(path, content):
        nib.save(change(nib.Nifti1Image.from_bytes(content)), path)
        return path

    return make


def bytes_of(change, suffix=".nii.gz"):
    """A file of other bytes, with another ending."""

    def make(path, content):
        path = path.with_name(path.name.removesuffix(".nii") + suffix)
        path.write_bytes(change(content))
        return path

    return make


def link_to(goal):
    def make(path, content):
        path = path.with_name(path.name + ".gz")
        path.symlink_to(goal)
        return path

    return make


def in_folder(name):
    def make(path, content):
        path = path.parent / name / path.name
        path.parent.mkdir()
        path.write_bytes(content)
        return path

    return make


def pieces_of(content):
    """Several gzip members, as bgzip writes them."""
    return b"".join(gzip.compress(content[first : first + 9000]) for first in range(0, len(content), 9000))


def extended(content):
    """With a header extension between header and voxels."""
    note = b"a note".ljust(24, b"\0")
    header = nib.Nifti1Header(content[:348], check=False)
    header["vox_offset"] = 384
    extension = bytes([1, 0, 0, 0]) + np.array([32, 6], "<i4").tobytes() + note
    return header.binaryblock + extension.ljust(36, b"\0") + content[352:]


def linked(path, content):
    """A link to a file of another name."""
    real = path.with_name("real.nii")
    real.write_bytes(content)
    path.symlink_to(real)
    return path


series = image_of(lambda image: nib.Nifti1Image(np.stack([np.asarray(image.dataobj)] * 2, axis=-1), AFFINE))


def not_finite(image):
    """NaN and infinite in the two rows at the front, and in one voxel at the back."""
    data = np.asarray(image.dataobj, np.float32)
    data[:, -2:], data[:, -1], data[0, 0, 0] = np.nan, np.inf, -np.inf
    return nib.Nifti1Image(data, AFFINE)


# One is 0 where the other is not finite.
PADDED = image_of(lambda image: nib.Nifti1Image(np.nan_to_num(not_finite(image).dataobj, posinf=0, neginf=0), AFFINE))
NOT_FINITE = image_of(not_finite)

READ = {
    "gzip in pieces": bytes_of(pieces_of),
    "an ending in capitals": bytes_of(gzip.compress, ".NII.GZ"),
    "bytes behind the gzip": bytes_of(lambda content: gzip.compress(content) + b"junk" * 9),
    "axes of one": image_of(lambda image: nib.Nifti1Image(np.asarray(image.dataobj)[..., None, None], AFFINE)),
    "big endian": image_of(lambda image: nib.Nifti1Image(image.dataobj, None, image.header.as_byteswapped(">"))),
    "a header extension": bytes_of(extended, ".nii"),
    "a slope that is no number": with_header(scl_slope=np.nan, scl_inter=np.nan),
    "micrometers": with_header(xyzt_units=3, **{f"srow_{axis}": AFFINE[i] * 1000 for i, axis in enumerate("xyz")}),
    "an unknown code of the qform": with_header(sform_code=0, qform_code=77),
    "a name with spaces and accents": in_folder("Étude n° 1"),
    "a link": linked,
}
REFUSED = {
    "a git-annex link": (link_to(".git/annex/objects/x/MD5E-s9--0.nii.gz"), "was not fetched: run git annex get"),
    "a Git LFS pointer": (
        bytes_of(lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"), "run git lfs pull --include"
    ),
    "an empty file": (bytes_of(lambda _: b""), "is not a readable NIfTI file (it is empty)"),
    "cut short": (bytes_of(lambda content: content[:-300], ".nii"), "is damaged or cut short"),
    "no voxel size": (with_header(sform_code=0, qform_code=1, pixdim=[1, 1, 0.75] + [0] * 5), "says 1 x 0.75 x 0 (pixdim)"),
    "colors": (
        image_of(lambda image: nib.Nifti1Image(np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")]), AFFINE)), "holds colors"
    ),
    "NaN": (image_of(lambda image: nib.Nifti1Image(np.full(SHAPE, np.nan, np.float32), AFFINE)), "is NaN or infinite"),
}  # fmt: skip
