"""The fraction of each tissue in each voxel of a slice, from points sampled within the voxels.

Cord, gray matter and nerve roots are small compared with a voxel and need many points; the rest of the body needs few. The
window around the spinal canal is therefore sampled separately, and more densely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.image.bounds import true_range
from spineseg_cli.synthesis.canal import canal_slice, fill_canal
from spineseg_cli.synthesis.curve import SpineCurve
from spineseg_cli.synthesis.scanner import Tissue
from spineseg_cli.synthesis.subject import Subject
from spineseg_cli.synthesis.surroundings import surrounding_tissue

# Distance between sample points in the canal and elsewhere, and the largest number of points along one axis of a voxel.
_FINE_MM, _COARSE_MM = 0.25, 0.5
_MAX_SAMPLES = 21

# Slices are sampled in the canal at one height per millimeter of thickness, up to this number of heights.
_MAX_HEIGHTS = 7

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Grid:
    """A voxel grid in RPI (nibabel's LAS): voxel centers in world mm along each axis (x decreasing), and the voxel size."""

    x_mm: np.ndarray
    y_mm: np.ndarray
    z_mm: np.ndarray
    spacing_mm: tuple[float, float, float]

    @property
    def affine(self) -> np.ndarray:
        """The transform from voxel indices to world mm, shape (4, 4)."""
        affine = np.diag([-self.spacing_mm[0], self.spacing_mm[1], self.spacing_mm[2], 1.0])
        affine[:3, 3] = self.x_mm[0], self.y_mm[0], self.z_mm[0]
        return affine


@dataclass(frozen=True)
class Body:
    """A subject in world space."""

    subject: Subject  # how the subject differs from the average adult
    curve: SpineCurve
    size_scale: float  # size of the subject over that of the average adult


def tissue_fractions(grid: Grid, z_mm: float, body: Body) -> np.ndarray:
    """Return the fraction of each tissue in each voxel of the slice at `z_mm`, float32, shape (nx, ny, len(Tissue))."""
    whole_slice = (slice(0, grid.x_mm.size), slice(0, grid.y_mm.size))
    coarse = [int(np.clip(np.ceil(step / _COARSE_MM), 2, _MAX_SAMPLES)) for step in grid.spacing_mm[:2]]
    fractions = _sampled_fractions(grid, whole_slice, z_mm, body, (coarse[0], coarse[1], 1), with_canal=False)
    window = _canal_window(grid, z_mm, body)
    if window is not None:
        fine = [_next_odd(np.clip(step / _FINE_MM, 3, _MAX_SAMPLES)) for step in grid.spacing_mm[:2]]
        heights = _next_odd(np.clip(grid.spacing_mm[2], 1, _MAX_HEIGHTS))
        fractions[window] = _sampled_fractions(grid, window, z_mm, body, (fine[0], fine[1], heights), with_canal=True)
    return fractions


def _canal_window(grid: Grid, z_mm: float, body: Body) -> Window | None:
    """Return the voxels of a slice in which the canal may lie, or None if it lies outside the image."""
    (cx, cy), slope, arc_mm, _ = body.curve.at(-z_mm)
    canal = canal_slice(float(arc_mm / body.size_scale), body.subject).canal
    drift_mm = (0.1 + np.abs(slope).max()) * grid.spacing_mm[2] / 2  # of the canal from the middle of the slice to its faces
    radius_mm = (max(canal.half_width_mm, canal.half_depth_mm + abs(canal.center_v_mm)) + 1.0) * body.size_scale + drift_mm
    inside_x = true_range(np.abs(grid.x_mm - cx) <= radius_mm + grid.spacing_mm[0])
    inside_y = true_range(np.abs(grid.y_mm - cy) <= radius_mm + grid.spacing_mm[1])
    return (inside_x, inside_y) if inside_x.stop and inside_y.stop else None


def _sampled_fractions(
    grid: Grid, window: Window, z_mm: float, body: Body, samples: tuple[int, int, int], with_canal: bool
) -> np.ndarray:
    """Return the tissue fractions in a window of a slice, from `samples` points along each axis of a voxel."""
    per_x, per_y, heights = samples
    thickness_mm = grid.spacing_mm[2]
    x = subsample(grid.x_mm[window[0]], -grid.spacing_mm[0], per_x)
    y = subsample(grid.y_mm[window[1]], grid.spacing_mm[1], per_y)
    nx, ny = (part.stop - part.start for part in window)
    voxel = (np.arange(x.size) // per_x)[:, None] * ny + (np.arange(y.size) // per_y)
    # The points of one voxel are staggered in height, so that the partial volume of a disc is smooth with few heights.
    point_in_voxel = (np.arange(x.size) % per_x)[:, None] * per_y + np.arange(y.size) % per_y
    stagger_mm = ((point_in_voxel + 0.5) / (per_x * per_y) - 0.5) * thickness_mm / heights
    counts = np.zeros(nx * ny * len(Tissue), np.int64)
    for height_mm in z_mm + ((np.arange(heights) + 0.5) / heights - 0.5) * thickness_mm:
        tissue = _tissue_at(x, y, height_mm, body, stagger_mm, with_canal)
        counts += np.bincount((voxel * len(Tissue) + tissue).ravel(), minlength=counts.size)
    return (counts / (per_x * per_y * heights)).astype(np.float32).reshape(nx, ny, len(Tissue))


def subsample(centers_mm: np.ndarray, step_mm: float, samples: int) -> np.ndarray:
    """Return the positions of evenly spaced samples within each voxel, mm, shape (n * samples,), in the order of the voxels.

    `centers_mm`, shape (n,), are the centers of the voxels; `step_mm` is the distance from one to the next, negative where
    they decrease.
    """
    return (centers_mm[:, None] + ((np.arange(samples) + 0.5) / samples - 0.5) * step_mm).ravel()


def _next_odd(least: float) -> int:
    """Return the smallest odd number that is not below `least`.

    With an odd number of samples no voxel is exactly half cord; such voxels would be left out of the masks and shrink them.
    """
    return 2 * int(np.ceil((least - 1) / 2)) + 1


def _tissue_at(
    x_mm: np.ndarray, y_mm: np.ndarray, z_mm: float, body: Body, stagger_mm: np.ndarray, with_canal: bool
) -> np.ndarray:
    """Return the tissue at the world points x (nx,) by y (ny,) of one height, uint8, shape (nx, ny).

    The canal and the cord in it are drawn only `with_canal`.
    """
    (cx, cy), (sx, sy), arc_mm, roll = body.curve.at(-z_mm)
    scale = body.size_scale
    dx, dy = ((x_mm - cx) / scale).astype(np.float32)[:, None], ((y_mm - cy) / scale).astype(np.float32)[None, :]
    # Project on the section perpendicular to the cord: first order in the distance over the radius of curvature.
    tx, ty = float(sx / np.hypot(1, np.hypot(sx, sy))), float(sy / np.hypot(1, np.hypot(sx, sy)))
    s = float(arc_mm / scale) + dx * tx + dy * ty + (stagger_mm / scale).astype(np.float32)
    p, q = dx * float(np.sqrt(1 - tx * tx)), dy * float(np.sqrt(1 - ty * ty))
    cos, sin = float(np.cos(roll)), float(np.sin(roll))
    u, v = cos * p + sin * q, cos * q - sin * p
    here = canal_slice(float(arc_mm / scale), body.subject)
    tissue = surrounding_tissue(u, v, s, here, body.subject)
    return fill_canal(tissue, u, v, here, body.subject) if with_canal else tissue
