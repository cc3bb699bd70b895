"""The geometry that all measures share, from voxels to the section perpendicular to the cord."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from spineseg_cli.morphometry.smoothing import SmoothFit, fit_smooth

# Typical scatter (mm) of the centers of mass of a mask at 0.5 mm about a smooth cord.
CENTER_SD_MM = 0.02

# Error of the cord's direction in a slice without neighbors, where it is assumed to be the slice's normal: the typical tilt of
# cervical slices that were planned manually.
UNKNOWN_TILT_DEG = 10.0


@dataclass(frozen=True)
class SliceGrid:
    """The grid of axial slices in millimeters: two axes in the plane, at right angles, and the slice's normal.

    Attributes
    ----------
    matrix : ndarray, shape (3, 3)
        Map from RPI voxel indices to mm along (x, y, normal); x increases to the left, y anteriorly, the normal upward. For
        sheared affines, off-diagonal elements are more than rounding errors.
    """

    matrix: np.ndarray

    @classmethod
    def of(cls, affine: np.ndarray) -> SliceGrid:
        """Return the grid of an RPI volume with this affine, shape (4, 4)."""
        rotation, matrix = np.linalg.qr(affine[:3, :3])
        return cls(np.sign(np.diag(matrix))[:, None] * matrix)

    @property
    def pixel_mm2(self) -> float:
        """Area of a voxel in the plane of the slice."""
        return float(self.matrix[0, 0] * self.matrix[1, 1])

    @property
    def step_mm(self) -> float:
        """Distance between slices along their normal, which is assumed to be their thickness."""
        return float(self.matrix[2, 2])

    @cached_property
    def voxel_covariance(self) -> np.ndarray:
        """Second moments, in the plane, of a voxel about its center, mm2, shape (2, 2)."""
        return self.matrix[:2, :2] @ self.matrix[:2, :2].T / 12


@dataclass(frozen=True)
class CordFrame:
    """The cord's direction in each of n slices, and the plane perpendicular to it.

    Attributes
    ----------
    position_mm : ndarray, shape (n,)
        Height of each slice along the normal.
    centers_mm : ndarray, shape (n, 2)
        The smooth centerline in each slice, x (left) and y (anterior).
    slopes, slopes_se : ndarray, shape (n, 2)
        Change of x and y per mm along the normal, and its standard error.
    """

    position_mm: np.ndarray
    centers_mm: np.ndarray
    slopes: np.ndarray
    slopes_se: np.ndarray

    def of_slices(self, kept: np.ndarray) -> CordFrame:
        """Return the frame of the slices selected by `kept`, bool, shape (n,)."""
        return CordFrame(self.position_mm[kept], self.centers_mm[kept], self.slopes[kept], self.slopes_se[kept])

    def with_doubt(self, slopes_sd: np.ndarray) -> CordFrame:
        """Return the frame with a further, independent error of the slopes added, shape (n, 2)."""
        return replace(self, slopes_se=np.minimum(np.hypot(self.slopes_se, slopes_sd), np.tan(np.deg2rad(UNKNOWN_TILT_DEG))))

    @cached_property
    def stretch(self) -> np.ndarray:
        """Length of cord per mm along the normal, shape (n,): 1 / cos of the angle between cord and normal."""
        return np.sqrt(1 + (self.slopes**2).sum(axis=1))

    @cached_property
    def to_section(self) -> np.ndarray:
        """Projections along the cord from a slice to the perpendicular plane (left, anterior), shape (n, 2, 2).

        Anterior is the direction in that plane that is closest to the slice's own; its determinant is the cosine of the tilt.
        """
        tangent = np.column_stack([self.slopes, np.ones(len(self.slopes))]) / self.stretch[:, None]
        anterior = np.array([0.0, 1.0, 0.0]) - tangent[:, 1:2] * tangent
        anterior /= np.linalg.norm(anterior, axis=1, keepdims=True)
        left = np.cross(anterior, tangent)
        return np.stack([left[:, :2], anterior[:, :2]], axis=1)

    @cached_property
    def angles_deg(self) -> np.ndarray:
        """Angles between cord and slice normal about the AP and the RL axis, shape (n, 2), as defined by SCT."""
        return np.rad2deg(np.arctan(self.slopes))

    @cached_property
    def angles_se_deg(self) -> np.ndarray:
        """Standard errors of `angles_deg`, shape (n, 2)."""
        return np.rad2deg(self.slopes_se / (1 + self.slopes**2))

    @cached_property
    def cosine_relative_se(self) -> np.ndarray:
        """Relative standard error of the cosine of the tilt, shape (n,), to second order, as the first is zero without tilt."""
        first = self.slopes * self.slopes_se / self.stretch[:, None] ** 2
        second = 0.5 * self.slopes_se**2
        return np.sqrt((first**2 + second**2).sum(axis=1))

    @cached_property
    def in_plane_relative_se(self) -> np.ndarray:
        """Relative standard error of a length along x and along y, shape (n, 2)."""
        first = self.slopes * self.slopes_se / (1 + self.slopes**2)
        return np.hypot(first, 0.5 * self.slopes_se**2)


def fit_frame(position_mm: np.ndarray, centers_mm: np.ndarray, weights: np.ndarray) -> CordFrame:
    """Return the frame along a smooth curve through the centers of the slices; see `smoothing.fit_smooth` for the arguments.

    The direction in a single slice is unknown: the slice is assumed to be perpendicular to the cord, with a corresponding error.
    """
    fit = fit_smooth(position_mm, centers_mm, weights, prior_sd=CENTER_SD_MM)
    return CordFrame(position_mm, fit.values, fit.slopes, _slopes_se(fit, weights))


def _slopes_se(fit: SmoothFit, weights: np.ndarray) -> np.ndarray:
    unknown = np.tan(np.deg2rad(UNKNOWN_TILT_DEG))
    if (weights > 0).sum() < 2:
        return np.full_like(fit.slopes, unknown)
    return np.minimum(fit.slopes_se, unknown)
