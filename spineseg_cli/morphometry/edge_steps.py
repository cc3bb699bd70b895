"""A scan's intensity, and its derivative, across the cord's outline, on rays perpendicular to the cord.

The derivative is taken at a small scale (Canny, IEEE PAMI 8:679, 1986) and averaged a little around and along the cord.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.morphometry.frame import CordFrame, SliceGrid
from spineseg_cli.morphometry.outline import DIRECTIONS, RAYS, Rays, make_rays

# Samples along a ray, mm.
STEP_MM = 0.1

# Scale, in voxels, of the derivative: about the width of an edge that is as sharp as its voxels.
DERIVATIVE_VX = 0.5

# Averages are over so much of the outline and of the cord, standard deviations: less than either changes its shape over.
AROUND_DEG = 6.0
ALONG_MM = 6.0


@dataclass(frozen=True)
class EdgeSteps:
    """A scan seen along rays about a cord's centerline.

    Attributes
    ----------
    image : Volume
        In RPI, on the mask's grid.
    grid : SliceGrid
    slices : ndarray of int, shape (n,)
        Axial slices of the image.
    frame : CordFrame
        Of these slices; rays begin at its centers.
    """

    image: Volume
    grid: SliceGrid
    slices: np.ndarray
    frame: CordFrame

    @cached_property
    def rays(self) -> Rays:
        """Rays whose angles rise from the cord's left to anterior."""
        return make_rays(self.grid, self.frame, self.frame.centers_mm, np.zeros(len(self.slices)), self.slices)

    @property
    def scale_mm(self) -> float:
        """Standard deviation of the Gaussian whose derivative is taken."""
        return DERIVATIVE_VX * float(np.sqrt(self.grid.pixel_mm2))

    def values(self, radius_mm: np.ndarray) -> np.ndarray:
        """Return the intensity at radii, shape (n, RAYS, m); cubic in the plane."""
        points = self.rays.at(np.maximum(radius_mm, 0))
        low = np.maximum(np.floor(points.min(axis=(1, 2, 3))).astype(int) - 4, 0)
        high = np.ceil(points.max(axis=(1, 2, 3))).astype(int) + 5
        window = self.image.data[low[0] : high[0], low[1] : high[1]]
        values = np.empty(radius_mm.shape)
        for i, k in enumerate(self.slices):
            plane = window[:, :, k].astype(float)
            values[i] = ndimage.map_coordinates(plane, points[:, i] - low[:, None, None], order=3, mode="nearest")
        return values

    def derivative(self, radius_mm: np.ndarray, offsets_mm: np.ndarray) -> np.ndarray:
        """Return the change of the intensity per mm outward, averaged, shape (n, RAYS, m), at offsets (m,) from radii (n, RAYS).

        Offsets are `STEP_MM` apart. Over the smear of a thick slice the mean is taken, whose top is the middle of an edge that
        is spread evenly.
        """
        values = self.values(radius_mm[:, :, None] + offsets_mm)
        sharp = ndimage.gaussian_filter1d(values, self.scale_mm / STEP_MM, axis=2, order=1, mode="nearest") / STEP_MM
        return self.averaged(_over_smear(sharp, self._smear_mm))

    def averaged(self, values: np.ndarray) -> np.ndarray:
        """Return values, shape (n, RAYS, ...), averaged around the cord and along it."""
        around = ndimage.gaussian_filter1d(values, np.deg2rad(AROUND_DEG) * RAYS / (2 * np.pi), axis=1, mode="wrap")
        if len(values) == 1:
            return around
        return ndimage.gaussian_filter1d(around, ALONG_MM / self.grid.step_mm, axis=0, mode="nearest")

    @cached_property
    def _smear_mm(self) -> np.ndarray:
        """Over how many mm along each ray a thick slice spreads the edge of an oblique cord, shape (n, RAYS)."""
        shift = np.einsum("nij,nj->ni", self.frame.to_section, self.frame.slopes) * self.grid.step_mm
        return np.abs(shift @ DIRECTIONS)


def offsets_within(reach_mm: float) -> np.ndarray:
    """Return offsets `STEP_MM` apart, as many inward as outward, mm."""
    count = round(reach_mm / STEP_MM)
    return np.arange(-count, count + 1) * STEP_MM


def _over_smear(derivative: np.ndarray, smear_mm: np.ndarray) -> np.ndarray:
    """Return the mean of the derivative over the smear."""
    m = derivative.shape[2]
    half = np.minimum(smear_mm / (2 * STEP_MM), m / 2)[..., None]
    summed = np.concatenate([np.zeros((*derivative.shape[:2], 1)), np.cumsum(derivative, axis=2)], axis=2)

    def sum_to(sample):
        sample = np.clip(sample, 0, m)
        low = np.minimum(sample.astype(int), m - 1)
        ends = [np.take_along_axis(summed, low + d, 2) for d in (0, 1)]
        return ends[0] + (sample - low) * (ends[1] - ends[0])

    middle = np.arange(m) + 0.5
    return (sum_to(middle + half + 0.5) - sum_to(middle - half - 0.5)) / (2 * half + 1)
