"""Spinal segments estimated from the cord alone: from how its area and its shape change along it. Experimental.

A subject's cord is modeled as that of the average adult, shifted and scaled along its length. All shifts and lengths are weighted
by the likelihood of the measured area's and compression ratio's deviations from the average (Bayes' rule on a grid; see
`levels.deviation`), so that the intervals of the boundaries depend on the part of the cord in view, and on how well it fits.

Sources: segment lengths in percent of the cord, and diameters at C5, T8 and L3, Frostell et al., Front. Neurol. 7:238, 2016;
areas of healthy adults by vertebral level as in `norms.csv`, carried to the segments that lie there, with a lumbar peak of 65
mm2. Values in between are smooth, and not from a source; means learned from the masks of people that the deviations are learned
from describe other masks no better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineseg_cli.morphometry.levels import deviation
from spineseg_cli.morphometry.levels.names import SPINAL
from spineseg_cli.morphometry.profile import Profile

LENGTHS_PCT = np.array([
    1.6, 2.2, 3.5, 3.5, 3.5, 3.3, 3.2, 3.4,  # C1 to C8
    3.6, 3.9, 4.4, 5.0, 5.1, 5.6, 5.6, 5.4, 5.1, 4.7, 4.3, 3.9,  # T1 to T12
    3.6, 2.8, 2.4, 2.2, 1.7,  # L1 to L5
    1.5, 1.6, 1.4, 1.3, 0.9,  # S1 to S5
])  # fmt: skip
BOUNDARIES = np.concatenate([[0.0], np.cumsum(LENGTHS_PCT)]) / LENGTHS_PCT.sum()
MIDDLES = (BOUNDARIES[1:] + BOUNDARIES[:-1]) / 2

# The average adult at the middle of each segment: area, mm2, and front-back over right-left diameter.
AREA_MM2 = np.array([
    72, 72, 72.5, 75, 77.5, 76.5, 70, 59,
    50, 44, 40, 37.5, 36, 35, 34.9, 35.5, 37, 39, 41.5, 46,
    52, 58.5, 63.5, 65, 62,
    54, 43, 31, 20, 9,
])  # fmt: skip
RATIO = np.array([
    0.72, 0.68, 0.64, 0.60, 0.57, 0.57, 0.58, 0.61,
    0.65, 0.68, 0.70, 0.72, 0.74, 0.75, 0.76, 0.76, 0.77, 0.77, 0.78, 0.78,
    0.78, 0.79, 0.80, 0.81, 0.83,
    0.86, 0.88, 0.90, 0.92, 0.95,
])  # fmt: skip

# Length of the cord in adults, mm, and its standard deviation.
LENGTH_MM, LENGTH_SD_MM = 430.0, 30.0

# Standard deviation of the length above C1, mm, that masks of the cord show: there the medulla begins.
ABOVE_SD_MM = 10.0

# Standard deviation of a boundary's position in a subject, mm, for a known shift and length.
BOUNDARY_SD_MM = 2.5

# Factor by which the intervals of the average's position are multiplied, by their width, mm, so that nine of ten boundaries lie
# within (split conformal prediction: Lei et al., Journal of the American Statistical Association 113:1094, 2018). Learned from
# simulated subjects in any field of view, other than those of the tests and the benchmark (whose `calibration` prints them).
WIDTHS_MM = (10.0, 20.0, 30.0, 45.0, 60.0, 80.0)
FACTORS = (0.98, 1.02, 1.10, 1.08, 1.04, 1.08)

# Distance, mm, of the positions along the cord that are used, and steps of the shifts and lengths that are tried.
STEP_MM, SHIFT_STEP_MM, LENGTH_STEP_MM = 5.0, 3.0, 6.0

# Area that is added before logarithms are compared, since the tip of the conus, and masks of it, differ much between subjects.
SOFT_MM2 = 10.0

# A mask whose area near its end is less than this probably ends at the tip of the cord: distance from the end, and standard
# deviation, mm (that of the masks that `seg_cord` draws of lumbar scans); the probability that the view ends before the tip, and
# the distance within which the tip then lies, mm.
TIP_AREA_MM2 = 15.0
TIP_WITHIN_MM = 5.0
TIP_SD_MM = 5.0
CUT_SHARE, CUT_MM = 0.02, 30.0

# 90 % intervals wider than this, two and a half cervical segments, are not informative.
WIDEST_MM = 36.0
NORMAL_90 = 1.645


@dataclass(frozen=True)
class Segments:
    """Estimated boundaries of the spinal segments: the top of C1, ..., the end of S5.

    Attributes
    ----------
    position_mm, low_mm, high_mm : ndarray, shape (31,)
        Distance along the cord from the top of the mask, negative above it, and the ends of the 90 % interval.
    """

    position_mm: np.ndarray
    low_mm: np.ndarray
    high_mm: np.ndarray


def estimate_segments(profile: Profile) -> tuple[Segments, np.ndarray]:
    """Return the boundaries of the segments, and the segment of each slice, shape (n,): 1 for C1, 0 if it is unknown.

    The area is that of the image's edge if it was measured and is visible, else the mask's. The segment of a slice is
    known if a boundary on either side of it, or the nearest one, is.
    """
    area = profile.values["area_mm2"]
    if "area_edge_mm2" in profile.values:
        seen = np.array(["edge_not_visible" not in flag for flag in profile.flags])
        area = profile.values["area_edge_mm2"] if seen.mean() > 0.5 else area
    segments = locate_segments(profile.distance_mm, area, profile.values["compression_ratio"], profile.whole)
    distance = profile.distance_mm
    number = np.searchsorted(segments.position_mm, distance)
    width = np.interp(distance, segments.position_mm, segments.high_mm - segments.low_mm)
    inside = (number >= 1) & (number <= len(SPINAL)) & (width <= WIDEST_MM)
    return segments, np.where(inside, number, 0)


def locate_segments(distance_mm: np.ndarray, area_mm2: np.ndarray, ratio: np.ndarray, whole: np.ndarray) -> Segments:
    """Return the boundaries from the area and compression ratio at distances along the cord from its top, all of shape (n,)."""
    low, middle, high = find_average(distance_mm, area_mm2, ratio, whole)
    factor = np.interp(high - low, WIDTHS_MM, FACTORS)
    below, above = (np.hypot(factor * part, NORMAL_90 * BOUNDARY_SD_MM) for part in (middle - low, high - middle))
    return Segments(middle, middle - below, middle + above)


def find_average(distance_mm: np.ndarray, area_mm2: np.ndarray, ratio: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return the 5th, 50th and 95th centile of the position of the average adult's boundaries, mm, shape (3, 31).

    A subject's own boundaries differ from these by `BOUNDARY_SD_MM`.
    """
    position, area, shape = _resampled(distance_mm, area_mm2, ratio, whole)
    lengths = np.arange(LENGTH_MM - 3 * LENGTH_SD_MM, LENGTH_MM + 3 * LENGTH_SD_MM + 1, LENGTH_STEP_MM)
    shifts = np.arange(-40.0, LENGTH_MM + 3 * LENGTH_SD_MM, SHIFT_STEP_MM)
    shift, length = (grid.ravel() for grid in np.meshgrid(shifts, lengths, indexing="ij"))
    u = (position + shift[:, None]) / length[:, None]
    score = -0.5 * ((length - LENGTH_MM) / LENGTH_SD_MM) ** 2
    score -= 0.5 * (np.minimum(shift, 0) / ABOVE_SD_MM) ** 2
    average, conus = _average(u, AREA_MM2, 0.0), deviation.conus_share(u)
    size = np.log(area + SOFT_MM2) - np.log(average + SOFT_MM2)
    score += deviation.AREA.log_likelihood(size, position, conus * average / (average + SOFT_MM2))
    score += deviation.RATIO.log_likelihood(shape - _average(u, RATIO, RATIO[-1]), position, conus)
    if area_mm2[distance_mm >= distance_mm.max() - TIP_WITHIN_MM].mean() < TIP_AREA_MM2:
        score += _end_at_tip(length - shift - distance_mm.max())
    weights = np.exp(score - score.max())
    weights /= weights.sum()
    positions = BOUNDARIES * length[:, None] - shift[:, None]
    return np.array([_quantiles(column, weights) for column in positions.T]).T


