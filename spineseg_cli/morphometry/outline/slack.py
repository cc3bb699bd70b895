"""The slack of a binary mask's outline: the distance that it can move without a voxel changing sides.

No method can determine the outline better than this. A cord that has the same position on the grid in all slices, such as an
upright one, is known only from the voxels of one slice: at 0.5 mm, the mask of an upright cylinder of 4 mm around a voxel's
corner is the same for all radii from 3.96 to 4.13 mm, whose areas differ by 9 %. All sizes and directions within the slack are
taken as equally likely, which gives the standard deviations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from spineseg_cli.morphometry.outline.regression import CUTOFF_MM, Outline, Voxels, make_waves

# Shortest distance to either side, mm, over which an outline can grow and shrink: half of the shortest wave that it follows.
REACH_MM = CUTOFF_MM / 4

# Distance to either side, mm, over which the centerline turns and bends.
TURN_REACH_MM = CUTOFF_MM / 2

# Width of a uniform distribution over its standard deviation.
UNIFORM = np.sqrt(12)


@dataclass(frozen=True)
class Slack:
    """The slack in each of n slices.

    Attributes
    ----------
    radius_sd_mm : ndarray, shape (n,)
        Standard deviation of the outline's distance from the center, the same in all directions.
    slope_sd : ndarray, shape (n, 2)
        Standard deviation of the centerline's change of x and y per mm along the slices' normal.
    """

    radius_sd_mm: np.ndarray
    slope_sd: np.ndarray


def find_slack(outline: Outline, voxels: Voxels, gradient_per_mm: np.ndarray, position_mm: np.ndarray) -> Slack:
    """Return the slack that the voxels leave to an outline.

    Parameters
    ----------
    voxels : Voxels
        The voxels near the outline, at least all that have a neighbor on the other side of it.
    gradient_per_mm : ndarray, shape (n, m, 2)
        Change of each voxel's radius in the unit disc per mm along x and y; not zero where the weight is not zero.
    position_mm : ndarray, shape (n,)
        Positions of the slices.
    """
    steepness = np.linalg.norm(gradient_per_mm, axis=-1) + (voxels.weight == 0)
    gap = (voxels.radius - outline.radius(make_waves(voxels.angle))) / steepness
    is_out = voxels.inside == 0
    gap = np.where(voxels.weight > 0, np.maximum(np.where(is_out, gap, -gap), 0), np.inf)
    step_mm = float(np.median(np.diff(position_mm))) if len(position_mm) > 1 else 1.0
    size = 2 * int(REACH_MM / step_mm) + 1
    width = sum(
        ndimage.minimum_filter1d(np.where(side, gap, np.inf).min(axis=1), size, mode="nearest") for side in (is_out, ~is_out)
    )
    normal = gradient_per_mm / steepness[..., None] * np.where(is_out, 1, -1)[..., None]  # away from the outline
    shifts = np.stack([_most_shift(gap, normal), _most_shift(gap, -normal)])
    return Slack(np.where(np.isfinite(width), width, 0) / UNIFORM, _slope_sd(shifts, position_mm, step_mm))


def _most_shift(gap_mm: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Return the largest possible shift of the outline in the positive directions of x and y, shape (n, 2)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(normal > 0, gap_mm[..., None] / normal, np.inf).min(axis=1)


def _slope_sd(shifts_mm: np.ndarray, position_mm: np.ndarray, step_mm: float) -> np.ndarray:
    """Return the standard deviation of slopes, shape (n, 2), of a line that may turn and bend within shifts (2, n, 2).

    The largest turn, and the largest bend, about the middle of the surrounding slices are computed separately.
    """
    n = len(position_mm)
    reach = int(TURN_REACH_MM / step_mm)
    if n < 3 or reach < 1:
        return np.zeros((n, 2))
    first, last = np.maximum(np.arange(n) - reach, 0), np.minimum(np.arange(n) + reach, n - 1)
    index = np.minimum(first[:, None] + np.arange(2 * reach + 1), last[:, None])
    half = (position_mm[last] - position_mm[first])[:, None] / 2
    at = (position_mm[index] - position_mm[first][:, None]) / half - 1
    here = (position_mm - position_mm[first])[:, None] / half - 1
    variance = np.zeros((n, 2))
    for shape, change in ((at, np.ones_like(here)), (1.5 * at**2 - 0.5, 3 * here)):
        width = sum(_most_amplitude(shifts_mm[:, index], sign * shape) for sign in (1, -1))
        variance += (width / UNIFORM * np.abs(change) / half) ** 2
    return np.sqrt(variance)


def _most_amplitude(shifts_mm: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Return the largest factor, shape (n, 2), by which a displacement (n, w) stays within the shifts (2, n, w, 2)."""
    slack_mm = np.where(shape[..., None] > 0, shifts_mm[0], shifts_mm[1])
    return (slack_mm / np.maximum(np.abs(shape), 1e-3)[..., None]).min(axis=1)
