"""The check that the values of an image can be those of a scan, or of a mask."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli.core.image.non_finite import fill_non_finite
from spineseg_cli.core.image.stored import StoredVoxels
from spineseg_cli.errors import InputError

log = logging.getLogger(__name__)


def checked_values(
    data: np.ndarray | StoredVoxels, affine: np.ndarray, kind: str, path: Path, volumes: np.ndarray | None = None
) -> tuple[np.ndarray | StoredVoxels, dict[str, Any]]:
    """Return the values with 0 for NaN and infinite ones, and entries for `Volume.meta`; warn of these, and of a mask as a scan.

    An array, shape (nx, ny, nz), is changed in place, or copied if it is read-only. `kind` is "image", a scan, or "mask", which
    may be constant. `volumes`, shape (nx, ny, nz, n), are those that a scan is the mean of. Raises InputError, which names
    `path`, if no value is finite, or if those of a scan are all the same.
    """
    about: dict[str, Any] = {}
    least, most = _extremes(data)
    if not np.isfinite([least, most]).all():  # not both are finite if any voxel is not
        if not (isinstance(data, np.ndarray) and data.flags.writeable):
            with np.errstate(over="ignore"):  # of stored numbers whose scaling exceeds float32
                data = np.array(data, dtype=np.float32, order="K")
        about = fill_non_finite(data, affine, path, kind if volumes is None else "mean", volumes)
        least, most = _extremes(data)
    if kind != "image":
        return data, about
    if least == most:
        raise InputError(f"expected an image; every voxel of {path} is {least:g}")
    if not any(((plane > least) & (plane < most)).any() for plane in data):
        log.warning("%s looks like a mask, each voxel is %g or %g: a scan is expected here", path, least, most)
    return data, about


def has_non_finite(data: np.ndarray) -> bool:
    """Return whether any value is NaN or infinite."""
    return not np.isfinite(_extremes(data)).all()


def _extremes(data: np.ndarray | StoredVoxels) -> tuple[np.float32, np.float32]:
    """Return the least and the largest value; at least one of them is not finite if any value is not."""
    with np.errstate(invalid="ignore", over="ignore"):
        return data.min(), data.max()
