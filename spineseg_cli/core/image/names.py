"""Endings of image file names, in upper or lower case, since some systems write SCAN.NII.GZ."""

from __future__ import annotations

import re

ENDING = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)


def is_nifti_name(name: str) -> bool:
    """Return whether a file's name ends in .nii or .nii.gz."""
    return ENDING.search(name) is not None


def is_gzip_name(name: str) -> bool:
    """Return whether a file's name ends in .gz."""
    return name.lower().endswith(".gz")


def stem_of(name: str) -> str:
    """Return a file's name without .nii or .nii.gz, if it ends so."""
    return ENDING.sub("", name)
