"""The confidence in each slice of a segmentation, and the verdict on the whole.

A logistic model, piecewise linear in the features of a slice, maps them to the probability that its mask is good, with a Dice
coefficient of at least 0.85, or of at least 0.7 for gray matter. It was fitted on original and on disturbed development scans,
with networks that had not been trained on the subjects; see `testing/benchmarks/confidence`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli.core.confidence.features import Planes, mask_features, sampled_slices
from spineseg_cli.core.log_odds import probability_of

COEFFICIENTS = Path(__file__).with_name("coefficients.json")

# Confidence below which a slice should be looked at, and confidence from which it is called good.
LOOK, GOOD = 0.5, 0.9

# A scan is called good if this fraction of its slices with a mask is.
MOSTLY_GOOD = 0.9

# Explanation of a low confidence by the group of features with the strongest negative effect.
REASONS = {
    "the network is unsure of the outline": ("expected_dice", "vague_mm"),
    "the image shows no clear edge there": ("sharpness", "trust", "moved_mm"),
    "size, shape or place differ from the neighbors'": ("area_change", "shape_change", "jump_mm", "overlap"),
    "the image differs from the neighbors'": ("correlation",),
    "it lies off the path of the cord": ("off_path_mm",),
    "its size or shape is unusual": ("area", "raggedness", "symmetry"),
}


@dataclass(frozen=True)
class Confidence:
    """The confidence in a mask in each axial slice, from inferior to superior."""

    # shape (nz,): probability that the slice's mask is good, or, in slices without a mask, that there is nothing to segment.
    slices: np.ndarray
    area_mm2: np.ndarray  # shape (nz,): area of the mask
    reasons: tuple[str, ...]  # main reason against each slice that is not called good; empty for the others
    features: Mapping[str, np.ndarray]  # the features from which the confidence was computed, by name, each of shape (nz,)
    ends: tuple[int, int] = (0, 0)  # the numbers of slices without signal below and above the others

    @property
    def filled(self) -> np.ndarray:
        """Whether each slice has a mask, bool."""
        return self.area_mm2 > 0

    @property
    def doubtful(self) -> np.ndarray:
        """The indices of slices with a mask that should be looked at, increasing."""
        return np.flatnonzero(self.filled & (self.slices < LOOK))

    @property
    def scan(self) -> float:
        """The mean confidence of the slices with a mask; of all between the ends without signal, if the mask is empty."""
        between = slice(self.ends[0], len(self.slices) - self.ends[1])
        return float((self.slices[self.filled] if self.filled.any() else self.slices[between]).mean())

    @property
    def verdict(self) -> str:
        """`empty`; `look` if some slice should be looked at; `good` if nine of ten are called good, else `fair`."""
        if not self.filled.any():
            return "empty"
        if len(self.doubtful):
            return "look"
        return "good" if np.mean(self.slices[self.filled] >= GOOD) >= MOSTLY_GOOD else "fair"

    @property
    def main_reason(self) -> str:
        """The most frequent reason among the slices that should be looked at; empty if there are none."""
        reasons = [self.reasons[k] for k in self.doubtful]
        return max(sorted(set(reasons)), key=reasons.count, default="")

    def by_header(self, voxel_factor: float) -> Confidence:
        """Return the confidence with areas by the header, in whose place voxels were taken to be so many times as large."""
        return replace(self, area_mm2=self.area_mm2 / voxel_factor**2)

    def between_ends(self, below: int, above: int) -> Confidence:
        """Return the confidence with slices without signal added below and above; that these have no mask is certain."""
        ends = (below, above)
        return Confidence(
            np.pad(self.slices, ends, constant_values=1.0),
            np.pad(self.area_mm2, ends),
            ("",) * below + self.reasons + ("",) * above,
            {name: np.pad(values, ends, constant_values=np.nan) for name, values in self.features.items()},
            ends,
        )

    def details(self) -> dict[str, Any]:
        """Return the sidecar's entries: verdict, reason, slices to look at, and the confidence in the scan and in each slice."""
        return {
            "Verdict": self.verdict,
            **({"Reason": self.main_reason} if len(self.doubtful) else {}),
            "Scan": round(self.scan, 3),
            "SlicesToLookAt": self.doubtful.tolist(),
            "Slices": [round(float(value), 2) for value in self.slices],
        }

    def table(self) -> list[list[Any]]:
        """Return a row for each axial slice, from inferior to superior, with the columns `wording.COLUMNS`."""
        verdicts = np.where(
            ~self.filled, "empty", np.where(self.slices < LOOK, "look", np.where(self.slices < GOOD, "fair", "good"))
        )
        rows = zip(
            np.round(self.area_mm2, 2).tolist(), np.round(self.slices, 3).tolist(), verdicts.tolist(), self.reasons, strict=True
        )
        return [[k, *row] for k, row in enumerate(rows)]


