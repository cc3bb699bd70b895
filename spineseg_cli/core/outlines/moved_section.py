"""Sections of the cord whose outlines were fitted to the edge in the image, and the drawing of these outlines into slices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from spineseg_cli.core.outlines.section import RAYS

# Subsamples of a voxel per axis, from which the fraction inside a contour is computed.
SUBSAMPLES = 4

# Number of sections that are drawn at a time, so that intermediate arrays fit into the CPU's caches.
DRAWN_AT_A_TIME = 16

_SUBSAMPLE_X, _SUBSAMPLE_Y = (np.mgrid[:SUBSAMPLES, :SUBSAMPLES].reshape(2, -1) + 0.5) / SUBSAMPLES - 0.5


class MovedSection(NamedTuple):
    """A section whose outline was fitted to the edge."""

    # See `Section`.
    slice_index: int
    box: tuple[slice, slice]
    center_vx: np.ndarray
    radius_mm: np.ndarray  # shape (RAYS,): distance of the edge from the center on each ray
    # See `contour.MovedOutline`.
    trust: float
    moved_mm: float


def draw_sections(
    sections: Sequence[MovedSection], shape: tuple[int, ...], spacing_mm: tuple[float, ...]
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Yield the slice indices of a few sections at a time, and the fraction of each voxel inside their edges.

    `shape` is the number of voxels of a slice along x and y, `spacing_mm` the voxel size. The fractions of n sections have shape
    (nx, ny, n), float64.
    """
    for first in range(0, len(sections), DRAWN_AT_A_TIME):
        part = sections[first : first + DRAWN_AT_A_TIME]
        sides_of_axes = zip(*(section.box for section in part), strict=True)
        x, y = (slice(min(side.start for side in sides), max(side.stop for side in sides)) for sides in sides_of_axes)
        corners = np.array([[side.start for side in section.box] for section in part])
        centers, radii_mm = np.array([section.center_vx for section in part]), np.array([section.radius_mm for section in part])
        fractions = np.zeros((*shape, len(part)))
        fractions[x, y] = np.moveaxis(_fractions_inside((x, y), corners, centers, radii_mm, spacing_mm), 0, -1)
        yield [section.slice_index for section in part], fractions


def _fractions_inside(
    box: tuple[slice, slice], corners_vx: np.ndarray, centers_vx: np.ndarray, radii_mm: np.ndarray, spacing_mm: tuple[float, ...]
) -> np.ndarray:
    """Return the fraction of each voxel of a box inside the contours of n sections that it contains, shape (n, nx, ny), float64.

    `corners_vx` and `centers_vx`, shape (n, 2), are the first voxel of each section's own box, and the section's center in that;
    `radii_mm`, shape (n, RAYS), are the distances of the contour from the center.
    """
    x, y = (
        (np.arange(side.start, side.stop) - corners_vx[:, axis, None] - centers_vx[:, axis, None]) * spacing_mm[axis]
        for axis, side in enumerate(box)
    )
    away = np.sqrt(x[:, :, None] ** 2 + y[:, None, :] ** 2)
    nearest, farthest = radii_mm.min(axis=1)[:, None, None], radii_mm.max(axis=1)[:, None, None]
    fractions = (away < nearest).astype(float)
    # Voxels farther from the contour than this are entirely inside or outside.
    blur_mm = max(spacing_mm[:2]) / SUBSAMPLES
    near_mm = blur_mm + math.hypot(*spacing_mm[:2]) / 2
    section, row, column = np.nonzero((away > nearest - near_mm) & (away < farthest + near_mm))
    x, y = x[section, row, None] + _SUBSAMPLE_X * spacing_mm[0], y[section, column, None] + _SUBSAMPLE_Y * spacing_mm[1]
    ray = np.arctan2(y, x) * (RAYS / (2 * np.pi)) % RAYS
    first = ray.astype(int)
    ray -= first
    first = first % RAYS + RAYS * section[:, None]
    edge = radii_mm.ravel()[first] + ray * (np.roll(radii_mm, -1, axis=1) - radii_mm).ravel()[first]
    inside = np.clip((edge - np.sqrt(x**2 + y**2)) / blur_mm + 0.5, 0, 1)
    fractions[section, row, column] = inside.mean(axis=1)
    return fractions
