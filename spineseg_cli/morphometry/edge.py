"""The cord's area from the image: that inside the steepest step of intensity around the mask, which `edge_search` finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.morphometry.edge_search import find_edge
from spineseg_cli.morphometry.outline import Rays, polygon_area
from spineseg_cli.morphometry.outline_waves import without_bumps
from spineseg_cli.morphometry.profile import Profile
from spineseg_cli.morphometry.uncertainty import neighborhood, scatter_sd

# Rays about the outline that scatter by less than this, in voxels, show the grid's own pattern.
LEAST_SCALE_VX = 0.05

# An edge whose radius differs from the mask's by more than this share is another's, such as the dura's where cord and fluid are
# alike: it counts as not seen.
MOST_APART = 0.25

# The area of a slice is not found to better than this share, without noise.
LEAST_SD = 0.002

# The correction for blur is known to about this share of itself: the width of the edge is, and its shape is not.
CORRECTION_SHARE = 0.3

# On phantoms the radius is off, in whole scans, by so many mm for voxels of 1 mm (standard deviation), and with their area less:
# nerve roots that touch the cord cannot be told from it where voxels are as large as they are. The area is off by 0.3 % at
# 0.5 mm, by 0.7 % at 0.8 mm, by 1.3 % at 1 mm, most in the neck; the intervals then hold 93 % of slices of 1 mm, 98 % of others.
RADIUS_BIAS_MM = 0.025


@dataclass(frozen=True)
class EdgeArea:
    """The area inside the image's edge, in n slices.

    Attributes
    ----------
    area_mm2, error, shared : ndarray, shape (n,)
        Perpendicular to the cord; its standard error, and the part of it that neighbors have in common.
    is_visible : ndarray of bool, shape (n,)
        Whether the edge is seen on most of the outline.
    outline_mm : ndarray, shape (n, RAYS)
        Radius of the edge on each of the rays, in the section perpendicular to the cord.
    rays : Rays
        About the centerline of the edge.
    """

    area_mm2: np.ndarray
    error: np.ndarray
    shared: np.ndarray
    is_visible: np.ndarray
    outline_mm: np.ndarray
    rays: Rays


def measure_edge(profile: Profile, image: Volume) -> EdgeArea:
    """Return the area inside the edge that an RPI image, on the mask's grid, shows around the cord.

    The steepest point of a blurred edge lies inside a convex outline: by half of its curvature times the blur's variance along
    it. Over a closed outline curvature adds up to 2 pi, whatever its shape, so the area lacks pi times the variance of the blur
    in the plane; the smear of slices of thickness T through a cord of slope s adds pi (T s)^2 / 24.
    """
    grid, edge = profile.grid, find_edge(profile, image)
    frame = edge.frame
    missing = np.pi * (edge.blur_mm2 + grid.step_mm**2 * (frame.stretch**2 - 1) / 24) / frame.stretch
    outline = without_bumps(edge.outline_mm, LEAST_SCALE_VX * float(np.sqrt(grid.pixel_mm2)))
    area = polygon_area(outline) + missing
    bias = RADIUS_BIAS_MM * grid.pixel_mm2 * 2 * np.sqrt(np.pi * area)
    shared = np.sqrt((area * frame.cosine_relative_se) ** 2 + (CORRECTION_SHARE * missing) ** 2 + bias**2)
    visible = edge.is_visible & (np.abs(np.sqrt(area / profile.values["area_mm2"]) - 1) < MOST_APART)
    weights = profile.whole.astype(float) if profile.whole.any() else np.ones(len(area))
    scatter, _ = scatter_sd(frame.position_mm, area, weights, LEAST_SD * area, neighborhood(frame.position_mm))
    return EdgeArea(area, np.hypot(scatter, shared), shared, visible, outline, edge.rays)
