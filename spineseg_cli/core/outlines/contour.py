"""Fitting the cord's outline to the edge in the image, with sub-voxel precision; where no edge is visible, the outline is kept.

Rays are cast from the center of each axial section. The edge on each ray is the steepest rise or fall of intensity near the
network's outline. Rays are weighted by the intensity step across their edge relative to the noise inside the cord, and by how
well neighboring rays agree on the edge, so that the outline stays where cord and surroundings look alike. The idea is that of
deformable models of the cord (De Leener et al., NeuroImage 98:528, 2014).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.slabs import gaussian_reach
from spineseg_cli.core.outlines.moved_section import MovedSection, draw_sections
from spineseg_cli.core.outlines.section import STEP_MM, Section, read_sections_of

# Distance from the outline within which an edge is searched for, and standard deviation of the derivative filter.
REACH_MM = 0.8
SLOPE_MM = 0.3

# Slices with less cord than this are not changed.
MIN_MM2 = 8.0

# A step of three standard deviations of the noise is a certain edge. It is measured between points at this distance on either
# side.
STEP_SD = 3.0
STEP_ACROSS_MM = 0.6

# Smoothing of the edges over neighboring rays and along the cord; HOLD keeps the outline in its position where few edges are
# certain.
AROUND_RAYS = 1.5
ALONG_MM = 2.0
HOLD = 0.15

# Where the edges on neighboring rays scatter by this much around their mean over a few rays, they are half as certain: what is
# found in a slice without a visible edge scatters by 0.2 mm or more, true edges by 0.03 to 0.13 mm.
SCATTER_MM = 0.15
SCATTER_RAYS = 3.0

# Penalty of an edge at the end of the search distance, as a fraction of the steepest slope and for each mm of the voxels' longer
# side in the slice: the coarser they are, the less is known of where an edge is, and the nearer edges are preferred.
NEARNESS_PER_MM = 0.05

# The steepest point of a blurred round edge lies outside the true one: areas inside it are 1.00 to 1.02 of the truth on phantoms.
EDGE_RADIUS = 0.99

# Least weight of each edge if the outline is not held.
MIN_TRUST = 0.3

# Number of sections whose edges are found at a time, so that memory does not grow with the scan's length.
SECTIONS_AT_A_TIME = 256


class MovedOutline(NamedTuple):
    """A cord outline that was moved to the edge in n slices of an image."""

    # shape (nx, ny, n), float32: fraction of each voxel inside the edge; the original probability in slices with hardly any cord
    fraction: np.ndarray
    trust: np.ndarray  # shape (n,): visibility of the edge, 0 to 1, the mean over the rays; 0 in slices with hardly any cord
    moved_mm: np.ndarray  # shape (n,): distance by which the outline was moved, the mean over the rays


def move_to_edge(
    image: np.ndarray,
    probability: np.ndarray,
    spacing_mm: tuple[float, float, float],
    *,
    reach_mm: float = REACH_MM,
    held: bool = True,
) -> MovedOutline:
    """Move a network's outline to the edge around the cord in an image, and return it.

    Parameters
    ----------
    image : ndarray, shape (nx, ny, n)
        Neighboring axial slices.
    probability : ndarray, the same shape
        The probability of cord; 0.5 on the initial outline.
    spacing_mm : tuple of float
        The voxel size.
    reach_mm : float
        The distance from the outline within which the edge is searched for.
    held : bool
        Whether to keep the outline where few edges are certain; if False, every edge counts, for outlines known to be wrong.

    Returns
    -------
    MovedOutline
    """
    result = np.array(probability, np.float32)
    trust, moved_mm = np.zeros(probability.shape[2]), np.zeros(probability.shape[2])
    sections = read_sections(image, probability, spacing_mm, reach_mm=reach_mm)
    moved = list(move_sections(sections, spacing_mm, reach_mm=reach_mm, held=held))
    for section in moved:
        trust[section.slice_index], moved_mm[section.slice_index] = section.trust, section.moved_mm
    for slices, fractions in draw_sections(moved, probability.shape[:2], spacing_mm):
        result[:, :, slices] = fractions
    return MovedOutline(result, trust, moved_mm)


def read_sections(
    image: np.ndarray,
    probability: np.ndarray,
    spacing_mm: tuple[float, float, float],
    *,
    first: int = 0,
    reach_mm: float = REACH_MM,
) -> list[Section]:
    """Return the section of the cord in each slice with at least `MIN_MM2` of it.

    Parameters
    ----------
    image, probability, spacing_mm, reach_mm
        The parameters of `move_to_edge`.
    first : int
        The index of the first slice.
    """
    enough = (probability > 0.5).sum(axis=(0, 1)) * np.prod(spacing_mm[:2]) >= MIN_MM2
    sections = read_sections_of(image, probability, np.flatnonzero(enough), spacing_mm, _offsets_mm(reach_mm))
    return [section._replace(slice_index=first + section.slice_index) for section in sections]


def move_sections(
    sections: Sequence[Section], spacing_mm: tuple[float, float, float], *, reach_mm: float = REACH_MM, held: bool = True
) -> Iterator[MovedSection]:
    """Yield the sections of a scan, by increasing slice index, with their outlines fitted to the edge.

    `sections` are in the same order; for the other parameters see `move_to_edge`.
    """
    if not sections:
        return
    noise = float(np.median([section.noise for section in sections]))
    jumps = np.flatnonzero(np.diff([section.slice_index for section in sections]) > 1) + 1
    reach = _reach_of_filters(spacing_mm[2])
    for start, stop in itertools.pairwise([0, *jumps, len(sections)]):
        run = sections[start:stop]  # adjacent slices
        for first in range(0, len(run), SECTIONS_AT_A_TIME):
            low, end = max(first - reach, 0), min(first + SECTIONS_AT_A_TIME, len(run))
            edges = _edges_mm(run[low : end + reach], spacing_mm, noise, reach_mm, held)
            radii_mm, sure = (part[first - low : end - low] for part in edges)
            moved_mm = np.abs(radii_mm - [section.outline_mm for section in run[first:end]]).mean(axis=1).tolist()
            for section, *row in zip(run[first:end], radii_mm, sure.mean(axis=1).tolist(), moved_mm, strict=True):
                yield MovedSection(section.slice_index, section.box, section.center_vx, *row)


def _offsets_mm(reach_mm: float) -> np.ndarray:
    """Return the offsets from the outline at which intensities are sampled on each ray."""
    return np.arange(-reach_mm - 3 * SLOPE_MM, reach_mm + 3 * SLOPE_MM + STEP_MM / 2, STEP_MM, dtype=np.float32)


def _reach_of_filters(distance_mm: float) -> int:
    """Return how many slices below and above affect a section through the successive filters of `_edges_mm`."""
    along = ALONG_MM / distance_mm
    return sum(gaussian_reach(sigma) for sigma in (max(along, 0.5), along / 2, along))


def _edges_mm(
    sections: Sequence[Section], spacing_mm: tuple[float, float, float], usual_noise: float, reach_mm: float, held: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the radius of the edge on each ray of neighboring sections, and its certainty, 0 to 1, both of shape (n, RAYS)."""
    outline, profile = np.array([s.outline_mm for s in sections]), np.array([s.profile for s in sections])
    # In a section of few voxels, the noise may be low by chance: it is taken to be at least half of the scan's median.
    noise = np.maximum(np.array([s.noise for s in sections]), max(usual_noise / 2, 1e-9))[:, None]
    along, offsets_mm = ALONG_MM / spacing_mm[2], _offsets_mm(reach_mm)
    steep, sign = _steepness(profile, offsets_mm, reach_mm, along)
    penalty = NEARNESS_PER_MM * max(spacing_mm[:2]) * (offsets_mm / reach_mm) ** 2
    move = _steepest_mm(steep, penalty, outline, offsets_mm, reach_mm)
    move = ndimage.median_filter(move, size=(1, 5), mode="wrap")
    trust = np.clip(sign * _step(profile, move, offsets_mm) / noise / STEP_SD, 0, 1)
    trust = trust * _agreement(move, trust) if held else np.maximum(trust, MIN_TRUST)
    sure = _smooth(trust, AROUND_RAYS, along)
    moved = outline + _smooth(trust * move, AROUND_RAYS, along) / (sure + (HOLD if held else 0) * (1 - sure))
    return np.maximum(moved, STEP_MM) * (1 - (1 - EDGE_RADIUS) * np.clip(2 * sure, 0, 1)), sure


