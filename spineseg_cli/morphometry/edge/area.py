"""The cord's area from the image: the area inside the steepest step of intensity around the mask, found by `edge.search`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.morphometry.edge.rivals import is_another_edge
from spineseg_cli.morphometry.edge.search import find_edge
from spineseg_cli.morphometry.outline.polar import Rays, polygon_area
from spineseg_cli.morphometry.outline.waves import without_bumps
from spineseg_cli.morphometry.profile import Profile
from spineseg_cli.morphometry.uncertainty import neighborhood, scatter_sd

# Scatter of the rays about the outline, in voxels, below which it is only a pattern of the grid.
LEAST_SCALE_VX = 0.05

# An edge whose radius differs from the mask's by more than this share belongs to another structure, such as the dura where cord
# and fluid look alike; it counts as not seen.
MOST_APART = 0.25

# An edge whose area has a larger relative standard error than this counts as not seen. It is 0.01 to 0.05 in most scans of
# people, and 0.4 and more in two in which cord and fluid are alike.
MOST_ERROR = 0.1

# Least relative error of a slice's area, without noise.
LEAST_SD = 0.002

# Relative error of the correction for blur: the width of the edge is known, but not its shape.
CORRECTION_SHARE = 0.3

# Standard deviation of the radius' bias in whole scans of phantoms with voxels of 1 mm; it is proportional to the voxels' area,
# as nerve roots that touch the cord cannot be separated from it if voxels are as large as they are. The area's bias is 0.3 % at
# 0.5 mm, 0.7 % at 0.8 mm, 1.3 % at 1 mm, most in the neck; the intervals then hold 93 % of slices of 1 mm, 98 % of others.
RADIUS_BIAS_MM = 0.025


@dataclass(frozen=True)
class EdgeArea:
    """The area inside the image's edge, in n slices.

    Attributes
    ----------
    area_mm2, error, shared : ndarray, shape (n,)
        Area perpendicular to the cord, its standard error, and the part of the error that neighbors have in common.
    is_visible : ndarray of bool, shape (n,)
        Whether the edge is seen on most of the outline, near the mask's and of a like shape, and its area is known.
    outline_mm : ndarray, shape (n, RAYS)
        Radius of the edge on each ray, in the section perpendicular to the cord.
    rays : Rays
        Rays from the centerline of the edge.
    """

    area_mm2: np.ndarray
    error: np.ndarray
    shared: np.ndarray
    is_visible: np.ndarray
    outline_mm: np.ndarray
    rays: Rays


def measure_edge(profile: Profile, image: Volume) -> EdgeArea:
    """Return the area inside the cord's edge in an RPI image on the mask's grid.

    The steepest point of a blurred edge lies inside a convex outline, by half of the curvature times the variance of the blur.
    The curvature of a closed outline integrates to 2 pi, so the area is too small by pi times the in-plane variance of the blur;
    slices of thickness T through a cord of slope s add another pi (T s)^2 / 24.
    """
    grid, edge = profile.grid, find_edge(profile, image)
    frame = edge.steps.frame
    missing = np.pi * (edge.blur_mm2 + grid.step_mm**2 * (frame.stretch**2 - 1) / 24) / frame.stretch
    outline = without_bumps(edge.outline_mm, LEAST_SCALE_VX * float(np.sqrt(grid.pixel_mm2)))
    area = polygon_area(outline) + missing
    bias = RADIUS_BIAS_MM * grid.pixel_mm2 * 2 * np.sqrt(np.pi * area)
    shared = np.sqrt((area * frame.cosine_relative_se) ** 2 + (CORRECTION_SHARE * missing) ** 2 + bias**2)
    weights = profile.whole.astype(float) if profile.whole.any() else np.ones(len(area))
    scatter, _ = scatter_sd(frame.position_mm, area, weights, LEAST_SD * area, neighborhood(frame.position_mm))
    error = np.hypot(scatter, shared)
    near = np.abs(np.sqrt(area / profile.values["area_mm2"]) - 1) < MOST_APART
    visible = edge.is_visible & near & (error < MOST_ERROR * area)
    visible &= ~is_another_edge(profile, edge.steps, edge.sign, outline)
    return EdgeArea(area, error, shared, visible, outline, edge.steps.rays)
