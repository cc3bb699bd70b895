"""The cord's position in each axial slice."""

from __future__ import annotations

import numpy as np

from spineseg_cli.core.volume import Volume
from spineseg_cli.errors import InputError

# A slice of less confidence than this is taken to be without cord.
LEAST_CONFIDENCE = 0.4

# Slices without cord between others, over this length at most, are a lesion, an artefact or a moment of doubt.
LONGEST_GAP_MM = 25.0

# A run of slices shorter than this, and shorter than half of the scan, is no cord.
SHORTEST_CORD_MM = 10.0


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


def slices_with_cord(confidence: np.ndarray, spacing_mm: float, brain: bool | None = None) -> range:
    """Return the slices of an RPI scan that have cord: the longest run of confident ones, across gaps of up to 25 mm.

    Parameters
    ----------
    confidence : ndarray, shape (nz,)
        0 to 1, from inferior to superior.
    spacing_mm : float
        Distance of the slices.
    brain : bool, optional
        If False, the scan shows no brain: the cord goes on to the topmost slice. If True, it does: nothing above the first slice
        of doubt is cord. By default, confidence alone decides.

    Returns
    -------
    range
        Empty if no slice has cord.
    """
    confident = np.flatnonzero(confidence >= LEAST_CONFIDENCE)
    if len(confident) == 0:
        return range(0)
    longest_step = max(1.0, LONGEST_GAP_MM / spacing_mm)
    runs = np.split(confident, np.flatnonzero(np.diff(confident) > longest_step) + 1)
    run = max(runs, key=lambda part: confidence[part].sum())
    if len(run) * spacing_mm < min(SHORTEST_CORD_MM, len(confidence) * spacing_mm / 2):
        return range(0)
    first, last = int(run[0]), int(run[-1])
    if brain:
        doubt = np.flatnonzero(np.diff(run) > 1)
        middle = np.searchsorted(run, np.median(run))
        above = doubt[doubt >= middle]
        last = int(run[above[0]]) if len(above) else last
    elif brain is not None:
        last = len(confidence) - 1
    return range(first, last + 1)
