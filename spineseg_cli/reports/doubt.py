"""How much a result should be doubted, from what its masks look like: a number to sort by, and the reasons.

It is no probability. Each check gives a number from 0 (nothing odd) to 1 (surely wrong), by limits that cords of healthy and ill
people keep to; the largest counts. Among results without anything odd, the smoother one has the lower number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume

# From this number on, a result should be looked at.
LOOK_AT = 0.5

# Mean areas, mm2, between which cords of children and adults lie: from the lower thoracic cord of a child, drawn small, to the
# cervical enlargement of an adult, cut at an angle.
PLAUSIBLE_AREA_MM2 = (25.0, 130.0)

# From one slice to the next, the area of a cord changes by less than this share, and 2 % more a millimeter; its center moves by
# less than 2 mm, and 0.6 mm more a millimeter.
AREA_JUMP, AREA_JUMP_A_MM = 0.25, 0.02
CENTER_JUMP_MM, CENTER_JUMP_A_MM = 2.0, 0.6

# Of the cord, gray matter takes this share: 11 % in the thoracic cord to 35 % at the conus, and a margin.
GRAY_SHARE = (0.06, 0.5)

# A result without anything odd has at most this.
SMOOTH_AT_MOST = 0.3


@dataclass(frozen=True)
class Doubt:
    """A number from 0 to 1, and what it is for, the gravest first."""

    value: float
    reasons: tuple[str, ...] = ()


def judge(masks: Mapping[str, Volume], notes: Sequence[str] = ()) -> Doubt:
    """Return the doubt about the masks of a scan.

    Parameters
    ----------
    masks : mapping of str to Volume
        By the names "cord", "gray matter", "centerline"; others are not looked at.
    notes : sequence of str
        What the pipeline itself said of the result.
    """
    turned = {name: to_rpi(mask) for name, mask in masks.items()}
    checks = [(0.5, note) for note in notes]
    base = 0.0
    cord = turned.get("cord")
    if cord is not None:
        checks += _check_cord(cord)
        base = _roughness(cord)
        if "gray matter" in turned:
            checks += _check_gray_matter(cord, turned["gray matter"])
    elif turned:
        checks += [(1.0, f"no {name} found") for name, mask in turned.items() if not mask.data.any()]
    checks.sort(key=lambda check: -check[0])
    value = max([base, *(value for value, _ in checks)])
    return Doubt(round(float(value), 3), tuple(dict.fromkeys(reason for value, reason in checks if value >= LOOK_AT)))


def _check_cord(cord: Volume) -> list[tuple[float, str]]:
    inside = cord.data > 0.5
    slices = np.flatnonzero(inside.any(axis=(0, 1)))
    if not len(slices):
        return [(1.0, "no cord found")]
    checks = []
    missing = slices[-1] - slices[0] + 1 - len(slices)
    if missing:
        checks.append((0.6, f"{missing} slices without cord between others that have it"))
    if inside[[0, -1]].any() or inside[:, [0, -1]].any():
        checks.append((0.5, "the mask touches the border of the image"))
    areas, centers = _profile(cord, slices)
    mean = float(np.median(areas))
    low, high = PLAUSIBLE_AREA_MM2
    if not low <= mean <= high:
        checks.append((0.8, f"the area of {mean:.0f} mm2 is no cord's"))
    return checks + _jumps(areas, centers, slices, cord.spacing_mm[2])


def _profile(mask: Volume, slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the area, mm2, shape (n,), and the center, mm, shape (n, 2), in some slices."""
    inside = mask.data[:, :, slices] > 0.5
    count = inside.sum(axis=(0, 1))
    x, y = (np.arange(length) * step for length, step in zip(mask.shape[:2], mask.spacing_mm[:2], strict=True))
    centers = np.stack([(inside.sum(axis=1) * x[:, None]).sum(axis=0), (inside.sum(axis=0) * y[:, None]).sum(axis=0)], axis=1)
    return count * np.prod(mask.spacing_mm[:2]), centers / count[:, None]


def _jumps(areas: np.ndarray, centers: np.ndarray, slices: np.ndarray, distance_mm: float) -> list[tuple[float, str]]:
    """Return where the cord changes from one slice to the next more than a cord does; the ends of the mask may be cut."""
    gaps_mm = np.diff(slices) * distance_mm
    checks = []
    inner = slice(1, -1)
    change = np.abs(np.diff(areas)) / np.maximum(areas[1:], areas[:-1])
    excess = (change / (AREA_JUMP + AREA_JUMP_A_MM * gaps_mm))[inner]
    if len(excess) and excess.max() > 1:
        at = int(excess.argmax()) + 1
        where = f"from slice {slices[at]} to {slices[at + 1]} from below"
        checks.append((_grade(excess.max()), f"the area changes by {change[at]:.0%} {where}"))
    moved = np.linalg.norm(np.diff(centers, axis=0), axis=1)
    excess = (moved / (CENTER_JUMP_MM + CENTER_JUMP_A_MM * gaps_mm))[inner]
    if len(excess) and excess.max() > 1:
        at = int(excess.argmax()) + 1
        where = f"from slice {slices[at]} to {slices[at + 1]} from below"
        checks.append((_grade(excess.max()), f"the mask moves by {moved[at]:.1f} mm {where}"))
    return checks


def _grade(excess: float) -> float:
    """Return 0.5 at a limit, and 0.95 at three times of it."""
    return min(0.95, 0.5 + 0.225 * (excess - 1))


def _roughness(cord: Volume) -> float:
    """Return how rough the area is along the cord, from 0 to `SMOOTH_AT_MOST`."""
    slices = np.flatnonzero((cord.data > 0.5).any(axis=(0, 1)))
    if len(slices) < 3:
        return SMOOTH_AT_MOST / 2
    areas, _ = _profile(cord, slices)
    bends = np.abs(np.diff(areas, 2)) / np.maximum(areas[1:-1], 1e-6)
    return float(min(SMOOTH_AT_MOST, np.percentile(bends, 90)))


def _check_gray_matter(cord: Volume, gray: Volume) -> list[tuple[float, str]]:
    areas = [(mask.data > 0.5).sum(axis=(0, 1)) for mask in (cord, gray)]
    both = (areas[0] > 0) & (areas[1] > 0)
    if not both.any():
        return [(0.7, "no gray matter found")]
    checks = []
    low, high = GRAY_SHARE
    share = float(np.median(areas[1][both] / areas[0][both]))
    if not low <= share <= high:
        checks.append((0.6, f"gray matter takes {share:.0%} of the cord"))
    empty = int(((areas[0] > 0) & (areas[1] == 0)).sum())
    if empty > 0.25 * (areas[0] > 0).sum():
        checks.append((0.5, f"{empty} slices of the cord have no gray matter"))
    return checks
