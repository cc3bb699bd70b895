"""The result of a segmentation pipeline, and the transformations of a network's probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from spineseg_cli.core.confidence.assessment import Confidence
from spineseg_cli.core.image.cropped import CroppedVolume
from spineseg_cli.core.image.non_finite import non_finite_details
from spineseg_cli.core.image.volume import Volume, nominal_mm
from spineseg_cli.errors import InputError

# Slice distances at which neighbors may decide where a slice is uncertain, since they show nearly the same section of the cord.
# Closer neighbors add no information, and would end the cord too early at its tip.
NEIGHBOR_DISTANCE_MM = (3.0, 8.0)
NEIGHBOR_WEIGHT = 0.5

# Lower limit of a threshold: with a threshold of 0, only probabilities of almost 0 are outside.
MIN_THRESHOLD = 1e-6


@dataclass(frozen=True, kw_only=True)
class Segmentation:
    """A structure's mask and probability, on the grid of the image."""

    cropped_mask: CroppedVolume  # uint8
    cropped_probability: CroppedVolume  # float32 in [0, 1]; 0 where the structure cannot be
    threshold: float  # the probability above which the mask is 1
    # [first, last + 1] of the voxels that the network saw, along each stored axis of the image; empty if it saw none.
    crop_box_vx: list[list[int]]
    model: str  # the name of the weights, or of a method without weights
    sha256: str | None  # the checksum of the weights; None without weights
    runtime: str  # the name of the runtime; results are equal to the byte only between equal runtimes
    notes: tuple[str, ...] = ()  # for the user: gaps, or why nothing was found
    confidence: Confidence | None = None  # in each axial slice; None if the network saw nothing

    @cached_property
    def mask(self) -> Volume:
        """The mask of the image, uint8."""
        return self.cropped_mask.whole()

    @property
    def probability(self) -> Volume:
        """The probability of every voxel of the image, float32."""
        return self.cropped_probability.whole()

    def details(self, **written: Any) -> dict[str, Any]:
        """Return the entries of a sidecar: the weights, how the file was `written`, the notes, and the confidence."""
        weights = {"Name": self.model, "SHA256": self.sha256}
        details = {"Model": weights, "Runtime": self.runtime, "CropBox": self.crop_box_vx, **written}
        details |= non_finite_details(self.cropped_mask.image)
        if self.notes:
            details["Notes"] = list(self.notes)
        if self.confidence is not None:
            details["Confidence"] = self.confidence.details()
        return details

    def cropped_soft(self, threshold: float = 0.0) -> CroppedVolume:
        """Return the probability where it exceeds `threshold`, 0 elsewhere; float32."""
        return self.cropped_probability.map(lambda data: np.where(data > threshold, data, np.float32(0)))


def checked_threshold(threshold: float | None, default: float) -> float:
    """Return a threshold, or the default for None. Raises InputError if it is not in [0, 1)."""
    if threshold is None:
        return default
    if not 0 <= threshold < 1:  # NaN too
        raise InputError(f"expected a threshold from 0 to below 1; got {threshold}")
    return threshold


def sharpen(probability: np.ndarray, outline_probability: float = 0.5, logit_scale: float = 1.0) -> np.ndarray:
    """Return probabilities moved toward 0 and 1 on the network's fine grid, so that a voxel's mean is its filled fraction.

    A voxel half filled by the structure and one of which the network is uncertain may have the same mean probability, although
    only the first is half filled.

    `outline_probability`, above 0 and below 1, is the probability on the outline, which becomes 0.5. `logit_scale` is the
    inverse of a logit temperature, by which log-odds relative to those on the outline are multiplied; 1, with an
    `outline_probability` of 0.5, changes nothing. The result is float32.
    """
    if (outline_probability, logit_scale) == (0.5, 1.0):
        return probability
    certain = 1e-6
    inside = np.clip(probability, certain, 1 - certain)
    log_odds = np.log(inside / (1 - inside)) - np.log(outline_probability / (1 - outline_probability))
    return (1 / (1 + np.exp(-logit_scale * np.clip(log_odds, -80 / logit_scale, 80 / logit_scale)))).astype(np.float32)


def shift_logits_to_threshold(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Return probabilities whose odds are scaled such that `threshold`, below 1, becomes 0.5.

    A sample of 0.5 then lies on the outline, and the mean over a voxel is its fraction inside.
    """
    if threshold == 0.5:
        return probability
    factor = np.float32((1 - threshold) / max(threshold, MIN_THRESHOLD))
    return factor * probability / (1 - probability + factor * probability)


def neighbors_count(distance_mm: float) -> bool:
    """Return whether `smooth_uncertain_along_z` has an effect at this distance between slices."""
    return NEIGHBOR_DISTANCE_MM[0] <= nominal_mm(distance_mm) <= NEIGHBOR_DISTANCE_MM[1]


def smooth_uncertain_along_z(probability: np.ndarray, distance_mm: float, gaps: Sequence[int] | np.ndarray = ()) -> np.ndarray:
    """Return probabilities that are smoothed with the slices above and below where they are uncertain.

    Certain values stay: a compression or a lesion in a single slice that the network sees is not smoothed away.

    `probability`, shape (n, height, width), is in windows that follow the cord, so that neighboring slices, which are
    `distance_mm` apart, are aligned; `gaps` are the indices of slices that are not adjacent to the one before them. The
    result is float32.
    """
    if not neighbors_count(distance_mm):
        return probability
    return np.concatenate([_smooth_run(part) for part in np.split(probability, gaps)])


def _smooth_run(probability: np.ndarray) -> np.ndarray:
    """Return the smoothed probabilities of adjacent slices."""
    if len(probability) < 3:
        return probability
    ends = np.concatenate([probability[:1], probability, probability[-1:]])
    neighbors = (ends[:-2] + ends[2:]) / 2
    doubt = 1 - np.abs(2 * probability - 1)
    return (probability + NEIGHBOR_WEIGHT * doubt * (neighbors - probability)).astype(np.float32)
