"""Detection of slices without signal, such as those near metal or empty ones; slices that are only dim do not count."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.bounds import true_range
from spineseg_cli.core.image.slabs import slabs
from spineseg_cli.core.image.volume import Volume

# Slices are compared with others within this distance, since the signal fades gradually where a surface coil ends.
NEARBY_MM = 40.0

# The signal is lost if the intensities within this radius of the path, sampled at this step, spread less than this fraction of
# the usual spread in the scan or nearby. The usual one is this percentile, so that the signal may be lost in most slices.
SIGNAL_RADIUS_MM = 12.0
SIGNAL_STEP_MM = 0.5
LOST_SIGNAL_FRACTION = 0.1
USUAL_PCT = 75

# A slice without signal is replaced by the nearest slice with signal if that is within this distance, or adjacent.
NEIGHBOR_MM = 2.0


def nearby_maximum(values: np.ndarray, distance_mm: float) -> np.ndarray:
    """Return the largest value within 40 mm of each slice, shape (nz,); neighboring slices are `distance_mm` apart."""
    return ndimage.maximum_filter1d(values, 1 + 2 * int(NEARBY_MM / distance_mm), mode="nearest")


def signal_along(scan: Volume, centers_vx: np.ndarray) -> np.ndarray:
    """Return the signal around a path in each slice, shape (nz,): the spread of the intensities near it.

    `centers_vx`, shape (nz, 2), holds the voxel coordinates of the path through the RPI `scan` along x and y.
    """
    in_plane_mm = np.array(scan.spacing_mm[:2])
    radius = np.ceil(SIGNAL_RADIUS_MM / in_plane_mm).astype(int)
    step_x, step_y = np.maximum(SIGNAL_STEP_MM / in_plane_mm, 1).astype(int)
    centers = np.round(centers_vx).astype(int)
    firsts, ends = np.maximum(centers - radius, 0), np.maximum(centers + radius + 1, 1)
    spread = np.zeros(scan.shape[2])
    for slab in slabs(len(spread)):
        by_size: dict[int, dict[int, np.ndarray]] = {}  # parts of equal size, whose percentiles are computed at once
        for k in range(*slab):
            part = scan.data[firsts[k, 0] : ends[k, 0] : step_x, firsts[k, 1] : ends[k, 1] : step_y, k]
            by_size.setdefault(part.size, {})[k] = part.ravel()
        for size, parts in by_size.items():
            if size:
                spread[list(parts)] = np.ptp(np.percentile(list(parts.values()), (2, 98), axis=1), axis=0)
    return spread


def slices_without_signal(scan: Volume, centers_vx: np.ndarray) -> np.ndarray:
    """Return the slices in which the signal around the path is lost, so that they do not show whether there is cord.

    The parameters are those of `signal_along`; the result is bool, shape (nz,).
    """
    signal = signal_along(scan, centers_vx)
    usual = np.percentile(signal[signal > 0], USUAL_PCT) if signal.any() else 0.0
    return signal <= LOST_SIGNAL_FRACTION * np.minimum(usual, nearby_maximum(signal, scan.spacing_mm[2]))


def nearest_with_signal(lost: np.ndarray, distance_mm: float) -> np.ndarray:
    """Return the index of the nearest slice with signal, if it is adjacent or at most 2 mm away, else each slice's own index.

    `lost`, bool, shape (nz,), says which slices have no signal; neighboring slices are `distance_mm` apart.
    """
    slices, kept = np.arange(len(lost)), np.flatnonzero(~lost)
    if len(kept) == 0:
        return slices
    nearest = kept[np.round(np.interp(slices, kept, np.arange(len(kept)))).astype(int)]
    return np.where(np.abs(nearest - slices) * distance_mm <= max(NEIGHBOR_MM, distance_mm), nearest, slices)


def between_lost_ends(lost: np.ndarray) -> slice:
    """Return the slices from the first to the last one with signal, without the empty ones at the ends; all, if none has signal.

    `lost`, bool, shape (nz,), tells whether each slice is without signal.
    """
    return slice(0, len(lost)) if lost.all() else true_range(~lost)
