"""The gray-matter butterfly: broad anterior horns, thin posterior horns, and the commissure that joins them.

The shape is the set where a smooth function of the position in the cord is below a threshold; the threshold is chosen so
that the set has exactly the area asked for. Drawn after the sections of the segments in
Kameyama et al., Spine 21:1285, 1996.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.interpolate import PchipInterpolator

from spineseg_cli.synthesis.morphometry import OUTLINE_EXPONENT, smooth_profile

# level, fraction; anterior horn: lateral, anterior, half-width, half-depth; tip of the posterior horn: lateral, anterior,
# half-thickness; lateral horn: half-thickness. In units of the cord's half-axes, from its center.
_SHAPE = (
    ("C1", 0.0, 0.24, 0.26, 0.11, 0.20, 0.46, -0.62, 0.075, 0.02),
    ("C2", 1.1, 0.26, 0.26, 0.13, 0.20, 0.45, -0.64, 0.070, 0.02),
    ("C5", 0.0, 0.34, 0.25, 0.21, 0.20, 0.45, -0.64, 0.075, 0.02),
    ("C7", 0.5, 0.35, 0.26, 0.22, 0.21, 0.44, -0.63, 0.075, 0.02),
    ("T2", 0.5, 0.20, 0.30, 0.09, 0.18, 0.34, -0.62, 0.050, 0.05),
    ("T7", 0.5, 0.17, 0.29, 0.08, 0.18, 0.27, -0.60, 0.050, 0.05),
    ("T10", 0.0, 0.22, 0.29, 0.11, 0.21, 0.28, -0.60, 0.070, 0.05),
    ("T11", 1.1, 0.34, 0.27, 0.22, 0.25, 0.35, -0.60, 0.120, 0.02),
    ("T12", 1.1, 0.33, 0.23, 0.24, 0.27, 0.32, -0.55, 0.150, 0.02),
    ("L1", 0.67, 0.28, 0.18, 0.26, 0.28, 0.28, -0.45, 0.180, 0.02),
)
_GRID = 256


@cache
def _shape_profiles() -> tuple[PchipInterpolator, ...]:
    return tuple(smooth_profile(_SHAPE, column) for column in range(2, len(_SHAPE[0])))


def _segment_distance(
    x: np.ndarray, y: np.ndarray, start: tuple[float, float], stop: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance to a segment, and where along it (0 to 1) the nearest point is."""
    dx, dy = stop[0] - start[0], stop[1] - start[1]
    along = np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy), 0, 1)
    return np.hypot(x - start[0] - along * dx, y - start[1] - along * dy), along


def butterfly_field(x: np.ndarray, y: np.ndarray, position_mm: float) -> np.ndarray:
    """Return a function that grows with the distance from the middle of the gray matter.

    Parameters
    ----------
    x, y : ndarray of float, any one shape
        Transverse and anterior position in the section, in units of the cord's half-axes, from its center.
    position_mm : float
        Arc length below the top of C1 of an adult of average size; the shape depends on the level.

    Returns
    -------
    ndarray of float, the shape of `x`
        Negative on the skeleton's drawn shape. Only its order matters: see `butterfly_threshold`.
    """
    first, last = _shape_profiles()[0].x[[0, -1]]
    at = float(np.clip(position_mm, first, last))
    horn_x, horn_y, horn_rx, horn_ry, tip_x, tip_y, post_r, side_r = (float(profile(at)) for profile in _shape_profiles())
    x = np.abs(x)
    anterior = (np.hypot((x - horn_x) / horn_rx, (y - horn_y) / horn_ry) - 1) * min(horn_rx, horn_ry)
    distance, along = _segment_distance(x, y, (0.6 * horn_x, 0.06), (tip_x, tip_y))
    # The neck of the posterior horn is thin, its head thicker, its tip pointed.
    posterior = distance - post_r * (0.75 + 0.5 * np.sin(np.pi * along) ** 2 * along - 0.35 * along**4)
    commissure = _segment_distance(x, y, (0.0, 0.06), (horn_x, 0.10))[0] - 0.05
    lateral = _segment_distance(x, y, (horn_x, 0.08), (horn_x + horn_rx + 0.03, 0.05))[0] - side_r
    sharpness = 22.0  # a smooth minimum, so that horns and commissure join without creases
    return -np.log(sum(np.exp(-sharpness * part) for part in (anterior, posterior, commissure, lateral))) / sharpness


@cache
def _sorted_field(position_mm: float) -> np.ndarray:
    """Return the field over a regular grid of the (normalized) cord, in increasing order: its quantiles are areas."""
    half = (np.arange(_GRID) + 0.5) / _GRID
    x, y = np.meshgrid(half, np.concatenate([-half[::-1], half]), indexing="ij")
    inside = x**OUTLINE_EXPONENT + np.abs(y) ** OUTLINE_EXPONENT <= 1
    return np.sort(butterfly_field(x[inside], y[inside], position_mm))


def butterfly_threshold(position_mm: float, gray_ratio: float) -> float:
    """Return the value below which `butterfly_field` covers `gray_ratio` of the cord's area (both 0 to 1).

    Exact to a grid of 256 points a half-axis; evaluated every 4 mm along the cord and interpolated.
    """
    step = 4.0
    low = np.floor(position_mm / step) * step
    below, above = (float(np.quantile(_sorted_field(float(at)), gray_ratio)) for at in (low, low + step))
    weight = (position_mm - low) / step
    return (1 - weight) * below + weight * above
