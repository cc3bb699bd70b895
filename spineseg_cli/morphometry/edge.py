"""The cord's area from the image: that inside the steepest step of intensity around the mask, which `edge_search` finds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.morphometry.edge_search import STEP_MM, find_outline
from spineseg_cli.morphometry.outline import ANGLES_RAD, make_rays, polygon_area, trace_outline
from spineseg_cli.morphometry.profile import Profile
from spineseg_cli.morphometry.uncertainty import neighborhood, scatter_sd

# The final outline: waves of 1 / r^2 up to this number follow a bean or a squarish cord, and not a root. Rays further out than
# the first limit, or further in than the second, in robust standard deviations, are not of the cord. The second is the usual
# one; the first is set on phantoms whose roots touch the cord (bias 0.0 % on average of 72; more with the usual limit on
# both sides), and on ellipses without roots (-0.2 %). Less than the least scale, in voxels, is the grid's own pattern.
OUTLINE_HARMONICS = 4
OUTWARD, INWARD = 2.0, 4.7
LEAST_SCALE_VX = 0.05
BIWEIGHT_ROUNDS = 10

# An edge whose radius differs from the mask's by more than this share is another's, such as the dura's where cord and fluid are
# alike: it counts as not seen.
MOST_APART = 0.25

# The area of a slice is not found to better than this share, without noise.
LEAST_SD = 0.002

# The correction for blur is known to about this share of itself: the width of the edge is, and its shape is not.
CORRECTION_SHARE = 0.3

# On phantoms the radius is off, in whole scans, by so many mm for voxels of 1 mm (standard deviation), and with their area less:
# nerve roots that touch the cord cannot be told from it where voxels are as large as they are. The area is off by 0.2 % at
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
        Radius of the edge on each ray of `rays`, in the section perpendicular to the cord.
    """

    area_mm2: np.ndarray
    error: np.ndarray
    shared: np.ndarray
    is_visible: np.ndarray
    outline_mm: np.ndarray


def measure_edge(profile: Profile, image: Volume) -> EdgeArea:
    """Return the area inside the edge that an RPI image, on the mask's grid, shows around the cord.

    The steepest point of a blurred edge lies inside a convex outline: by half of its curvature times the blur's variance along
    it. Over a closed outline curvature adds up to 2 pi, whatever its shape, so the area lacks pi times the variance of the blur
    in the plane; the smear of slices of thickness T through a cord of slope s adds pi (T s)^2 / 24.
    """
    grid, frame = profile.grid, profile.frame
    # About the smooth centerline: a mask's own centers jump with its voxels.
    rays = make_rays(grid, frame, frame.centers_mm, profile.values["orientation_deg"], profile.slices)
    profile = replace(profile, rays=rays, outline_mm=trace_outline(profile.mask, rays))
    outline, visible, blur_mm2 = find_outline(profile, image)
    missing = np.pi * (blur_mm2 + grid.step_mm**2 * (frame.stretch**2 - 1) / 24) / frame.stretch
    outline = _without_bumps(np.maximum(outline, STEP_MM), LEAST_SCALE_VX * np.sqrt(grid.pixel_mm2))
    area = polygon_area(outline) + missing
    bias = RADIUS_BIAS_MM * grid.pixel_mm2 * 2 * np.sqrt(np.pi * area)
    shared = np.sqrt((area * frame.cosine_relative_se) ** 2 + (CORRECTION_SHARE * missing) ** 2 + bias**2)
    visible = visible & (np.abs(np.sqrt(area / profile.values["area_mm2"]) - 1) < MOST_APART)
    weights = profile.whole.astype(float) if profile.whole.any() else np.ones(len(area))
    scatter, _ = scatter_sd(frame.position_mm, area, weights, LEAST_SD * area, neighborhood(frame.position_mm))
    return EdgeArea(area, np.hypot(scatter, shared), shared, visible, outline)


def _without_bumps(outline: np.ndarray, least_scale_mm: float) -> np.ndarray:
    """Return outlines, shape (n, RAYS), without what sticks out over a short way: nerve roots and vessels that touch the cord.

    1 / r^2, which of an ellipse is a constant and a wave of two periods, is fitted by waves of `OUTLINE_HARMONICS` periods at
    most with Tukey's biweight (Beaton & Tukey, Technometrics 16:147, 1974), narrower outward, where such neighbors are.
    """
    phases = np.outer(ANGLES_RAD, np.arange(OUTLINE_HARMONICS + 1))
    basis = np.concatenate([np.cos(phases), np.sin(phases)[:, 1:]], axis=1)
    weights, fitted = np.ones_like(outline), outline
    for _ in range(BIWEIGHT_ROUNDS):
        # An error e of 1 / r^2 is one of r^3 / 2 e in r, in which the least squares are meant.
        per_mm = weights * (fitted**3 / 2) ** 2
        normal = np.einsum("nr,ra,rb->nab", per_mm, basis, basis, optimize=True)
        right = np.einsum("nr,ra->na", per_mm * outline**-2, basis)
        waves = np.linalg.solve(normal, right[..., None])[..., 0] @ basis.T
        fitted = np.maximum(waves, (2 * outline.max(axis=1, keepdims=True)) ** -2) ** -0.5
        residual = outline - fitted
        scale = np.maximum(1.4826 * np.median(np.abs(residual), axis=1, keepdims=True), least_scale_mm)
        limit = np.where(residual > 0, OUTWARD, INWARD) * scale
        weights = np.maximum(1 - (residual / limit) ** 2, 0) ** 2 + 1e-4
    return fitted
