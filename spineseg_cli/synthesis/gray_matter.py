"""The butterfly shape of gray matter: broad anterior horns, thin posterior horns, and the commissure between them.

Gray matter is where a smooth function of the position in the cord is below a threshold, which is chosen such that gray matter
has exactly the wanted area. The shape follows the sections of spinal segments in Kameyama et al., Spine 21:1285, 1996.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.interpolate import PchipInterpolator

from spineseg_cli.synthesis.anatomy import OUTLINE_EXPONENT, smooth_profile

# Vertebra, fraction of its height; anterior horn: lateral and anterior position, half-width, half-depth; tip of the posterior
# horn: lateral and anterior position, half-thickness; lateral horn: half-thickness. Relative to the cord's center and half-axes.
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
_GRID = 256  # points per half-axis at which areas are computed


@cache
def _shape_profiles() -> tuple[PchipInterpolator, ...]:
    return tuple(smooth_profile(_SHAPE, column) for column in range(2, len(_SHAPE[0])))


def segment_distance(
    x: np.ndarray, y: np.ndarray, start: Sequence[float] | np.ndarray, stop: Sequence[float] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance of points to a line segment, and the position of the nearest point along it, 0 to 1, of each."""
    dx, dy = stop[0] - start[0], stop[1] - start[1]
    along = np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / max(float(dx * dx + dy * dy), 1e-6), 0, 1)
    return np.hypot(x - start[0] - along * dx, y - start[1] - along * dy), along


def butterfly_field(x: np.ndarray, y: np.ndarray, position_mm: float) -> np.ndarray:
    """Return a value at each point that increases with the distance from the core of the gray matter.

    `x` and `y`, of one shape, are the transverse and anterior position relative to the cord's center, in units of its
    half-axes; `position_mm` is the arc length below the top of C1 in an adult of average size, since the shape depends on the
    level. Only the order of the values matters: `butterfly_threshold` chooses which of them are gray matter.
    """
    first, last = _shape_profiles()[0].x[[0, -1]]
    at = float(np.clip(position_mm, first, last))
    horn_x, horn_y, horn_rx, horn_ry, tip_x, tip_y, post_r, side_r = (float(profile(at)) for profile in _shape_profiles())
    x = np.abs(x)
    anterior = (np.hypot((x - horn_x) / horn_rx, (y - horn_y) / horn_ry) - 1) * min(horn_rx, horn_ry)
    distance, along = segment_distance(x, y, (0.6 * horn_x, 0.06), (tip_x, tip_y))
    # The posterior horn has a thin neck, a thicker head and a pointed tip.
    posterior = distance - post_r * (0.75 + 0.5 * np.sin(np.pi * along) ** 2 * along - 0.35 * along**4)
    commissure = segment_distance(x, y, (0.0, 0.06), (horn_x, 0.10))[0] - 0.05
    lateral = segment_distance(x, y, (horn_x, 0.08), (horn_x + horn_rx + 0.03, 0.05))[0] - side_r
    sharpness = 22.0  # of a smooth minimum, which joins horns and commissure without creases
    return -np.log(sum(np.exp(-sharpness * part) for part in (anterior, posterior, commissure, lateral))) / sharpness


@cache
def _sorted_field(position_mm: float) -> np.ndarray:
    """Return the sorted values of the field on a regular grid over the cord, so that their quantiles correspond to areas."""
    half = (np.arange(_GRID) + 0.5) / _GRID
    x, y = np.meshgrid(half, np.concatenate([-half[::-1], half]), indexing="ij")
    inside = x**OUTLINE_EXPONENT + np.abs(y) ** OUTLINE_EXPONENT <= 1
    return np.sort(butterfly_field(x[inside], y[inside], position_mm))


def butterfly_threshold(position_mm: float, gray_ratio: float) -> float:
    """Return the value below which `butterfly_field` covers the fraction `gray_ratio` (0 to 1) of the cord's area.

    It is computed every 4 mm along the cord, on a grid of 256 points per half-axis, and interpolated in between.
    """
    step = 4.0
    low = np.floor(position_mm / step) * step
    below, above = (float(np.quantile(_sorted_field(float(at)), gray_ratio)) for at in (low, low + step))
    weight = (position_mm - low) / step
    return (1 - weight) * below + weight * above
