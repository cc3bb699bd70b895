"""The cord's position in each axial slice."""

from __future__ import annotations

import numpy as np

from spineseg_cli.core.volume import Volume
from spineseg_cli.errors import InputError


def centres_from_mask(mask: Volume) -> np.ndarray:
    """Return the centre of mass of each axial slice of an RPI mask (of the cord, or of its centerline).

    Slices without mask between others are interpolated; those beyond the first and the last take their neighbour's.

    Returns
    -------
    ndarray, shape (nz, 2), float
        Native voxel coordinates along x and y.

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
    return np.stack([np.interp(slices, found, axis[found] / mass[found]) for axis in (x, y)], axis=-1)
