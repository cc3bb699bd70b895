"""The inference configuration of a network: how its input is prepared and its output is interpreted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from spineseg_cli.core.image.nyul import PERCENTILES, to_standard_scale
from spineseg_cli.core.image.slice_windows import SliceWindows, windows_around
from spineseg_cli.core.image.standardization import NORMALIZATIONS, standardize
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.legacy_names import current_names
from spineseg_cli.errors import WeightsError

# Exclusive limits of numeric fields.
LIMITS = {
    "spacing_mm": (0, np.inf),
    "window": (0, np.inf),
    "threshold": (-1e-9, 1),
    "outline_probability": (0, 1),
    "logit_scale": (0, np.inf),
    "tissue_evidence_weight": (-1e-9, np.inf),
    "depth": (-1, np.inf),
}


@dataclass(frozen=True)
class InferenceConfig:
    """The settings of a network's input, prediction and threshold, which are stored with its weights."""

    spacing_mm: float = 0.25  # the in-plane sample spacing with which the network was trained
    window: int = 128  # the side of its square window, in samples
    threshold: float = 0.5  # the probability above which a sample of the network's grid belongs to the mask, 0 to 1
    # Thresholds for the contrasts ("t1", "t2", "t2s", "dwi") for which they differ, if the user names the contrast.
    contrast_thresholds: dict[str, Any] = field(default_factory=dict)
    # Options of `core.image.resampling.resampling_matrix`.
    align: str = "edges"
    reduce: str = "mean"
    per_slice: bool = True  # whether each slice is standardized alone, instead of the stack as a whole
    normalization: str = "zscore"  # one of `core.image.standardization.NORMALIZATIONS`
    # The standard landmarks to which the intensities of all windows are first mapped together: see `core.image.nyul`.
    landmarks: list[float] = field(default_factory=list)
    pad: bool = True  # whether the window keeps its size in smaller images, instead of taking theirs
    binarize_first: bool = False  # whether the threshold is applied on the network's grid, instead of the scan's
    # Parameters of `core.inference.probabilities.sharpen`, which turns probabilities into filled fractions of samples.
    outline_probability: float = 0.5
    logit_scale: float = 1.0
    # The weight of the tissue evidence from the intensities within the cord of each slice, which is added to the network's
    # log-odds: see `core.outlines.tissue_evidence`.
    tissue_evidence_weight: float = 0.0
    # Whether to average with the prediction for the mirror image, so that no side is preferred; this takes twice the time.
    mirror: bool = False
    depth: int = 0  # the number of slices in a 3-D network's patches; 0 for a 2-D network
    # For a 3-D network: whether slices are resampled to `spacing_mm` along the cord, instead of reading the scan's own.
    resample_slices: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a dictionary, for `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> InferenceConfig:
        """Return the configuration that `content` describes; the field names of versions up to 0.9 are accepted, too.

        Raises WeightsError for an unknown field, an unknown normalization, or landmarks that do not increase.
        """
        content = current_names(content)
        unknown = sorted(set(content) - {f.name for f in fields(cls)})
        if content.get("normalization", cls.normalization) not in NORMALIZATIONS:
            unknown.append(f"normalization {content['normalization']}")
        if unknown:
            raise WeightsError(
                f"the weights ask for inference settings {unknown} that this version does not know: update spineseg"
            )
        landmarks = content.get("landmarks", [])
        if landmarks != [] and not _are_landmarks(landmarks):
            raise WeightsError(
                f"expected {len(PERCENTILES)} landmarks that rise in the weights' preprocessing; got {landmarks}: train or copy "
                "the weights again"
            )
        return cls(**content)

    def for_contrast(self, contrast: str) -> InferenceConfig:
        """Return the configuration with the threshold for a contrast, or unchanged if that has none, as "auto" does."""
        return replace(self, threshold=self.contrast_thresholds.get(contrast, self.threshold))

    @property
    def needs_all_slices(self) -> bool:
        """Whether the prediction of a slice depends on all others, which are standardized with it or read by a 3-D network."""
        return not self.per_slice or bool(self.landmarks) or self.depth > 0

    def faults(self) -> list[str]:
        """Return the names of fields with an invalid value."""
        bad = [f.name for f in fields(self) if not _is_like(getattr(self, f.name), getattr(InferenceConfig(), f.name))]
        return bad + [name for name, (low, high) in LIMITS.items() if name not in bad and not low < getattr(self, name) < high]

    def windows(self, volume: Volume, centers_vx: np.ndarray | None) -> SliceWindows:
        """Return the windows of an RPI volume around `centers_vx`, shape (nz, 2), or around the image's center."""
        return windows_around(
            volume, centers_vx, self.spacing_mm, self.window, align=self.align, reduce=self.reduce, pad=self.pad
        )

    def standardize(self, windows: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Return standardized windows, shape (n, height, width); the scale is computed from the samples `inside` the image."""
        if self.landmarks:
            windows = to_standard_scale(windows, self.landmarks, inside)
        return standardize(windows, inside, per_slice=self.per_slice, normalization=self.normalization)


def _is_like(value: Any, default: Any) -> bool:
    """Return whether a value has the type of a field's default; an integer is accepted for a float."""
    wanted = (int, float) if isinstance(default, float) else type(default)
    return isinstance(value, wanted) and isinstance(value, bool) == isinstance(default, bool)


def _are_landmarks(values: Any) -> bool:
    """Return whether `values` is a list of the right number of increasing numbers."""
    numbers = isinstance(values, list) and all(isinstance(value, (int, float)) for value in values)
    return numbers and len(values) == len(PERCENTILES) and values[0] < values[-1] and sorted(values) == values


# The processing of the Spinal Cord Toolbox's deepseg_gm, with which the published gray-matter weights were trained, kept for
# parity with its edge effects.
PUBLISHED_GRAY_MATTER = InferenceConfig(
    window=200, threshold=0.999, align="centers", reduce="linear", per_slice=False, pad=False, binarize_first=True
)

# The processing of the Spinal Cord Toolbox's deepseg_sc, with which the published centerline weights were trained, except for the
# intensities: deepseg_sc clips the scan to its 2nd and 98th percentiles, then scales by the training scans' mean and deviation.
PUBLISHED_CENTERLINE = InferenceConfig(spacing_mm=0.5, window=80, align="centers", reduce="linear", per_slice=False)
