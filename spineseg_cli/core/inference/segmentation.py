"""The result of a segmentation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from spineseg_cli.core.confidence.assessment import Confidence
from spineseg_cli.core.image.cropped import CroppedVolume
from spineseg_cli.core.image.non_finite import non_finite_details
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import InputError


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
