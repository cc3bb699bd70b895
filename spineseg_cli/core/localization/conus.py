"""The cord above the conus: where a cord ends in a conus, it goes on for longer than most lumbar scans show of it.

Near the top of a lumbar scan, the signal is weak, and noise may hide the cord. Slices of the brain look as little like cord. The
lower end of the cord tells which of the two is in view.
"""

from __future__ import annotations

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.extent import runs_of
from spineseg_cli.core.localization.location import MIN_CONUS_CONFIDENCE
from spineseg_cli.core.localization.lost_signal import signal_along
from spineseg_cli.core.localization.presence import RADIUS, confidence_of_network

# The cord of a newborn is about so long, that of an adult three times.
SHORTEST_CORD_MM = 150.0

# In a conus, the radius over the lowest part of the cord is less than this fraction of the largest radius at a distance above its
# end: in lumbar scans of many contrasts it is 0.35 to 0.75 in nine of ten, in cords that go on below 0.75 or more.
TAPER = 0.75
TIP_MM = 6.0
ABOVE_TIP_MM = (20.0, 50.0)

# What ends nearer to the lowest slice than this may go on below the scan.
BELOW_MM = 8.0

# Around a conus, the signal is at least this fraction of that along the cord: it is 0.8 or more, and 0.25 or less where the cord
# ends because the signal fades.
LEAST_SIGNAL = 0.5


def with_cord_above_conus(
    scan: Volume, centers_vx: np.ndarray, present: np.ndarray, lost: np.ndarray, features: np.ndarray
) -> np.ndarray:
    """Return which slices hold cord, given that above the tip of a conus in view there is at least the shortest cord.

    Over this length, it is cord up to the uppermost slice in which something can be seen of it.

    Parameters
    ----------
    scan : Volume
        The scan, in RPI, of nz axial slices.
    centers_vx : ndarray, shape (nz, 2)
        The path along the cord, in voxel coordinates along x and y.
    present : ndarray of bool, shape (nz,)
        Which slices hold cord by the evidence of the networks, from inferior to superior.
    lost : ndarray of bool, shape (nz,)
        Which slices have no signal; these never hold cord.
    features : ndarray, shape (nz, 6)
        The features of the slices: see `presence.features_of_search`.

    Returns
    -------
    ndarray of bool, shape (nz,)
    """
    runs, distance_mm, confidence = runs_of(present), scan.spacing_mm[2], confidence_of_network(features)
    radius_given_cord = features[:, RADIUS] / np.sqrt(np.maximum(confidence, MIN_CONUS_CONFIDENCE))
    if not runs or not _tapers(radius_given_cord, runs[0], distance_mm):
        return present
    tip = runs[0].start
    signal, around_tip = signal_along(scan, centers_vx), max(1, round(BELOW_MM / distance_mm))
    if signal[tip - around_tip : tip + around_tip].mean() < LEAST_SIGNAL * np.median(signal[present]):
        return present
    end = tip + round(SHORTEST_CORD_MM / distance_mm)
    seen = tip + np.flatnonzero(confidence[tip:end] >= MIN_CONUS_CONFIDENCE)
    continued = present.copy()
    continued[tip : seen.max(initial=tip) + 1] = True
    return continued & ~lost


def _tapers(radius: np.ndarray, run: range, distance_mm: float) -> bool:
    """Return whether a run of slices with cord tapers at its lower end, within the scan; `radius`, shape (nz,), in any unit."""
    tip, near, far = (max(1, round(mm / distance_mm)) for mm in (TIP_MM, *ABOVE_TIP_MM))
    if run.start * distance_mm < BELOW_MM or len(run) <= near:
        return False
    of_run = radius[run.start : run.stop]
    return bool(of_run[:tip].mean() < TAPER * of_run[near:far].max())