@dataclass(frozen=True)
class MaskPart:
    """A part of an RPI scan that contains the whole mask, with n axial slices."""

    planes: Planes  # the function of `features.mask_features`, for the slices of the part
    counts: np.ndarray  # shape (n,): number of voxels of the mask in each slice
    first: int = 0  # index in the scan of the first slice
    centers_vx: np.ndarray | None = None  # shape (n, 2): centers of the cord by the search, in voxels of the part


def assess(
    structure: str,
    part: MaskPart,
    spacing_mm: tuple[float, float, float],
    presence: np.ndarray,
    other_features: Mapping[str, np.ndarray] | None = None,
) -> Confidence:
    """Return the confidence of a mask in an RPI scan of nz axial slices.

    Parameters
    ----------
    structure : {"cord", "gray_matter"}
        The structure in the mask, a key of `coefficients`.
    part : MaskPart
        The mask in n of the slices.
    spacing_mm : tuple of float
        The voxel size.
    presence : ndarray, shape (nz,)
        The probability that each slice of the scan holds cord.
    other_features : mapping of str to ndarray, shape (n,), optional
        Features that do not follow from the mask: of the cord, those of its outline (`trust`, `moved_mm`); of gray matter, its
        `symmetry` and its `overlap` with neighbors.
    """
    confidence, area_mm2 = 1 - np.asarray(presence, float), np.zeros(len(presence))
    inside = slice(part.first, part.first + len(part.counts))
    area_mm2[inside] = part.counts * float(np.prod(spacing_mm[:2]))
    filled, reasons = area_mm2 > 0, [""] * len(confidence)
    if not filled.any():
        return Confidence(confidence, area_mm2, tuple(reasons), {})
    model = coefficients()[structure]
    correlated = "correlation" in model["features"]
    slices = sampled_slices(filled[inside], spacing_mm[2])
    sampled = mask_features(part.planes, spacing_mm, slices, part.centers_vx, correlated=correlated)
    features = {name: np.interp(np.arange(len(part.counts)), slices, values) for name, values in sampled.items()}
    features |= other_features or {}
    probability, doubts = _apply_model(model, features)
    confidence[inside] = np.where(filled[inside], probability, confidence[inside])
    for k in np.flatnonzero(filled & (confidence < GOOD)):
        reasons[k] = doubts[k - part.first]
    beyond = (part.first, len(confidence) - inside.stop)
    features = {name: np.pad(np.asarray(values, float), beyond, constant_values=np.nan) for name, values in features.items()}
    return Confidence(confidence, area_mm2, tuple(reasons), features)


def _apply_model(model: Mapping[str, Any], features: Mapping[str, np.ndarray]) -> tuple[np.ndarray, list[str]]:
    """Return the fitted probability that each slice is good, and the main reason against it.

    Each feature is in the model once for each part of its range, to which it is clipped: its effect is piecewise linear.
    """
    columns = (model[key] for key in ("features", "weights", "means", "scales", "limits"))
    effects = {name: np.zeros(len(features[name])) for name in model["features"]}
    for name, weight, mean, scale, limits in zip(*columns, strict=True):
        effects[name] += weight * (np.clip(features[name], *limits) - mean) / scale
    score = sum(effects.values(), np.array(float(model["constant"])))
    against = np.array(
        [sum((effects[name] for name in names if name in effects), np.zeros(len(score))) for names in REASONS.values()]
    )
    return probability_of(score), [list(REASONS)[index] for index in against.argmin(axis=0)]


@cache
def coefficients() -> dict[str, dict[str, Any]]:
    """Return the fitted coefficients by structure."""
    content: dict[str, dict[str, Any]] = json.loads(COEFFICIENTS.read_text(encoding="utf-8"))
    return content
