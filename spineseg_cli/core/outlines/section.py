"""Axial sections of the cord, each with its outline on rays from its center and the intensities along these."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from spineseg_cli.core.outlines.postprocessing import eroded, in_one_piece

# Number of rays from the center of a section, at equal angles; distance of samples on a ray; and largest distance of an outline
# from the center.
RAYS = 48
STEP_MM = 0.1
FARTHEST_MM = 14.0

# Number of sections that are read at a time, so that intermediate arrays fit into the CPU's caches.
READ_AT_A_TIME = 8

# Number of voxels by which images are continued before splines are fitted to them, as `scipy.ndimage.map_coordinates` does.
SPLINE_PAD = 12

_ANGLES = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
_COSINES, _SINES = np.cos(_ANGLES)[:, None], np.sin(_ANGLES)[:, None]


class Section(NamedTuple):
    """The section of the cord in an axial slice."""

    slice_index: int  # that of the slice in the stack
    box: tuple[slice, slice]  # the voxels around the cord along x and y
    center_vx: np.ndarray  # shape (2,): voxel coordinates of the section's center in the box
    outline_mm: np.ndarray  # shape (RAYS,): distance from the center to the network's outline on each ray
    profile: np.ndarray  # shape (RAYS, n), float32: intensities along each ray around the outline
    noise: float  # standard deviation of the intensity inside the outline


def read_sections_of(
    image: np.ndarray, probability: np.ndarray, slices: np.ndarray, spacing_mm: tuple[float, ...], offsets_mm: np.ndarray
) -> list[Section]:
    """Return the section of the cord, where the probability exceeds 0.5, in some axial slices.

    Parameters
    ----------
    image, probability : ndarray, shape (nx, ny, n)
        Intensities, and the network's probability of cord.
    slices : ndarray of int
        Indices of the slices, all of which hold cord.
    spacing_mm : tuple of float
        The voxel size.
    offsets_mm : ndarray
        Increasing offsets from the outline at which intensities are sampled.
    """
    inside = _largest_objects(probability[:, :, slices] > 0.5)
    cores = eroded(inside)
    centers = _centers_of(inside)
    half = np.ceil((FARTHEST_MM + offsets_mm[-1]) / np.array(spacing_mm[:2])).astype(int)
    firsts = np.maximum(centers.astype(int) - half, 0)
    ends = np.minimum(centers.astype(int) + half + 1, image.shape[:2])
    sections = []
    for part in _runs_of_equal_shape(ends - firsts):
        x, y = ([slice(*side) for side in zip(firsts[part, axis], ends[part, axis], strict=True)] for axis in (0, 1))
        indices, box_centers = slices[part].tolist(), centers[part] - firsts[part]
        outlines = _outlines_mm(_boxes(probability, x, y, indices), box_centers, spacing_mm)
        images = _boxes(image, x, y, indices).astype(float)
        profiles = _interpolated(images, _on_rays(box_centers, np.maximum(outlines[..., None] + offsets_mm, 0), spacing_mm))
        whole, core = (_boxes(mask[:, :, part], x, y, range(len(x))) for mask in (inside, cores))
        noise = [float(pixels[c if c.any() else w].std()) for pixels, w, c in zip(images, whole, core, strict=True)]
        columns = (indices, zip(x, y, strict=True), box_centers, outlines, profiles, noise)
        sections += [Section(*row) for row in zip(*columns, strict=True)]
    return sections


def _boxes(volume: np.ndarray, x: Sequence[slice], y: Sequence[slice], slices: Sequence[int]) -> np.ndarray:
    """Return a box of equal size from each of n slices of a volume, shape (n, bx, by)."""
    return np.stack([volume[at] for at in zip(x, y, slices, strict=True)])


def _runs_of_equal_shape(shapes: np.ndarray) -> Iterator[slice]:
    """Yield ranges of neighboring sections whose boxes have the same shape; `shapes` has shape (n, 2)."""
    changes = np.flatnonzero((shapes[1:] != shapes[:-1]).any(axis=1)) + 1
    for first, end in itertools.pairwise([0, *changes.tolist(), len(shapes)]):
        for start in range(first, end, READ_AT_A_TIME):
            yield slice(start, min(start + READ_AT_A_TIME, end))


def _largest_objects(mask: np.ndarray) -> np.ndarray:
    """Return a mask, shape (nx, ny, n), with the largest object of each slice."""
    for k in np.flatnonzero(~in_one_piece(mask)):
        labels, count = ndimage.label(mask[:, :, k])
        if count > 1:
            mask[:, :, k] = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    return mask


def _centers_of(mask: np.ndarray) -> np.ndarray:
    """Return the center of mass of each slice of a mask, shape (nx, ny, n), in voxel coordinates, shape (n, 2)."""
    sums = mask.sum(axis=1), mask.sum(axis=0)
    return np.stack([np.arange(len(along)) @ along / along.sum(axis=0) for along in sums], axis=1)


def _on_rays(centers_vx: np.ndarray, radii_mm: np.ndarray, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """Return voxel coordinates, shape (n, 2, RAYS, samples), of points on the rays of n sections.

    `centers_vx` has shape (n, 2), and `radii_mm` shape (n or 1, RAYS or 1, samples).
    """
    rays = np.empty((len(centers_vx), 2, RAYS, radii_mm.shape[-1]))
    for axis, wave in enumerate((_COSINES, _SINES)):
        np.add(wave * radii_mm / spacing_mm[axis], centers_vx[:, axis, None, None], out=rays[:, axis])
    return rays


def _interpolated(images: np.ndarray, points_vx: np.ndarray) -> np.ndarray:
    """Return images, shape (n, nx, ny), interpolated by cubic splines at their points, shape (n, 2, ...); float32.

    Beyond its border, an image continues with the values there.
    """
    padded = np.pad(images, ((0, 0), (SPLINE_PAD, SPLINE_PAD), (SPLINE_PAD, SPLINE_PAD)), mode="edge")
    for axis in (1, 2):
        ndimage.spline_filter1d(padded, order=3, axis=axis, output=padded, mode="nearest")
    points = points_vx + SPLINE_PAD
    values = np.empty((len(points), *points.shape[2:]))
    for spline, coordinates, value in zip(padded, points, values, strict=True):
        ndimage.map_coordinates(spline, coordinates, order=3, mode="nearest", prefilter=False, output=value)
    return values.astype(np.float32)


def _outlines_mm(probability: np.ndarray, centers_vx: np.ndarray, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """Return the first radius on each ray at which the probability, shape (n, nx, ny), falls below 0.5, shape (n, RAYS)."""
    farthest = np.minimum(_farthest_mm(probability >= 0.5, centers_vx, spacing_mm), FARTHEST_MM)
    counts = np.ceil(farthest / STEP_MM).astype(int)
    nearest = np.maximum(_nearest_mm(probability < 0.5, centers_vx, spacing_mm) / STEP_MM, 0).astype(int)
    nearest = np.minimum(nearest, counts - 2)
    radii = np.arange(nearest.min(), counts.max()) * STEP_MM
    along = _interpolated_linearly(probability, _on_rays(centers_vx, radii[None, None], spacing_mm))
    below = along < 0.5
    last = (counts - 1 - nearest.min())[:, None]
    outer = np.clip(np.where(below.any(axis=2), below.argmax(axis=2), last), (nearest - nearest.min())[:, None] + 1, last)
    high, low = (np.take_along_axis(along, (outer - step)[..., None], axis=2)[..., 0] for step in (1, 0))
    return radii[outer - 1] + STEP_MM * np.clip((high - 0.5) / np.maximum(high - low, 1e-6), 0, 1)


def _interpolated_linearly(images: np.ndarray, points_vx: np.ndarray) -> np.ndarray:
    """Return images, shape (n, nx, ny), interpolated linearly at their points, shape (n, 2, ...), as `_interpolated` does."""
    n, nx, ny = images.shape
    flat = np.pad(images, ((0, 0), (0, 1), (0, 1))).ravel()  # what is beyond the last voxel has no weight
    steps = (ny + 1, 1)
    index = np.arange(n).reshape(n, *[1] * (points_vx.ndim - 2)) * ((nx + 1) * (ny + 1))
    weights = []
    for axis, (count, step) in enumerate(zip((nx, ny), steps, strict=True)):
        points = np.clip(points_vx[:, axis], 0, count - 1)
        voxels = points.astype(int)
        points -= voxels
        lower = 1 - points
        weights.append((lower, 1 - lower))
        index = index + voxels * step
    total = np.zeros(index.shape)
    for x, y in itertools.product((0, 1), repeat=2):
        total += flat[index + (x * steps[0] + y * steps[1])] * weights[0][x] * weights[1][y]
    return total.astype(np.float32)


def _farthest_mm(inside: np.ndarray, centers_vx: np.ndarray, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """Return distances from the centers, shape (n,), beyond which no interpolated probability can reach that of voxels `inside`.

    `inside` has shape (n, nx, ny); no section is empty.
    """
    reach = []
    for axis in (0, 1):
        filled = np.asarray(inside.any(axis=2 - axis))
        ends = filled.argmax(axis=1), filled.shape[1] - 1 - filled[:, ::-1].argmax(axis=1)
        away_vx = np.abs(np.stack(ends) - centers_vx[:, axis]).max(axis=0)
        reach.append(away_vx * spacing_mm[axis] + spacing_mm[axis])
    return np.hypot(*reach) + 2 * STEP_MM


def _nearest_mm(outside: np.ndarray, centers_vx: np.ndarray, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """Return distances from the centers up to which no interpolated probability can be as low as in voxels `outside`."""
    x, y = (
        ((np.arange(n) - center[:, None]) * mm) ** 2
        for n, center, mm in zip(outside.shape[1:], centers_vx.T, spacing_mm, strict=False)
    )
    away_mm2 = np.where(outside, x[:, :, None] + y[:, None, :], FARTHEST_MM**2).min(axis=(1, 2), initial=FARTHEST_MM**2)
    nearest: np.ndarray = np.sqrt(away_mm2) - math.hypot(*spacing_mm[:2])
    return nearest
