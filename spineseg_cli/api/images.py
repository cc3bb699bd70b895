"""Images in and out of the functions: paths or nibabel images in, nibabel images out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, TypeAlias

import nibabel as nib

from spineseg_cli.core.image.nifti import read_volume, volume_from_nibabel
from spineseg_cli.core.image.volume import Volume

# What the functions take for an image: the path of a NIfTI file, or a nibabel image of one.
ImageLike: TypeAlias = "str | os.PathLike[str] | nib.Nifti1Image"


def load_image(image: ImageLike, kind: Literal["image", "mask"] = "image", *, as_stored: bool = False) -> Volume:
    """Return an image as a `Volume`; its bytes and its header are not changed.

    Parameters
    ----------
    image : path or nibabel.Nifti1Image
        A NIfTI file, or a NIfTI image in memory, of 3 dimensions.
    kind : {"image", "mask"}
        A mask may be constant (all zero); an image may not.
    as_stored : bool
        Keep the voxels of a file as they are stored: see `core.image.nifti.read_volume`.

    Raises
    ------
    InputError
        If it cannot be read, is not 3-D, or holds values that are not finite.
    """
    if isinstance(image, (str, os.PathLike)):
        return read_volume(Path(image), kind=kind, as_stored=as_stored)
    return volume_from_nibabel(image, kind=kind)


def load_mask(image: ImageLike | None) -> Volume | None:
    """Return a mask as a `Volume`, and None for None; see `load_image`."""
    return None if image is None else load_image(image, "mask")
