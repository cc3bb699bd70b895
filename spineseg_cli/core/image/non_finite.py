"""Replacement of NaN and infinite voxels by 0. Registered, masked and divided images often have them where nothing is known."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from spineseg_cli.core.image.slabs import slabs
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.ranges import listed_ranges
from spineseg_cli.errors import InputError

log = logging.getLogger(__name__)

# What is said of such voxels of a scan, of a mask, and of the mean of several volumes.
TAKEN_FOR = {
    "image": "they are taken for 0, like padding",
    "mask": "they are taken for 0, outside the mask",
    "mean": "the mean there is that of the other volumes, or 0",
}

# Number of voxels that are looked at at a time, so that no copy of an image is made.
VOXELS_AT_A_TIME = 1 << 22


def non_finite_details(*volumes: Volume | None) -> dict[str, Any]:
    """Return the entry of a sidecar about NaN and infinite voxels of the inputs; empty if they have none."""
    entries = [volume.meta["non_finite"] for volume in volumes if volume is not None and "non_finite" in volume.meta]
    return {"NonFiniteVoxels": entries} if entries else {}


def fill_non_finite(
    data: np.ndarray, affine: np.ndarray, path: Path, kind: str, volumes: np.ndarray | None = None
) -> dict[str, Any]:
    """Replace NaN and infinite voxels of `data`, shape (nx, ny, nz) or with more axes, by 0, in place, and warn of them.

    If `data` is the mean of `volumes`, shape (nx, ny, nz, n), such a voxel becomes the mean of the volumes in which it is finite,
    or 0 if there are none. `kind` is a key of `TAKEN_FOR`. Returns the entry of `Volume.meta` that tells of the voxels, their
    number and axial slices. Raises InputError, which names `path`, if no voxel is finite.
    """
    directions = nib.io_orientation(affine)
    axis = int(np.flatnonzero(directions[:, 0] == 2)[0])  # the axis across axial slices
    has_some = np.zeros(data.shape[axis], bool)
    count = unknown = 0
    for first, end in slabs(data.shape[-1], max(1, VOXELS_AT_A_TIME // math.prod(data.shape[:-1]))):
        part = data[..., first:end]
        bad = ~np.isfinite(part)
        count += int(bad.sum())
        along = bad.any(axis=tuple(other for other in range(bad.ndim) if other != axis))
        has_some[slice(first, end) if axis == data.ndim - 1 else slice(None)] |= along
        part[bad], without = (0, int(bad.sum())) if volumes is None else _means_of_finite(volumes[:, :, first:end][bad])
        unknown += without
    if unknown == data.size:
        raise InputError(f"expected finite values; every voxel of {path} is NaN or infinite: export it again")
    from_below = has_some[:: int(directions[axis, 1])]
    listed = "all" if from_below.all() else listed_ranges(np.flatnonzero(from_below).tolist())
    where = "all axial slices" if listed == "all" else f"axial slices {listed} from below"
    share = 100 * count / data.size
    log.warning("%s holds %d NaN or infinite voxel(s) (%.2g %%), in %s: %s", path, count, share, where, TAKEN_FOR[kind])
    return {"non_finite": {"File": path.name, "Voxels": count, "AxialSlices": listed}}


def _means_of_finite(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the mean of the finite values in each row, 0 where there are none, and the number of these rows."""
    finite = np.isfinite(values)
    counts = finite.sum(axis=1)
    return np.where(finite, values, 0).sum(axis=1, dtype=np.float64) / np.maximum(counts, 1), int((counts == 0).sum())
