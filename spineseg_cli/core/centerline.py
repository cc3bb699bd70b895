"""The cord's position in each axial slice."""

from __future__ import annotations

import numpy as np

from spineseg_cli.core.volume import Volume
from spineseg_cli.errors import InputError


def centres_from_mask(mask: Volume) -> tuple[np.ndarray, range]:
    """Return the centre of mass of each axial slice of an RPI mask (of the cord, or of its centerline).

    Slices without mask between others are interpolated. Beyond the first and the last slice with mask there is no cord:
    nothing is extrapolated.

    Returns
    -------
    centres_vx : ndarray, shape (nz, 2), float
        Native voxel coordinates along x and y.
    slices : range
        From the first to the last slice with mask.

    Raises
    ------
    InputError
        If the mask is empty.
    """
    weights = np.clip(mask.data, 0, None).astype(float)
    mass = weights.sum(axis=(0, 1))
    found = np.flatnonzero(mass > 0)
    if len(found) == 0:
        raise InputError("the centerline is empty: expected at least one voxel above 0 in a centerline or a cord mask")
    x = weights.sum(axis=1).T @ np.arange(mask.shape[0])
    y = weights.sum(axis=0).T @ np.arange(mask.shape[1])
    slices = np.arange(mask.shape[2])
    centres = np.stack([np.interp(slices, found, axis[found] / mass[found]) for axis in (x, y)], axis=-1)
    return centres, range(int(found[0]), int(found[-1]) + 1)
