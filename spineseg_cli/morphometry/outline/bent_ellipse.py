"""Bent ellipses, which describe the outline of a binary mask: ellipses whose sides are bent forward or back.

A cord's section is nearly an ellipse or a bean. A bean is an ellipse whose points are shifted front to back by a parabola of
their left-right position. Undoing this shift turns the bean into an ellipse of the same area.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineseg_cli.morphometry.outline.regression import CUTOFF_MM, Outline, Voxels, make_waves
from spineseg_cli.morphometry.sections.frame import SliceGrid
from spineseg_cli.morphometry.sections.mask import HALF, CordMask
from spineseg_cli.morphometry.sections.moments import Sections
from spineseg_cli.morphometry.smoothing import fit_smooth

# Number of angles at which the outline is sampled.
ANGLES = 288

# Least variance of squared distances, mm4, for slices of one voxel's width.
LEAST_VARIANCE = 1e-9


@dataclass(frozen=True)
class BentEllipse:
    """A bent ellipse in each of n slices, in mm along x (left) and y (anterior).

    A point (x, y) from the center is (x, y - bend (x^2 - spread)) once unbent.

    Attributes
    ----------
    position_mm : ndarray, shape (n,)
        Positions of the slices along their normal.
    centers_mm : ndarray, shape (n, 2)
        Smooth centers of the slices.
    axes_mm : ndarray, shape (n, 2, 2)
        Linear map from the unit disc to the unbent ellipse.
    bend_per_mm, spread_mm2 : ndarray, shape (n,)
        Coefficient of the parabola, and the mean of x^2 over the section.
    """

    position_mm: np.ndarray
    centers_mm: np.ndarray
    axes_mm: np.ndarray
    bend_per_mm: np.ndarray
    spread_mm2: np.ndarray

    def unbent(self, offset_mm: np.ndarray, k: np.ndarray) -> np.ndarray:
        """Return offsets from the centers of slices `k`, shape (m,), mapped to the unbent ellipse, shape (m, 2)."""
        moved = self.bend_per_mm[k] * (offset_mm[:, 0] ** 2 - self.spread_mm2[k])
        return np.column_stack([offset_mm[:, 0], offset_mm[:, 1] - moved])

    def gradient(self, voxels: Voxels) -> np.ndarray:
        """Return the change of the voxels' radius in the unit disc per mm along x and y, shape (n, m, 2)."""
        gradient = np.stack([np.cos(voxels.angle), np.sin(voxels.angle)], axis=-1) @ np.linalg.inv(self.axes_mm)
        gradient[..., 0] -= 2 * self.bend_per_mm[:, None] * voxels.offset_mm[..., 0] * gradient[..., 1]
        return gradient

    def moments(self, outline: Outline) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return area (n,), first (n, 2) and second moments (n, 2, 2) about the centers, of what an outline holds, in mm.

        They are those of a polygon, corrected for a smooth outline.
        """
        angle = 2 * np.pi * (np.arange(ANGLES) + 0.5) / ANGLES
        radius = np.maximum(outline.radius(make_waves(angle)), 0)
        disc = radius[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        x, y = np.moveaxis(disc @ self.axes_mm, -1, 0)
        y = y + self.bend_per_mm[:, None] * (x**2 - self.spread_mm2[:, None])
        x_next, y_next = np.roll(x, -1, axis=1), np.roll(y, -1, axis=1)
        cross = x * y_next - x_next * y
        first = np.stack([((x + x_next) * cross).sum(axis=1), ((y + y_next) * cross).sum(axis=1)], axis=-1) / 6
        second = np.empty((len(x), 2, 2))
        second[:, 0, 0], second[:, 1, 1] = (
            ((a * a + a * b + b * b) * cross).sum(axis=1) / 12 for a, b in ((x, x_next), (y, y_next))
        )
        mixed = x * y_next + 2 * x * y + 2 * x_next * y_next + x_next * y
        second[:, 0, 1] = second[:, 1, 0] = (mixed * cross).sum(axis=1) / 24
        smooth = 1 / (1 - (2 * np.pi / ANGLES) ** 2 / 6)  # area of a circle over that of its inscribed polygon
        return cross.sum(axis=1) / 2 * smooth, first * smooth, second * smooth**2


def fit_bent_ellipse(sections: Sections, mask: CordMask, grid: SliceGrid, known: np.ndarray) -> BentEllipse:
    """Return smooth bent ellipses with the moments of a mask's voxels; `known`, shape (n,), tells which slices have voxels.

    The bend is the one after whose removal x^2 and y are not correlated.
    """
    n = len(known)
    position = np.arange(n) * grid.step_mm
    k, i, j = np.nonzero((mask.fractions >= HALF).transpose(2, 0, 1))
    indices = np.column_stack([i + mask.first_vx[0], j + mask.first_vx[1], mask.slices[k]])
    x, y = (indices @ grid.matrix[:2].T - sections.centers_mm[k]).T
    count = np.maximum(np.bincount(k, minlength=n), 1)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(k, values, n) / count

    spread = mean(x**2)
    variance = np.maximum(mean(x**4) - spread**2, LEAST_VARIANCE)
    shared = mean(y * (x**2 - spread[k]))
    weights = known.astype(float)
    bend, spread = fit_smooth(position, np.column_stack([shared / variance, spread]), weights, cutoff_mm=CUTOFF_MM).values.T
    moments = sections.covariance_mm2.reshape(n, 4)[:, [0, 1, 3]]
    moments[:, 1] -= bend * mean(x**3)
    moments[:, 2] -= bend * (2 * shared - bend * variance)
    fit = fit_smooth(position, np.column_stack([sections.centers_mm, moments]), weights, cutoff_mm=CUTOFF_MM)
    values, vectors = np.linalg.eigh(fit.values[:, [2, 3, 3, 4]].reshape(n, 2, 2))
    axes = 2 * vectors * np.sqrt(np.maximum(values, grid.pixel_mm2))[:, None, :] @ vectors.swapaxes(1, 2)
    return BentEllipse(position, fit.values[:, :2], axes, bend, spread)