def _steepness(profile: np.ndarray, offsets_mm: np.ndarray, reach_mm: float, along: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the slope of intensity along the rays, in the shape of `profile`, and the sign of the cord's edge, shape (n, 1).

    The sign is 1 where intensity rises outward from the cord, else -1. The slope is multiplied by it, and scaled to about 1.
    """
    slope = ndimage.gaussian_filter1d(profile, SLOPE_MM / STEP_MM, axis=2, order=1)
    near = np.abs(offsets_mm) <= reach_mm + 1e-6
    slope /= np.maximum(np.percentile(np.abs(slope[:, :, near]), 90, axis=(1, 2), keepdims=True), 1e-9)
    # The slopes near the outline, averaged over neighboring slices, decide whether the surroundings are brighter or darker.
    rise = (slope * np.exp(-0.5 * (offsets_mm / 0.8) ** 2)).mean(axis=(1, 2))
    sign = np.where(ndimage.gaussian_filter1d(rise, max(along, 0.5), mode="nearest") < 0, -1, 1).astype(np.float32)[:, None]
    slope *= sign[..., None]
    return _smooth(slope, 0.7, along / 2), sign


def _steepest_mm(
    steep: np.ndarray, penalty: np.ndarray, outline_mm: np.ndarray, offsets_mm: np.ndarray, reach_mm: float
) -> np.ndarray:
    """Return the offset of the steepest point of each ray, shape (n, RAYS), interpolated between samples.

    Of several steep points, that with the largest slope minus the penalty of its offset is returned.
    """
    allowed = (np.abs(offsets_mm) <= reach_mm + 1e-6) & (outline_mm[..., None] + offsets_mm > 0.5)
    best = np.where(allowed, steep - penalty, -np.inf).argmax(axis=2)[..., None]
    before, here, after = (np.take_along_axis(steep, best + step, axis=2)[..., 0] for step in (-1, 0, 1))
    between = 0.5 * (before - after) / np.minimum(before - 2 * here + after, -1e-9)
    return offsets_mm[best[..., 0]] + STEP_MM * np.clip(between, -1, 1)


def _step(profile: np.ndarray, move_mm: np.ndarray, offsets_mm: np.ndarray) -> np.ndarray:
    """Return the intensity outside the edge minus that inside, on each ray."""
    middle = (move_mm - offsets_mm[0]) / STEP_MM
    half = STEP_ACROSS_MM / STEP_MM
    inner, outer = (np.clip(np.round(middle + step), 0, len(offsets_mm) - 1).astype(int)[..., None] for step in (-half, half))
    return (np.take_along_axis(profile, outer, axis=2) - np.take_along_axis(profile, inner, axis=2))[..., 0]


def _agreement(move_mm: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """Return how well the edges of neighboring rays agree in each section, 0 to 1, shape (n, 1)."""
    weight = np.maximum(trust, 1e-3)
    total = _around(weight, SCATTER_RAYS)
    usual_mm = _around(weight * move_mm, SCATTER_RAYS) / total
    variance_mm2 = _around(weight * (move_mm - usual_mm) ** 2, SCATTER_RAYS) / total
    return 1 / (1 + (variance_mm2.mean(axis=1, keepdims=True) / SCATTER_MM**2) ** 2)


def _around(values: np.ndarray, rays: float) -> np.ndarray:
    """Return values smoothed around the section, by a sigma in rays."""
    return ndimage.gaussian_filter1d(values, rays, axis=1, mode="wrap")


def _smooth(values: np.ndarray, around: float, along: float) -> np.ndarray:
    """Return values smoothed around the section, by a sigma in rays, and along the cord, by a sigma in slices."""
    return ndimage.gaussian_filter1d(_around(values, around), along, axis=0, mode="nearest")
