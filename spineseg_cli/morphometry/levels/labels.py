"""The level of each slice, from maps of levels or labels of discs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spineseg_cli.core.image.mask_check import LABEL_TOLERANCE
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import InputError
from spineseg_cli.morphometry.levels.names import VERTEBRAL
from spineseg_cli.morphometry.profile import Profile

# The number of each disc in SCT, that of the vertebra below it, by TotalSpineSeg's label of the disc.
TOTALSPINESEG_DISCS = {
    **{63 + i: 3 + i for i in range(5)},  # C2-C3 to C6-C7
    **{71 + i: 8 + i for i in range(12)},  # C7-T1 to T11-T12
    **{91 + i: 20 + i for i in range(5)},  # T12-L1 to L4-L5
    100: 25,  # L5-S1
}
TOTALSPINESEG_C1 = 11

# SCT's levels end at 30 (spinal S5); a map that goes beyond this is TotalSpineSeg's.
MOST_SCT_LEVEL = 40

# TotalSpineSeg's labels end at 100; what has larger values is a scan.
MOST_LABEL = 255

# Slices that the labels of discs hold at most, if no slice between the first and the last is without a label. Maps of levels hold
# more, and discs have gaps between them.
MOST_DISC_SLICES = 2

# The boundary of C1 and C2, which have no disc between them, is the low end of C1, with this share of its voxels below.
LOW_END = 0.1


def levels_from_map(profile: Profile, levels: Volume) -> np.ndarray:
    """Return the level of each slice of a profile, 0 for none, shape (n,), from a map of labels in RPI on the mask's grid.

    A map of SCT labels the cord by its levels: a slice gets the most frequent label in its cord, or in the whole slice if the
    cord has none. A map of TotalSpineSeg labels discs and vertebrae; see `levels_from_discs`.

    Raises
    ------
    InputError
        If the map is empty, holds fractions, is a scan, or holds points, as labels of discs do.
    """
    labels = _labels(levels, "the levels")
    if labels.max() > MOST_SCT_LEVEL:
        return _number_slices(profile, _totalspineseg_boundaries(profile, labels))
    counts = np.bincount(labels.ravel())[1:]
    if np.count_nonzero(counts) > 1 and counts.max() == 1 and _has_gaps(labels):
        raise InputError("expected a map of levels; each of its labels is a single voxel, as of discs: give it as --discs")
    level = np.zeros(len(profile.slices), int)
    (x0, y0, _), (nx, ny, _) = profile.mask.first_vx, profile.mask.fractions.shape
    low, high = np.maximum([x0, y0], 0), np.minimum([x0 + nx, y0 + ny], labels.shape[:2])
    for i, k in enumerate(profile.slices):
        plane = labels[:, :, k]
        window = plane[low[0] : high[0], low[1] : high[1]]
        inside = profile.mask.fractions[low[0] - x0 : high[0] - x0, low[1] - y0 : high[1] - y0, i] >= 0.5
        counts = np.bincount(window[inside], minlength=2)
        if not counts[1:].any():
            counts = np.bincount(plane.ravel(), minlength=2)
        level[i] = 1 + np.argmax(counts[1:]) if counts[1:].any() else 0
    return level


def levels_from_discs(profile: Profile, discs: Volume) -> np.ndarray:
    """Return the level of each slice of a profile, 0 for none, shape (n,), from labels of discs in RPI on the mask's grid.

    Each disc (value n for the one above vertebra n, as in SCT; values above 25 are not discs) is projected to the nearest point
    of the centerline. A vertebral level lies between its two discs; if only one of them is labeled, there is no level.

    Raises
    ------
    InputError
        If fewer than two discs are labeled, or if the labels fill all slices, as a map of levels does.
    """
    labels = _labels(discs, "the discs")
    points = {int(value): np.argwhere(labels == value) for value in np.unique(labels[labels > 0]) if value <= len(VERTEBRAL)}
    if len(points) < 2:
        raise InputError(f"expected labels of at least two discs (1 to {len(VERTEBRAL)}); got {sorted(points)}: label more")
    if not _has_gaps(labels) and np.median([len(np.unique(voxels[:, 2])) for voxels in points.values()]) > MOST_DISC_SLICES:
        raise InputError("expected labels of discs; they fill all slices, as a map of levels does: give it as --levels")
    return _number_slices(profile, {value: _nearest_position(profile, voxels) for value, voxels in points.items()})


def _has_gaps(labels: np.ndarray) -> bool:
    """Return whether axial slices between the first and the last label have no label."""
    labeled = np.flatnonzero((labels > 0).any(axis=(0, 1)))
    return len(labeled) <= labeled[-1] - labeled[0]


def _labels(volume: Volume, name: str) -> np.ndarray:
    data = volume.data
    labels = np.round(data).astype(int)
    if np.abs(data - labels).max() > LABEL_TOLERANCE:
        raise InputError(f"expected whole numbers in {name}; got fractions: resample them by the nearest neighbor")
    if labels.max() > MOST_LABEL:
        raise InputError(f"expected labels in {name}; got values up to {labels.max()}, as scans have: give the labels instead")
    if labels.max() < 1:
        raise InputError(f"{name} are empty: expected labels above 0")
    return labels


def _totalspineseg_boundaries(profile: Profile, labels: np.ndarray) -> dict[int, float]:
    boundaries = {}
    for value, number in TOTALSPINESEG_DISCS.items():
        voxels = np.argwhere(labels == value)
        if len(voxels):
            boundaries[number] = _nearest_position(profile, voxels)
    first = np.argwhere(labels == TOTALSPINESEG_C1)
    if len(first):
        boundaries[2] = float(np.quantile(_heights(profile, first), LOW_END))
    if len(boundaries) < 2:
        raise InputError(
            f"expected levels of SCT, up to {MOST_SCT_LEVEL}, or at least two discs of TotalSpineSeg; got labels up to "
            f"{labels.max()}: give a map of levels, or that of TotalSpineSeg's second step"
        )
    return boundaries


def _nearest_position(profile: Profile, voxels: np.ndarray) -> float:
    """Return the height along the slices' normal, mm, at which the centerline is closest to the voxels, shape (m, 3)."""
    line = _centerline(profile)
    points = voxels @ profile.grid.matrix.T
    squares = (points**2).sum(axis=1)[:, None] + (line**2).sum(axis=1) - 2 * points @ line.T
    point, station = np.unravel_index(np.argmin(squares), squares.shape)
    tangent = np.append(profile.frame.slopes[station], 1.0) / profile.frame.stretch[station]
    return float(line[station, 2] + (points[point] - line[station]) @ tangent * tangent[2])


def _heights(profile: Profile, voxels: np.ndarray) -> np.ndarray:
    """Return the height of each voxel's position along the cord, mm, shape (m,)."""
    return np.array([_nearest_position(profile, voxel[None]) for voxel in voxels[:: max(1, len(voxels) // 500)]])


def _centerline(profile: Profile) -> np.ndarray:
    return np.column_stack([profile.frame.centers_mm, profile.frame.position_mm])


def _number_slices(profile: Profile, boundaries: Mapping[int, float]) -> np.ndarray:
    """Return the level of each slice, n between boundary n and boundary n + 1."""
    height = profile.frame.position_mm
    out = np.zeros(len(height), int)
    for number, top in boundaries.items():
        if number + 1 in boundaries:
            out[(height <= top) & (height > boundaries[number + 1])] = number
    return out
