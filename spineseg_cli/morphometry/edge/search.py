"""The search for the steepest step of intensity around a cord's mask.

In each slice, dynamic programming finds the closed path with the largest derivative near the outline of `edge.start`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.morphometry.edge.start import EDGE_CUTOFF_MM, EDGE_HARMONICS, find_start, smooth_along
from spineseg_cli.morphometry.edge.steps import STEP_MM, EdgeSteps, offsets_within
from spineseg_cli.morphometry.profile import Profile

# Distance from the outline within which the step is searched for, mm, and number of searches, each around the previous outline:
# on phantoms with roots, the area hardly changes after that (bias at 1 mm 1.4 % after two searches, 1.0 % after four, 0.8 %).
REACH_MM = 1.0
SEARCHES = 6

# Penalty per squared step between neighboring rays, in samples, in units of the strongest derivative.
BEND_COST = 0.1
MOST_BEND = 3

# A ray's edge is visible if the step across it, from one voxel inside to one outside, is at least this multiple of the standard
# deviation one voxel inside; a slice's edge is visible if it is so on this share of the rays.
LEAST_STEP = 1.5
LEAST_SHARE = 0.75
BESIDE_VX = (0.5, 1.75)


@dataclass(frozen=True)
class FoundEdge:
    """The image's edge around the cord in n slices.

    Attributes
    ----------
    outline_mm : ndarray, shape (n, RAYS)
        Radius of the steepest step on each ray.
    is_visible : ndarray of bool, shape (n,)
        Whether the edge is seen on most of the outline.
    blur_mm2 : float
        Variance of the image's blur in the plane.
    steps : EdgeSteps
        The scan on rays from the centerline of the edge; its frame is the cord's direction, from the edge alone.
    sign : float
        1 if the cord's surroundings are brighter, -1 if they are darker.
    """

    outline_mm: np.ndarray
    is_visible: np.ndarray
    blur_mm2: float
    steps: EdgeSteps
    sign: float


def find_edge(profile: Profile, image: Volume) -> FoundEdge:
    """Return the cord's edge in an RPI image on the mask's grid."""
    radius, sign, steps = find_start(profile, EdgeSteps.around(profile, image))
    offsets = offsets_within(REACH_MM)
    for _ in range(SEARCHES):
        derivative = sign * steps.derivative(radius, offsets)
        chosen = _best_path(derivative)
        outline = np.maximum(radius + offsets[0] + STEP_MM * _subsample(derivative, chosen), STEP_MM)
        radius = smooth_along(profile, outline, profile.whole, EDGE_HARMONICS, EDGE_CUTOFF_MM)
    visible = (sign * _step(steps, outline) > LEAST_STEP).mean(axis=1) >= LEAST_SHARE
    blur_mm2 = _blur_variance(derivative, chosen, visible, steps.scale_mm, profile.grid.pixel_mm2)
    return FoundEdge(outline, visible, blur_mm2, steps, sign)


def _best_path(gain: np.ndarray) -> np.ndarray:
    """Return the sample on each ray, shape (n, RAYS), of the closed path with the largest derivative and the least bend.

    Viterbi's algorithm runs around the outline twice, so that the path closes; all slices are processed at once.
    """
    n, rays, m = gain.shape
    gain = gain / np.maximum(np.quantile(gain, 0.95, axis=(1, 2), keepdims=True), 1e-9)
    moves = np.arange(-MOST_BEND, MOST_BEND + 1)
    total = np.zeros((n, m))
    came = np.empty((2 * rays, n, m), np.int8)
    for turn in range(2 * rays):
        padded = np.pad(total, ((0, 0), (MOST_BEND, MOST_BEND)), constant_values=-np.inf)
        options = np.stack([padded[:, MOST_BEND + move : MOST_BEND + move + m] - BEND_COST * move**2 for move in moves])
        came[turn] = moves[options.argmax(axis=0)]
        total = options.max(axis=0) + gain[:, turn % rays]
    path = np.empty((n, rays), int)
    sample = total.argmax(axis=1)
    for turn in range(2 * rays - 1, -1, -1):
        path[:, turn % rays] = np.where(turn >= rays // 2, sample, path[:, turn % rays])
        sample = sample + came[turn, np.arange(n), sample]
    return path


def _subsample(gain: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the chosen samples, each moved to the vertex of the parabola through it and its neighbors, by a sample at most."""
    sample = np.clip(chosen, 1, gain.shape[2] - 2)
    before, here, after = (np.take_along_axis(gain, (sample + d)[..., None], 2)[..., 0] for d in (-1, 0, 1))
    bend = np.minimum(before - 2 * here + after, -1e-9)
    return sample + np.clip(0.5 * (before - after) / bend, -1.0, 1.0)


def _step(steps: EdgeSteps, outline_mm: np.ndarray) -> np.ndarray:
    """Return the step across the edge, over the standard deviation just inside the edge of the slice, shape (n, RAYS)."""
    nearest, furthest = np.array(BESIDE_VX) * np.sqrt(steps.grid.pixel_mm2)
    beside = np.arange(nearest, furthest, STEP_MM)
    inside, outside = (steps.values(outline_mm[:, :, None] + side * beside) for side in (-1, 1))
    spread = 1.4826 * np.median(np.abs(inside - np.median(inside, axis=(1, 2), keepdims=True)), axis=(1, 2))
    return steps.averaged(outside.mean(axis=2) - inside.mean(axis=2)) / np.maximum(spread, 1e-9)[:, None]


def _blur_variance(gain: np.ndarray, chosen: np.ndarray, visible: np.ndarray, sigma_mm: float, pixel_mm2: float) -> float:
    """Return the variance of the image's blur in the plane, mm2, from the width of the steps, limited to that of 1 to 2 voxels.

    A Gaussian step's derivative g has -g / g'' = variance at its maximum; the variance of the derivative filter is subtracted.
    """
    sample = np.clip(chosen, 3, gain.shape[2] - 4)
    before, here, after = (np.take_along_axis(gain, (sample + d)[..., None], 2)[..., 0] for d in (-3, 0, 3))
    with np.errstate(divide="ignore", invalid="ignore"):
        widths = (3 * STEP_MM) ** 2 / (2 * np.log(here) - np.log(before) - np.log(after))
    known = np.isfinite(widths) & (widths > 0) & visible[:, None]
    voxel = pixel_mm2 / 12
    if not known.any():
        return voxel
    return float(np.clip(np.median(widths[known]) - sigma_mm**2, voxel, 4 * voxel))
