"""Input images of the functions, which are paths or nibabel images."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Literal, TypeAlias

import nibabel as nib

from spineseg_cli.core.image.nifti import count_volumes, read_volume, volume_count, volume_from_nibabel
from spineseg_cli.core.image.volume import Volume

log = logging.getLogger(__name__)

# Accepted images: the path of a NIfTI file, or a NIfTI image of nibabel.
ImageLike: TypeAlias = "str | os.PathLike[str] | nib.Nifti1Image"


def load_image(image: ImageLike, kind: Literal["image", "mask"] = "image", *, as_stored: bool = False) -> Volume:
    """Return an image, the path of a NIfTI file or one in memory, as a `Volume`, with 0 for NaN and infinite voxels.

    Its bytes and its header are not changed. A mask may be constant (all zero), an image may not. Of a 4-D image, the mean of its
    volumes is taken; a 4-D mask is refused. With `as_stored`, voxels keep the type of the file; see
    `core.image.nifti.read_volume`.

    Raises InputError if it cannot be read, is not 3-D (or 4-D), or holds no finite value.
    """
    volumes = "mean" if kind == "image" else "refuse"
    if isinstance(image, (str, os.PathLike)):
        name, count = str(image), count_volumes(Path(image)) if kind == "image" else 1
        volume = read_volume(Path(image), kind=kind, volumes=volumes, as_stored=as_stored)
    else:
        volume = volume_from_nibabel(image, kind=kind, volumes=volumes)
        name, count = image.get_filename() or "the image", volume_count(image.shape)
    if kind == "image" and count > 1:
        log.warning("%s holds %d volumes: their mean is taken", name, count)
    return volume


def load_mask(image: ImageLike | None) -> Volume | None:
    """Return a mask as a `Volume`, and None for None; see `load_image`."""
    return None if image is None else load_image(image, "mask")
