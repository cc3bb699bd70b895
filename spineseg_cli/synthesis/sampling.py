"""Sampling the anatomy on a voxel grid: the fraction of each tissue in each voxel, one slice at a time.

Fine tissues need many samples a voxel and the rest few; so the window around the canal is sampled apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spineseg_cli.synthesis.canal import canal_slice, fill_canal
from spineseg_cli.synthesis.curve import SpineCurve
from spineseg_cli.synthesis.scanner import Tissue
from spineseg_cli.synthesis.subject import Subject
from spineseg_cli.synthesis.surroundings import surrounding_tissue

_FINE_MM, _COARSE_MM = 0.25, 0.5
_MOST_SAMPLES = 21  # along an axis of a voxel


@dataclass(frozen=True)
class Grid:
    """A voxel grid in RPI (nibabel's LAS): voxel centers in world mm along each axis (x decreasing), and the voxel size."""

    x_mm: np.ndarray
    y_mm: np.ndarray
    z_mm: np.ndarray
    spacing_mm: tuple[float, float, float]

    @property
    def affine(self) -> np.ndarray:
        """Voxel indices to world mm, (4, 4)."""
        affine = np.diag([-self.spacing_mm[0], self.spacing_mm[1], self.spacing_mm[2], 1.0])
        affine[:3, 3] = self.x_mm[0], self.y_mm[0], self.z_mm[0]
        return affine


def tissue_fractions(grid: Grid, z: float, curve: SpineCurve, subject: Subject, scale: float) -> np.ndarray:
    """Return the share of each tissue in each voxel of a slice, float32 (nx, ny, len(Tissue)).

    The window around the cord is sampled more finely than the rest, in the plane and through the slice.
    """
    every = (slice(0, grid.x_mm.size), slice(0, grid.y_mm.size))
    few = [int(np.clip(np.ceil(s / _COARSE_MM), 2, _MOST_SAMPLES)) for s in grid.spacing_mm[:2]]
    fractions = _sampled_fractions(grid, every, z, curve, subject, scale, few, levels=1)
    (cx, cy), slope, arc, _ = curve.at(-z)
    canal = canal_slice(float(arc / scale), subject).canal
    drift = (0.1 + np.abs(slope).max()) * grid.spacing_mm[2] / 2  # of the canal within the slice
    reach = (max(canal.half_width_mm, canal.half_depth_mm + abs(canal.center_v_mm)) + 1.0) * scale + drift
    inside_x = np.flatnonzero(np.abs(grid.x_mm - cx) <= reach + grid.spacing_mm[0])
    inside_y = np.flatnonzero(np.abs(grid.y_mm - cy) <= reach + grid.spacing_mm[1])
    if inside_x.size and inside_y.size:
        window = (slice(inside_x[0], inside_x[-1] + 1), slice(inside_y[0], inside_y[-1] + 1))
        many = [_odd(np.clip(s / _FINE_MM, 3, _MOST_SAMPLES)) for s in grid.spacing_mm[:2]]
        levels = _odd(np.clip(grid.spacing_mm[2], 1, 7))
        fractions[window] = _sampled_fractions(grid, window, z, curve, subject, scale, many, levels, canal=True)
    return fractions


def _sampled_fractions(
    grid: Grid,
    window: tuple[slice, slice],
    z: float,
    curve: SpineCurve,
    subject: Subject,
    scale: float,
    samples: Sequence[int],
    levels: int,
    canal: bool = False,
) -> np.ndarray:
    """Return the shares in a window of a slice, from `samples` = (nx, ny) points a voxel in the plane, at `levels` heights."""
    thickness = grid.spacing_mm[2]
    x = subsample(grid.x_mm[window[0]], -grid.spacing_mm[0], samples[0])
    y = subsample(grid.y_mm[window[1]], grid.spacing_mm[1], samples[1])
    nx, ny = (part.stop - part.start for part in window)
    voxel = (np.arange(x.size) // samples[0])[:, None] * ny + (np.arange(y.size) // samples[1])
    # Points of one voxel lie at different heights, for a smooth partial volume of discs with few levels.
    of_each = (np.arange(x.size) % samples[0])[:, None] * samples[1] + np.arange(y.size) % samples[1]
    stagger = ((of_each + 0.5) / (samples[0] * samples[1]) - 0.5) * thickness / levels
    counts = np.zeros(nx * ny * len(Tissue), np.int64)
    for height in z + ((np.arange(levels) + 0.5) / levels - 0.5) * thickness:
        tissue = _tissue_at(x, y, height, curve, subject, scale, stagger, canal)
        counts += np.bincount((voxel * len(Tissue) + tissue).ravel(), minlength=counts.size)
    return (counts / (samples[0] * samples[1] * levels)).astype(np.float32).reshape(nx, ny, len(Tissue))


def subsample(centers_mm: np.ndarray, step_mm: float, samples: int) -> np.ndarray:
    """Return the positions of evenly spaced samples within each voxel, mm, shape (n * samples,), in the order of the voxels.

    Parameters
    ----------
    centers_mm : ndarray, shape (n,)
        Centers of the voxels.
    step_mm : float
        From one to the next; below 0 where they decrease.
    samples : int
        A voxel.
    """
    return (centers_mm[:, None] + ((np.arange(samples) + 0.5) / samples - 0.5) * step_mm).ravel()


def _odd(least: float) -> int:
    """Return the next odd number: with an odd count of samples no voxel is exactly half cord, which would shrink the masks."""
    return 2 * int(np.ceil((least - 1) / 2)) + 1


def _tissue_at(
    x: np.ndarray,
    y: np.ndarray,
    z: float,
    curve: SpineCurve,
    subject: Subject,
    scale: float,
    stagger: np.ndarray,
    canal: bool,
) -> np.ndarray:
    """Return the tissue at the world points x (nx,) by y (ny,) of one height, uint8 (nx, ny); cord and canal only if asked."""
    (cx, cy), (sx, sy), arc, roll = curve.at(-z)
    dx, dy = ((x - cx) / scale).astype(np.float32)[:, None], ((y - cy) / scale).astype(np.float32)[None, :]
    # Project on the section perpendicular to the cord: first order in the distance over the radius of curvature.
    tx, ty = float(sx / np.hypot(1, np.hypot(sx, sy))), float(sy / np.hypot(1, np.hypot(sx, sy)))
    s = float(arc / scale) + dx * tx + dy * ty + (stagger / scale).astype(np.float32)
    p, q = dx * float(np.sqrt(1 - tx * tx)), dy * float(np.sqrt(1 - ty * ty))
    cos, sin = float(np.cos(roll)), float(np.sin(roll))
    u, v = cos * p + sin * q, cos * q - sin * p
    here = canal_slice(float(arc / scale), subject)
    tissue = surrounding_tissue(u, v, s, here, subject)
    return fill_canal(tissue, u, v, here, subject) if canal else tissue
