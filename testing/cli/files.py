"""The scans that tests of commands read, and what they look at in the files that commands write."""

import hashlib
import json

import nibabel as nib
import numpy as np

SHAPE = (50, 60, 8)
SPACING_MM = (1.0, 0.9, 4.0)


# The configuration of a tiny network of the cord that is trained on scans alone.
TINY = """
network: {name: unet2d, filters: 2, depth: 1, classes: 1}
outputs: [cord]
data: {labeled_scans: [{image: x, cord: x}], scan_fraction: 1}
sampling: {crop_sizes: [64]}
inference: {spacing_mm: 0.5, window: 64}
optimizer: {steps_per_epoch: 2}
validation: {subjects: [x]}
"""


def oblique(spacing_mm):
    """An affine of that spacing, none of whose axes lies along one of the world's."""
    rotation = nib.eulerangles.euler2mat(0.1, -0.2, 0.15)
    return nib.affines.from_matvec(rotation @ np.diag([-1, 1, 1] * np.array(spacing_mm)), [12, -7, 31])


def upright(spacing_mm):
    """An affine of that spacing, which puts voxels elsewhere than `oblique`."""
    return nib.affines.from_matvec(np.diag([-1, 1, 1] * np.array(spacing_mm)), [1, 2, 3])


AFFINE = oblique(SPACING_MM)


def save(path, data, affine=AFFINE):
    nib.save(nib.Nifti1Image(data, affine), path)
    return path


def read(path):
    return nib.load(path).get_fdata()


def sidecar_of(path):
    """What the JSON file beside an image says."""
    return json.loads(path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json").read_text())


def snapshot(folder):
    """The SHA-256 of every file in a folder, by its path in there."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
