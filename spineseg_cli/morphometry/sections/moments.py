"""Area, center and second moments of the cord in each slice, and its second moments perpendicular to the cord."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineseg_cli.morphometry.sections.coarse_voxels import is_coarse, place_parts
from spineseg_cli.morphometry.sections.frame import CordFrame, SliceGrid

# A soft edge whose width relative to that of partial volume is in this range is taken for partial volume; a mask with a relative
# width of less than the second value is taken as binary. Otherwise, the mask's own width is used.
PARTIAL_VOLUME_RANGE = (0.85, 1.15)
BINARY_WIDTH = 0.1

# Limit of the correction for blurred edges, as a multiple of partial volume: with more blur, a mask has no outline.
MOST_WIDTH = 4.0

# Least second moments (mm2) of a section after those of its blurred edge are subtracted.
LEAST_MOMENT_MM2 = 0.01

# Numbers of directions and lengths (quantiles of the Rayleigh distribution) over which the softness of an edge is averaged.
ANGLES = 8
RAYLEIGH = np.sqrt(-2 * np.log((np.arange(24) + 0.5) / 24))


@dataclass(frozen=True)
class Sections:
    """Moments of the mask in each of n slices, in the plane of the slice.

    Attributes
    ----------
    area_mm2 : ndarray, shape (n,)
        Area; if it is zero, the other values are nan.
    centers_mm : ndarray, shape (n, 2)
        Center of mass along x (left) and y (anterior), on the grid of the volume.
    covariance_mm2 : ndarray, shape (n, 2, 2)
        Second moments about the center, including the contribution of the voxels' size.
    softness_mm2 : ndarray, shape (n,)
        Integral of f (1 - f): 0 for a binary mask, more the wider its edge.
    voxel_covariance_mm2 : ndarray, shape (2, 2)
        Contribution of voxels with exact fractions to the second moments.
    """

    area_mm2: np.ndarray
    centers_mm: np.ndarray
    covariance_mm2: np.ndarray
    softness_mm2: np.ndarray
    voxel_covariance_mm2: np.ndarray


def measure_sections(fractions: np.ndarray, first_vx: np.ndarray, grid: SliceGrid) -> Sections:
    """Return the moments of each slice of `fractions`, shape (nx, ny, n), whose first voxel has the index `first_vx`.

    The second moments of fractions include those of a voxel, as if each were filled evenly (Sheppard's correction subtracts
    them). This is wrong for voxels of a third of the cord's width, as in sagittal slices: along a coarse axis, the filled part of
    a voxel lies where `sections.coarse_voxels.place_parts` finds it.
    """
    nx, ny, n = fractions.shape
    fractions = fractions.astype(float)
    x, y = np.arange(nx) - (nx - 1) / 2, np.arange(ny) - (ny - 1) / 2  # centered, for numerical precision
    soft = bool(((fractions > 0) & (fractions < 1)).any())
    placed = soft & is_coarse(np.abs(np.diag(grid.matrix)[:2]))
    lean, variance = np.zeros((2, 2, *fractions.shape))  # of a voxel's filled part, from its center and about it, in voxels
    for axis in np.flatnonzero(placed).tolist():
        lean[axis], variance[axis] = place_parts(fractions, axis)
    total = fractions.sum(axis=(0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        coordinates = [x[:, None, None] + lean[0], y[None, :, None] + lean[1]]
        mean = np.stack([np.einsum("ijk,ijk->k", fractions, coordinate) for coordinate in coordinates], axis=-1) / total[:, None]
        covariance = np.empty((n, 2, 2))
        for i, j in ((0, 0), (1, 1), (0, 1)):
            product = np.einsum("ijk,ijk,ijk->k", fractions, coordinates[i], coordinates[j]) / total - mean[:, i] * mean[:, j]
            if i == j and placed[i]:
                product += np.einsum("ijk,ijk->k", fractions, variance[i]) / total
            covariance[:, i, j] = covariance[:, j, i] = product
    indices = np.column_stack([mean + np.array([nx - 1, ny - 1]) / 2, np.arange(n)]) + first_vx
    plane = grid.matrix[:2, :2]
    return Sections(
        area_mm2=total * grid.pixel_mm2,
        centers_mm=indices @ grid.matrix[:2].T,
        covariance_mm2=plane @ covariance @ plane.T,
        softness_mm2=(total - np.einsum("ijk,ijk->k", fractions, fractions)) * grid.pixel_mm2,
        voxel_covariance_mm2=plane @ np.diag(np.where(placed, 0, 1 / 12)) @ plane.T,
    )


def section_covariance(sections: Sections, frame: CordFrame, grid: SliceGrid) -> np.ndarray:
    """Return the second moments perpendicular to the cord, mm2, shape (n, 2, 2), along (left, anterior).

    The contribution of the voxels is subtracted: a soft mask is the cord averaged over a voxel, which is a box in the plane and,
    in a thick slice, a smear along the cord's direction. For an ellipse of axes 2a and 2b, exactly a^2/4 and b^2/4 remain. In a
    binary mask, voxels are inside or outside by their centers, and nothing is subtracted.
    """
    blur = _blur(sections.voxel_covariance_mm2, frame, grid)
    width = edge_width(sections, frame, grid)[0]
    inside = sections.covariance_mm2 - width**2 * blur
    section = frame.to_section @ inside @ frame.to_section.swapaxes(1, 2)
    return _at_least(section, LEAST_MOMENT_MM2)


def _blur(voxel: np.ndarray, frame: CordFrame, grid: SliceGrid) -> np.ndarray:
    """Return the second moments that voxels, of shape (2, 2) themselves, and thick slices add in the plane, mm2, (n, 2, 2)."""
    return voxel + frame.slopes[:, :, None] * frame.slopes[:, None, :] * grid.step_mm**2 / 12


def edge_width(sections: Sections, frame: CordFrame, grid: SliceGrid) -> tuple[float, float]:
    """Return the width of the mask's edge relative to partial volume, and the standard deviation, mm, of the excess blur.

    The width is 0 for a binary mask, 1 for exact fractions.

    The softness of an ellipse of area A blurred by a kernel is A minus the mean, over pairs of draws of the kernel, of the area
    that the ellipse shares with itself moved by their difference h: A (2/pi) (arccos t - t sqrt(1 - t^2)), where t is half of
    |h| in units of the ellipse's half-axes. The kernel's draws are taken for normal: the mean is over directions, and over
    quantiles of the length of h.
    """
    blur = _blur(grid.voxel_covariance, frame, grid)
    sharp = _at_least(sections.covariance_mm2 - _blur(sections.voxel_covariance_mm2, frame, grid), LEAST_MOMENT_MM2)
    known = np.isfinite(sharp).all(axis=(1, 2))
    if not known.any() or not sections.softness_mm2.any():
        return 0.0, 0.0
    # Two draws differ by twice the blur; half-axes squared are four times the moments; t is half of the difference.
    scaled = np.linalg.solve(sharp[known], blur[known]) / 8
    variances = np.maximum(np.linalg.eigvals(scaled).real, 0)
    turn = np.cos(2 * np.pi * (np.arange(ANGLES) + 0.5) / ANGLES)
    along = 0.5 * (variances.sum(axis=1)[:, None] + (variances[:, 0] - variances[:, 1])[:, None] * turn)
    t = np.minimum(np.sqrt(along)[:, None] * RAYLEIGH[:, None], 1)
    shared = 2 / np.pi * (np.arccos(t) - t * np.sqrt(1 - t**2))
    expected = sections.area_mm2[known] * (1 - shared.mean(axis=(1, 2)))
    width = float(sections.softness_mm2[known].sum() / max(expected.sum(), 1e-9))
    if PARTIAL_VOLUME_RANGE[0] < width < PARTIAL_VOLUME_RANGE[1]:
        return 1.0, 0.0
    width = 0.0 if width < BINARY_WIDTH else min(width, MOST_WIDTH)
    isotropic = float(np.trace(blur[known].mean(axis=0)) / 2)
    return width, float(np.sqrt(max(width**2 - 1, 0) * isotropic))


def _at_least(covariance: np.ndarray, least: float) -> np.ndarray:
    """Return symmetric matrices, shape (n, 2, 2), whose eigenvalues are raised to `least`; nan stays."""
    known = np.isfinite(covariance).all(axis=(1, 2))
    out = covariance.copy()
    values, vectors = np.linalg.eigh(covariance[known])
    out[known] = (vectors * np.maximum(values, least)[:, None, :]) @ vectors.swapaxes(1, 2)
    return out
