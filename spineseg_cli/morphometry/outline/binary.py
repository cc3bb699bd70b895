"""Sub-voxel sections of a binary mask, from the smoothest outline that separates the voxels inside from those outside.

The area by counting voxels depends on the position of the grid: its error is a percent of the area of a cord of 8 mm at 0.5 mm,
3.5 % in single slices. An outline that is smooth around and along the cord, and runs between the voxels inside and those outside,
has a fraction of that error where the cord's position on the grid changes from slice to slice. It is fitted by logistic
regression; see `outline.regression`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from spineseg_cli.morphometry.outline.bent_ellipse import BentEllipse, fit_bent_ellipse
from spineseg_cli.morphometry.outline.regression import Voxels, fit_outline
from spineseg_cli.morphometry.outline.slack import Slack, find_slack
from spineseg_cli.morphometry.sections.frame import SliceGrid
from spineseg_cli.morphometry.sections.mask import HALF, CordMask
from spineseg_cli.morphometry.sections.moments import Sections
from spineseg_cli.morphometry.uncertainty import lattice_sd

# Distance from the mask's outline, in voxels, up to which voxels are used in the regression, and in its residual.
FIT_RING, LEFT_RING = 1, 3

# If counted and refined area differ by more than this number of standard deviations of counting, the counted one is kept.
MOST_SD = 6.0

# A cord is resolved by voxels whose longer side is at most this share of its mean diameter; sagittal slices of 4 mm do not
# resolve it.
LARGEST_SIDE = 0.25


def is_resolved(sections: Sections, grid: SliceGrid) -> bool:
    """Return whether voxels are small enough to fit an outline between them; see `LARGEST_SIDE`."""
    diameter = 2 * np.sqrt(np.median(sections.area_mm2[sections.area_mm2 > 0]) / np.pi)
    return bool(np.abs(np.diag(grid.matrix)[:2]).max() <= LARGEST_SIDE * diameter)


def refine_sections(sections: Sections, mask: CordMask, grid: SliceGrid) -> tuple[Sections, Slack]:
    """Return the sections of a binary mask with area, center and second moments of its smooth outline, and its slack.

    The residual of a slice that the outline does not explain (a dent in one slice, or an irregular manual mask) is added voxel by
    voxel, shrunk by the effect of the grid: of a difference d in the area, d (1 - v / d^2) is added, where v is the variance of
    counting voxels (the positive-part James-Stein estimator).

    A slice whose counted and refined areas differ by more than `MOST_SD` standard deviations of counting keeps its counted
    section.
    """
    known = sections.area_mm2 > 0
    ellipse = fit_bent_ellipse(sections, mask, grid, known)
    border = _take_voxels(mask, grid, ellipse, FIT_RING)
    outline = fit_outline(border, ellipse.position_mm, known)
    voxels = _take_voxels(mask, grid, ellipse, LEFT_RING)
    area, first, second = ellipse.moments(outline)
    left = (voxels.inside - outline.probability(voxels)) * voxels.weight * grid.pixel_mm2
    difference = left.sum(axis=1)
    variance = lattice_sd(2 * np.sqrt(np.pi * area), grid.pixel_mm2, soft=False) ** 2
    kept = np.maximum(1 - variance / np.maximum(difference**2, 1e-12), 0)
    left *= kept[:, None]
    area = area + left.sum(axis=1)
    known &= np.abs(area - sections.area_mm2) < MOST_SD * np.sqrt(variance)
    first = first + np.einsum("zn,zni->zi", left, voxels.offset_mm)
    second = second + np.einsum("zn,zni,znj->zij", left, voxels.offset_mm, voxels.offset_mm, optimize=True)
    center = first / area[:, None]
    covariance = second / area[:, None, None] - center[:, :, None] * center[:, None, :]
    refined = replace(
        sections,
        area_mm2=np.where(known, area, sections.area_mm2),
        centers_mm=np.where(known[:, None], ellipse.centers_mm + center, sections.centers_mm),
        covariance_mm2=np.where(known[:, None, None], covariance, sections.covariance_mm2),
    )
    return refined, find_slack(outline, border, ellipse.gradient(border), ellipse.position_mm)


def _take_voxels(mask: CordMask, grid: SliceGrid, ellipse: BentEllipse, ring: int) -> Voxels:
    pad = ((ring, ring), (ring, ring), (0, 0))
    inside = np.pad(mask.fractions >= HALF, pad)
    size = (2 * ring + 1, 2 * ring + 1, 1)
    near = ndimage.maximum_filter(inside, size) & ~ndimage.minimum_filter(inside, size)
    k, i, j = np.nonzero(near.transpose(2, 0, 1))
    counts = np.bincount(k, minlength=inside.shape[2])
    column = np.arange(len(k)) - np.repeat(np.cumsum(counts) - counts, counts)

    def padded(values: np.ndarray) -> np.ndarray:
        out = np.zeros((len(counts), counts.max(), *values.shape[1:]), np.float32)
        out[k, column] = values
        return out

    indices = np.column_stack([i + mask.first_vx[0] - ring, j + mask.first_vx[1] - ring, mask.slices[k]])
    offset = indices @ grid.matrix[:2].T - ellipse.centers_mm[k]
    unbent = ellipse.unbent(offset, k)
    unit = np.einsum("nij,nj->ni", np.linalg.inv(ellipse.axes_mm)[k], unbent)
    radius = np.hypot(*unit.T)
    side = np.sqrt(grid.pixel_mm2) * radius / np.maximum(np.hypot(*unbent.T), 1e-9)
    angle = np.arctan2(unit[:, 1], unit[:, 0])
    weight = padded(np.ones(len(k)))
    return Voxels(padded(inside[i, j, k]), weight, padded(offset), padded(radius), padded(angle), padded(side) + (weight == 0))
