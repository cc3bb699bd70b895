"""Endings of image file names, in upper or lower case, since some systems write SCAN.NII.GZ."""

from __future__ import annotations

import re

ENDING = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)


# How images of other formats become NIfTI, by the end of their names; nib-convert comes with nibabel.
CONVERTERS = {
    (".dcm", ".ima"): "convert its series first, by dcm2niix or spineseg --dicom",
    (".hdr", ".img"): "make one file of such a pair first, by nib-convert {name} {stem}.nii.gz",
    (".mgz", ".mgh", ".mnc"): "convert it first, by nib-convert {name} {stem}.nii.gz",
}


def how_to_convert(name: str) -> str:
    """Return advice on how a file that is not NIfTI, by its name, becomes so."""
    stem, dot, ending = name.rpartition(".")
    advice = [text for endings, text in CONVERTERS.items() if dot + ending.lower() in endings]
    return "".join(advice).format(name=name, stem=stem) or "convert it first"


def is_nifti_name(name: str) -> bool:
    """Return whether a file's name ends in .nii or .nii.gz."""
    return ENDING.search(name) is not None


def is_gzip_name(name: str) -> bool:
    """Return whether a file's name ends in .gz."""
    return name.lower().endswith(".gz")


def stem_of(name: str) -> str:
    """Return a file's name without .nii or .nii.gz, if it ends so."""
    return ENDING.sub("", name)
