"""A scan's intensity, and its derivative, across the cord's outline, on rays perpendicular to the cord.

The derivative is taken at a small scale (Canny, IEEE PAMI 8:679, 1986) and averaged a little around and along the cord.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.morphometry.outline.polar import DIRECTIONS, RAYS, Rays, make_rays
from spineseg_cli.morphometry.profile import Profile
from spineseg_cli.morphometry.sections.frame import CordFrame, SliceGrid

# Sample spacing along a ray, mm; it is doubled where less precision is needed.
STEP_MM = 0.1
COARSE_STEP_MM = 0.2

# Scale of the derivative, in voxels: about the width of an edge that is as sharp as its voxels.
DERIVATIVE_VX = 0.5

# A smear of up to this share of that scale is ignored: it changes the width by a hundredth, as variances add.
LEAST_SMEAR = 0.5

# Distance, mm, beyond the furthest point of the mask's outlines up to which a slice is kept: further steps are of other edges.
BEYOND_MM = 8.0

# Standard deviations of the averages around the outline and along the cord, over which the shape hardly changes.
AROUND_DEG = 6.0
ALONG_MM = 6.0


@dataclass(frozen=True)
class EdgeSteps:
    """A scan sampled on rays from a cord's centerline.

    Attributes
    ----------
    splines : ndarray of float32, shape (n, a, b)
        Coefficients of the cubic B-splines, in the plane, of a window around the cord in each of n slices.
    first_vx : ndarray of int, shape (n, 2)
        Index in the RPI image of the first voxel of each window.
    slices : ndarray of int, shape (n,)
        Axial slices of the image.
    frame : CordFrame
        The frame of these slices; rays begin at its centers.
    """

    splines: np.ndarray
    first_vx: np.ndarray
    grid: SliceGrid
    slices: np.ndarray
    frame: CordFrame

    @classmethod
    def around(cls, profile: Profile, image: Volume) -> EdgeSteps:
        """Return an RPI image, on the mask's grid, for sampling on rays from the centerline of the mask."""
        inverse = np.linalg.inv(profile.grid.matrix[:2, :2])
        centers_mm = profile.frame.centers_mm - profile.slices[:, None] * profile.grid.matrix[:2, 2]
        reach_mm = (np.nanmax(profile.outline_mm) + BEYOND_MM) * profile.frame.stretch.max()
        reach_vx = np.ceil(reach_mm * np.abs(inverse).sum(axis=1)).astype(int)
        first_vx = np.floor(centers_mm @ inverse.T).astype(int) - reach_vx
        window = np.empty((len(profile.slices), *(2 * reach_vx + 2)), np.float32)
        for i, k in enumerate(profile.slices):
            x, y = (
                np.clip(np.arange(low, low + size), 0, limit - 1)
                for low, size, limit in zip(first_vx[i], window.shape[1:], image.shape, strict=False)
            )
            window[i] = image.data[x[:, None], y, k]
        for axis in (1, 2):
            ndimage.spline_filter1d(window, 3, axis=axis, output=window)
        return cls(window, first_vx, profile.grid, profile.slices, profile.frame)

    @cached_property
    def rays(self) -> Rays:
        """Rays whose angles increase from the cord's left to anterior."""
        return make_rays(self.grid, self.frame, self.frame.centers_mm, np.zeros(len(self.slices)), self.slices)

    @property
    def scale_mm(self) -> float:
        """Standard deviation of the Gaussian whose derivative is taken."""
        return DERIVATIVE_VX * float(np.sqrt(self.grid.pixel_mm2))

    def values(self, radius_mm: np.ndarray) -> np.ndarray:
        """Return the intensity at radii, float32, shape (n, RAYS, m), by cubic interpolation in the plane."""
        points = self.rays.at(np.maximum(radius_mm, 0))
        values = np.empty(radius_mm.shape, np.float32)
        for i, first in enumerate(self.first_vx):
            at = points[:, i] - first[:, None, None]
            ndimage.map_coordinates(self.splines[i], at, values[i], order=3, mode="nearest", prefilter=False)
        return values

    def derivative(self, radius_mm: np.ndarray, offsets_mm: np.ndarray) -> np.ndarray:
        """Return the averaged radial derivative per mm, shape (n, RAYS, m), at evenly spaced offsets (m,) from radii (n, RAYS).

        It is averaged over the smear of a thick slice, so that its maximum is in the middle of an evenly smeared edge; a smear
        that widens the derivative's own Gaussian by less than a hundredth is ignored.
        """
        step_mm = offsets_mm[1] - offsets_mm[0]
        values = self.values(radius_mm[:, :, None] + offsets_mm)
        sharp = ndimage.gaussian_filter1d(values, self.scale_mm / step_mm, axis=2, order=1, mode="nearest") / step_mm
        if self._smear_mm.max() > LEAST_SMEAR * self.scale_mm:
            sharp = _over_smear(sharp, self._smear_mm / step_mm)
        return self.averaged(sharp)

    def averaged(self, values: np.ndarray) -> np.ndarray:
        """Return values, shape (n, RAYS, ...), averaged around the cord and along it."""
        around = ndimage.gaussian_filter1d(values, np.deg2rad(AROUND_DEG) * RAYS / (2 * np.pi), axis=1, mode="wrap")
        if len(values) == 1:
            return around
        return ndimage.gaussian_filter1d(around, ALONG_MM / self.grid.step_mm, axis=0, mode="nearest")

    @cached_property
    def _smear_mm(self) -> np.ndarray:
        """The length, mm, over which a thick slice smears the edge of an oblique cord along each ray, shape (n, RAYS)."""
        shift = np.einsum("nij,nj->ni", self.frame.to_section, self.frame.slopes) * self.grid.step_mm
        return np.abs(shift @ DIRECTIONS)


def offsets_within(reach_mm: float, step_mm: float = STEP_MM) -> np.ndarray:
    """Return offsets `step_mm` apart, as many inward as outward, in mm."""
    count = round(reach_mm / step_mm)
    return np.arange(-count, count + 1) * step_mm


def _over_smear(derivative: np.ndarray, smear: np.ndarray) -> np.ndarray:
    """Return the mean of the derivative over the smear, in samples."""
    m = derivative.shape[2]
    half = np.minimum(smear / 2, m / 2)[..., None]
    summed = np.concatenate([np.zeros((*derivative.shape[:2], 1)), np.cumsum(derivative, axis=2)], axis=2)

    def sum_to(sample):
        sample = np.clip(sample, 0, m)
        low = np.minimum(sample.astype(int), m - 1)
        ends = [np.take_along_axis(summed, low + d, 2) for d in (0, 1)]
        return ends[0] + (sample - low) * (ends[1] - ends[0])

    middle = np.arange(m) + 0.5
    return (sum_to(middle + half + 0.5) - sum_to(middle - half - 0.5)) / (2 * half + 1)
