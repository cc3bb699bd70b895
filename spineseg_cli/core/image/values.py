"""The check that the values of an image can be those of a scan, or of a mask."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from spineseg_cli.core.image.stored import StoredVoxels
from spineseg_cli.errors import InputError

log = logging.getLogger(__name__)


def check_values(data: np.ndarray | StoredVoxels, kind: str, path: Path) -> None:
    """Raise InputError if not all values are finite, or those of a scan are all the same; warn if a scan looks like a mask.

    `data` has shape (nx, ny, nz). `kind` is "image", a scan, or "mask", which may be constant. Messages name `path`.
    """
    with np.errstate(invalid="ignore"):
        least, most = data.min(), data.max()
    if not np.isfinite([least, most]).all():  # not both are finite if any voxel is not
        count = int(data.size - np.isfinite(data).sum())
        raise InputError(f"expected finite values; {path} holds {count} NaN or infinite voxels: replace them (with 0, say) first")
    if kind != "image":
        return
    if least == most:
        raise InputError(f"expected an image; every voxel of {path} is {least:g}")
    if not any(((plane > least) & (plane < most)).any() for plane in data):
        log.warning("%s looks like a mask, each voxel is %g or %g: a scan is expected here", path, least, most)