def _resampled(distance, area, ratio, whole):
    """Return positions every `STEP_MM`, and the mean of area and ratio about each."""
    used = whole & np.isfinite(area) & np.isfinite(ratio)
    used = used if used.any() else np.isfinite(area)
    bins = np.floor(distance[used] / STEP_MM).astype(int)
    kept, index = np.unique(bins, return_inverse=True)
    counts = np.bincount(index)
    means = [np.bincount(index, column[used]) / counts for column in (distance, area, ratio)]
    return means if len(kept) else [np.zeros(1)] * 3


def _average(u: np.ndarray, values: np.ndarray, beyond: float) -> np.ndarray:
    """Return the average adult's values at fractions of the cord: above C1, those at C1; below the tip, `beyond`."""
    at = np.concatenate([[0.0], MIDDLES, [1.0]])
    known = np.concatenate([values[:1], values, [beyond]])
    return np.interp(u, at, known)


def _end_at_tip(below_mm: np.ndarray) -> np.ndarray:
    """Return the log-density of the tip's distance below the end of a mask that is thin there."""
    at_end = (1 - CUT_SHARE) * np.exp(-0.5 * (below_mm / TIP_SD_MM) ** 2) / (TIP_SD_MM * np.sqrt(2 * np.pi))
    return np.log(at_end + CUT_SHARE / CUT_MM)


def _quantiles(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return np.interp([0.05, 0.5, 0.95], total, values[order])
