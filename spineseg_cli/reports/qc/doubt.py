"""The doubt about a result: a number from 0 to 1 by which results are sorted for review, and its reasons.

If a mask has a confidence for each slice (`core.confidence`), the doubt follows from it. Rules add what the confidence does not
cover: nothing was found, slices are missing, the mask touches the border of the image, or the area is implausible. Masks
without confidence, such as those made by hand, are judged by rules alone, with limits that the cords of healthy people and
patients meet. The largest doubt counts. In 278 development scans, unchanged and disturbed, of subjects that the confidence was
not fitted on, a cord with a bad slice has a higher doubt than one without in 95 of 100 pairs (gray matter, 58 scans: 93).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spineseg_cli.core.confidence.wording import what_to_look_at
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.ranges import counted

# The doubt from which on a result should be reviewed.
LOOK_AT = 0.5

# The range of the median area of cords of children and adults: from a tightly drawn lower thoracic cord of a child to the
# cervical enlargement of an adult that is cut at an angle.
PLAUSIBLE_AREA_MM2 = (25.0, 130.0)

# Limits of the changes from one slice to the next, and their increase per millimeter of distance: relative change of the area,
# and shift of the center.
AREA_JUMP, AREA_JUMP_A_MM = 0.25, 0.02
CENTER_JUMP_MM, CENTER_JUMP_A_MM = 2.0, 0.6

# The range of the fraction of the cord that is gray matter: from 11 % in the thoracic cord to 35 % at the conus, with a margin.
GRAY_SHARE = (0.06, 0.5)

# The largest doubt about a mask without confidence that meets all rules.
SMOOTH_AT_MOST = 0.3


@dataclass(frozen=True)
class Doubt:
    """The doubt from 0 to 1, and its reasons, the most serious first."""

    value: float
    reasons: tuple[str, ...] = ()


def judge(
    masks: Mapping[str, Volume], notes: Sequence[str] = (), confidences: Mapping[str, Mapping[str, Any]] | None = None
) -> Doubt:
    """Return the doubt about the masks of a scan.

    Masks are known by the names "cord", "gray matter" and "centerline"; others are ignored. `notes` are warnings of the
    pipeline about the result; `confidences` are those of `core.confidence.assessment.Confidence.details`.
    """
    turned = {name: to_rpi(mask) for name, mask in masks.items()}
    checks = [(LOOK_AT, note) for note in notes]
    base, cord = [0.0], turned.get("cord")
    if cord is None:
        checks += [(1.0, f"no {name} found") for name, mask in turned.items() if not mask.data.any()]
    else:
        checks += _check_cord(cord)
        if "gray matter" in turned:
            checks += _check_gray_matter(cord, turned["gray matter"])
    for name, confidence in (confidences or {}).items():
        if name in turned and turned[name].data.any():
            value, reason = _of_confidence(turned[name], confidence)
            base.append(value)
            checks += [(value, f"{name}: {reason}")] if reason else []
    if cord is not None and "cord" not in (confidences or {}):
        checks += _check_jumps(cord)
        base.append(_roughness(cord))
    checks.sort(key=lambda check: -check[0])
    value = max([*base, *(value for value, _ in checks)])
    return Doubt(round(float(value), 3), tuple(dict.fromkeys(reason for value, reason in checks if value >= LOOK_AT)))


def _of_confidence(mask: Volume, confidence: Mapping[str, Any]) -> tuple[float, str]:
    """Return the doubt about an RPI mask from the confidence of its slices, and a sentence about slices to review.

    The doubt is the mean of the doubt about the worst slice, which shows best whether anything is wrong, and the mean doubt
    about all slices, which shows how much is wrong. It is above 0.5 if the verdict is "look".
    """
    slices = np.asarray(confidence["Slices"], float)
    inside = slices[(mask.data > 0.5).any(axis=(0, 1))]
    value = 1 - (float(inside.min()) + float(inside.mean())) / 2
    if confidence["Verdict"] != "look":
        return min(value, LOOK_AT - 0.001), ""
    reason = what_to_look_at(confidence["SlicesToLookAt"], len(inside), confidence.get("Reason", ""))
    return LOOK_AT + value / 2, reason


def _check_cord(cord: Volume) -> list[tuple[float, str]]:
    inside = cord.data > 0.5
    slices = np.flatnonzero(inside.any(axis=(0, 1)))
    if not len(slices):
        return [(1.0, "no cord found")]
    checks = []
    missing = slices[-1] - slices[0] + 1 - len(slices)
    if missing:
        checks.append((0.6, f"{counted(missing, 'slice')} without cord between others that have it"))
    if inside[[0, -1]].any() or inside[:, [0, -1]].any():
        checks.append((0.5, "the mask touches the border of the image"))
    median = float(np.median(_profile(cord, slices)[0]))
    low, high = PLAUSIBLE_AREA_MM2
    if not low <= median <= high:
        checks.append((0.8, f"the area of {median:.0f} mm2 is no cord's"))
    return checks


def _profile(mask: Volume, slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the area in mm2, shape (n,), and the center in mm, shape (n, 2), of a mask in some slices."""
    inside = mask.data[:, :, slices] > 0.5
    count = inside.sum(axis=(0, 1))
    x, y = (np.arange(length) * step for length, step in zip(mask.shape[:2], mask.spacing_mm[:2], strict=True))
    centers = np.stack([(inside.sum(axis=1) * x[:, None]).sum(axis=0), (inside.sum(axis=0) * y[:, None]).sum(axis=0)], axis=1)
    return count * np.prod(mask.spacing_mm[:2]), centers / count[:, None]


def _check_jumps(cord: Volume) -> list[tuple[float, str]]:
    """Return the largest change of area and of position between slices if it is implausible; the end slices are ignored."""
    slices = np.flatnonzero((cord.data > 0.5).any(axis=(0, 1)))
    areas, centers = _profile(cord, slices)
    gaps_mm = np.diff(slices) * cord.spacing_mm[2]
    change = np.abs(np.diff(areas)) / np.maximum(areas[1:], areas[:-1])
    moved = np.linalg.norm(np.diff(centers, axis=0), axis=1)
    checks = []
    for values, limits, sentence in (
        (change, AREA_JUMP + AREA_JUMP_A_MM * gaps_mm, "the area changes by {:.0%}"),
        (moved, CENTER_JUMP_MM + CENTER_JUMP_A_MM * gaps_mm, "the mask moves by {:.1f} mm"),
    ):
        excess = (values / limits)[1:-1]
        if len(excess) and excess.max() > 1:
            at = int(excess.argmax()) + 1
            where = f"from slice {slices[at]} to {slices[at + 1]} from below"
            checks.append((_grade(excess.max()), f"{sentence.format(values[at])} {where}"))
    return checks


def _grade(excess: float) -> float:
    """Return the doubt for a value relative to its limit: 0.5 at the limit, up to 0.95 at three times the limit."""
    return min(0.95, 0.5 + 0.225 * (excess - 1))


def _roughness(cord: Volume) -> float:
    """Return the roughness of the area along the cord, from 0 to `SMOOTH_AT_MOST`."""
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
        checks.append((0.5, f"{empty} {'slices of the cord have' if empty > 1 else 'slice of the cord has'} no gray matter"))
    return checks
