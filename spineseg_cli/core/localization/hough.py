"""Detection of the cord without a network, as a circle near the body's plane of symmetry that continues from slice to slice.

A circular Hough transform along the gradient (Kimme et al., Commun. ACM 18:120, 1975) gives the centers of round sections as
large as a cord, and of the canals around them, whose edges have the opposite sign. Circles near the plane of symmetry are
preferred, and the best path through several slices selects one that continues (De Leener et al., NeuroImage 98:528, 2014).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.resampling import resample_inplane
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.optic import best_path

# Grid of the transform, radii of cords and canals, weight of a canal, and largest distance between the centers of the two.
GRID_MM = 0.75
CORD_RADII_MM = np.arange(3.5, 7.0, 0.5)
CANAL_RADII_MM = np.arange(6.5, 11.0, 1.0)
CANAL_WEIGHT, OFF_CENTER_MM = 0.8, 2.5

# Number of slices that are transformed, evenly over the scan, and of neighbors over which their support is averaged.
SLICES, TOGETHER = 15, 5

# Scale of the gradient and of the surroundings to which its magnitude is normalized; relative edges below LEAST_EDGE are noise.
GRADIENT_MM, SURROUNDINGS_MM, LEAST_EDGE = 0.9, 8.0, 0.4

# Fraction of the 95th percentile of the gradient that is added to its usual magnitude, so that noise in flat surroundings is not
# an edge.
FLOOR = 0.15

# A circle needs edges all around: its support is the mean over the best six of eight sectors.
SECTORS, SECTORS_LEFT_OUT = 8, 2

# Widest and narrowest part of the two sides that is compared for symmetry; distance from the plane of symmetry within which the
# cord is searched for, and standard deviation of that distance.
SIDE_MM, LEAST_SIDE_MM, REACH_MM, AXIS_SIGMA_MM = 50.0, 8.0, 20.0, 8.0

# Penalty of a slant of 1 mm per mm, in units of the support.
SLANT_PENALTY = 0.01


class _Circle(NamedTuple):
    """A circle in one of the slices that are transformed."""

    position: int  # that of the slice among those that are transformed
    cell: np.ndarray  # shape (2,): the center, in samples of the transform's grid
    radius_mm: float
    support: float  # see `Start`


class Start(NamedTuple):
    """The circle from which a propagation starts."""

    slice_index: int  # that of an axial slice of the RPI scan
    center_vx: np.ndarray  # shape (2,), voxel coordinates of the center along x and y
    radius_mm: float
    support: float  # the fraction of the circle that edges support, 0 to 1


def find_start(scan: Volume) -> Start:
    """Return the circle with the most support on the best path through an RPI scan."""
    n = scan.shape[2]
    slices = np.unique(np.linspace(0, n - 1, min(SLICES, n)).round().astype(int))
    fine = resample_inplane(Volume(scan.data[:, :, slices].astype(np.float32), scan.affine), GRID_MM).data
    axis, reach = int(_symmetry(fine).argmax()), round(REACH_MM / GRID_MM)
    first = max(0, axis - reach)
    part = fine[first : axis + reach + 1]
    near_axis = np.exp(-0.5 * ((np.arange(len(part)) + first - axis) * GRID_MM / AXIS_SIGMA_MM) ** 2)[:, None]
    gaps_mm = np.diff(slices) * scan.spacing_mm[2]
    circles = [_best_circle(part, near_axis, gaps_mm, brighter) for brighter in (True, False)]
    best = max(circles, key=lambda circle: circle.support)
    center = (best.cell + (first + 0.5, 0.5)) * GRID_MM / np.array(scan.spacing_mm[:2]) - 0.5
    return Start(int(slices[best.position]), center, best.radius_mm, best.support)


def _best_circle(part: np.ndarray, near_axis: np.ndarray, gaps_mm: np.ndarray, brighter_outside: bool) -> _Circle:
    """Return the best circle on the best path through n slices, shape (nx, ny, n).

    `near_axis`, shape (nx, 1), is the weight of a distance from the plane of symmetry, `gaps_mm` the distance from each slice to
    the next; the surroundings of the cord are brighter or darker than it.
    """
    planes = np.moveaxis(part, 2, 0)
    cords = np.stack([_support(plane, brighter_outside, CORD_RADII_MM) for plane in planes])
    canals = np.stack([_support(plane, not brighter_outside, CANAL_RADII_MM).max(axis=0) for plane in planes])
    side = 1 + 2 * round(OFF_CENTER_MM / GRID_MM)
    heatmap = (
        (cords.max(axis=1) + CANAL_WEIGHT * ndimage.maximum_filter(canals, (1, side, side))) / (1 + CANAL_WEIGHT) * near_axis
    )
    path = best_path(heatmap, SLANT_PENALTY * GRID_MM**2, gaps_mm)
    along = heatmap[np.arange(len(planes)), path[:, 0], path[:, 1]]
    along = ndimage.uniform_filter1d(along, min(TOGETHER, len(along)), mode="nearest")
    index = int(along.argmax())
    radius_mm = float(CORD_RADII_MM[cords[index, :, path[index, 0], path[index, 1]].argmax()])
    return _Circle(index, path[index], radius_mm, float(along[index]))


def _support(plane: np.ndarray, brighter_outside: bool, radii_mm: np.ndarray) -> np.ndarray:
    """Return the support, 0 to 1, that edges give to a circle of each radius around each sample, shape (radii, nx, ny)."""
    sigma = GRADIENT_MM / GRID_MM
    gradient = np.stack([ndimage.gaussian_filter(plane, sigma, order=order, mode="nearest") for order in ((1, 0), (0, 1))])
    size = np.hypot(*gradient)
    usual = np.sqrt(ndimage.gaussian_filter(size**2, SURROUNDINGS_MM / GRID_MM, mode="nearest"))
    weight = np.minimum(size / (usual + FLOOR * np.percentile(size, 95) + 1e-12), 1.0)
    is_edge = weight > LEAST_EDGE
    points = np.argwhere(is_edge).T
    inward = gradient[:, is_edge] / np.maximum(size[is_edge], 1e-12) * (-1 if brighter_outside else 1)
    sector = np.floor(np.arctan2(inward[1], inward[0]) / (2 * np.pi) * SECTORS).astype(int) % SECTORS
    support = []
    for radius in radii_mm / GRID_MM:
        center = np.round(points + radius * inward).astype(int)
        kept = ((center >= 0) & (center < np.array(plane.shape)[:, None])).all(axis=0)
        votes = np.zeros((SECTORS, *plane.shape), np.float32)
        np.add.at(votes, (sector[kept], *center[:, kept]), weight[is_edge][kept])
        # An edge is about two samples wide, and votes are averaged over squares of nine samples.
        full = 2 * (2 * np.pi * radius / SECTORS) / 9
        votes = np.minimum(ndimage.uniform_filter(votes, (0, 3, 3)) / full, 1.0)
        support.append(np.sort(votes, axis=0)[SECTORS_LEFT_OUT:].mean(axis=0))
    return np.stack(support)


def _symmetry(images: np.ndarray) -> np.ndarray:
    """Return the correlation of the two sides of each column of n slices, shape (nx, ny, n), weighted by the width compared."""
    smooth = ndimage.gaussian_filter(images, (2.0, 2.0, 0))
    smooth /= smooth.mean(axis=(0, 1)) + 1e-12
    most, least = round(SIDE_MM / GRID_MM), min(round(LEAST_SIDE_MM / GRID_MM), (len(images) - 1) // 2)
    symmetry = np.zeros(len(images))
    for x in range(least, len(images) - least):
        half = min(most, x, len(images) - 1 - x)
        left, right = (side - side.mean() for side in (smooth[x - half : x][::-1], smooth[x + 1 : x + 1 + half]))
        correlation = (left * right).sum() / np.sqrt((left**2).sum() * (right**2).sum() + 1e-12)
        symmetry[x] = max(0.0, correlation) * np.sqrt(min(1.0, half / most + 0.3))
    return symmetry
