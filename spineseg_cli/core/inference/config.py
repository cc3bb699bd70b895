"""How a network wants its input, and how its output is read: the part of a model that is not in its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from spineseg_cli.core.image.intensity import NORMALIZATIONS, standardize
from spineseg_cli.core.image.nyul import PERCENTILES, to_standard_scale
from spineseg_cli.core.image.slice_windows import SliceWindows, windows_around
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.legacy_names import current_names
from spineseg_cli.errors import WeightsError

# Between these, without them.
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
    """InferenceConfig, prediction and threshold of a network; stored with its weights.

    Parameters
    ----------
    spacing_mm : float
        In-plane voxel size that the network was trained at.
    window : int
        Side of the square it sees, samples.
    threshold : float
        Probability above which a sample of the network's grid belongs to the mask, between 0 and 1.
    contrast_thresholds : dict
        The same for a contrast ("t1", "t2", "t2s", "dwi") that the user names, where it differs.
    align, reduce : str
        See `core.image.resampling.resampling_matrix`.
    per_slice : bool
        Standardize each slice, or the stack as a whole.
    normalization : str
        One of `core.image.intensity.NORMALIZATIONS`.
    landmarks : list of float
        The standard landmarks that the intensities of a scan are mapped to first, all windows together: see `core.image.nyul`;
        none by default.
    pad : bool
        Keep the window's size where the image is smaller, or take the image's.
    binarize_first : bool
        Threshold on the fine grid and bring the mask back, or bring the probability back and threshold there.
    outline_probability, logit_scale : float
        See `core.inference.segmentation.sharpen`: they turn probabilities into fractions of samples that are inside.
    tissue_evidence_weight : float
        The weight of what the intensities within each slice\'s cord say about gray and white matter, beside the network: see
        `core.inference.tissue_evidence`.
    mirror : bool
        Average the prediction with that for the mirror image: twice the time, and no side is preferred.
    depth : int
        Slices of a 3-D network's patches; 0 for a 2-D network.
    resample_slices : bool
        Bring the slices that a 3-D network reads to `spacing_mm` along the cord, or give it the scan's own.
    """

    spacing_mm: float = 0.25
    window: int = 128
    threshold: float = 0.5
    contrast_thresholds: dict[str, Any] = field(default_factory=dict)
    align: str = "edges"
    reduce: str = "mean"
    per_slice: bool = True
    normalization: str = "zscore"
    landmarks: list[float] = field(default_factory=list)
    pad: bool = True
    binarize_first: bool = False
    outline_probability: float = 0.5
    logit_scale: float = 1.0
    tissue_evidence_weight: float = 0.0
    mirror: bool = False
    depth: int = 0
    resample_slices: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` needs."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> InferenceConfig:
        """Return the configuration that `content` describes, also in the words of versions up to 0.9.

        Raises WeightsError for an unknown field, an unknown normalization, or landmarks that do not rise.
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
        """Return the configuration with the threshold of a contrast, if it has one; "auto" has none."""
        return replace(self, threshold=self.contrast_thresholds.get(contrast, self.threshold))

    @property
    def needs_all_slices(self) -> bool:
        """Whether what the network says of a slice depends on all others: intensities are scaled, or slices seen, together."""
        return not self.per_slice or bool(self.landmarks) or self.depth > 0

    def faults(self) -> list[str]:
        """Return the fields whose values cannot be."""
        bad = [f.name for f in fields(self) if not _is_like(getattr(self, f.name), getattr(InferenceConfig(), f.name))]
        return bad + [name for name, (low, high) in LIMITS.items() if name not in bad and not low < getattr(self, name) < high]

    def windows(self, volume: Volume, centers_vx: np.ndarray | None) -> SliceWindows:
        """Return the windows of an RPI volume around `centers_vx`, shape (nz, 2), or around the image's center."""
        return windows_around(
            volume, centers_vx, self.spacing_mm, self.window, align=self.align, reduce=self.reduce, pad=self.pad
        )

    def standardize(self, windows: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Return windows of shape (n, height, width), scaled by the samples `inside` the image."""
        if self.landmarks:
            windows = to_standard_scale(windows, self.landmarks, inside)
        return standardize(windows, inside, per_slice=self.per_slice, normalization=self.normalization)


def _is_like(value: Any, default: Any) -> bool:
    """Whether a value has the type of a field's default; a whole number will do for any number."""
    wanted = (int, float) if isinstance(default, float) else type(default)
    return isinstance(value, wanted) and isinstance(value, bool) == isinstance(default, bool)


def _are_landmarks(values: Any) -> bool:
    numbers = isinstance(values, list) and all(isinstance(value, (int, float)) for value in values)
    return numbers and len(values) == len(PERCENTILES) and values[0] < values[-1] and sorted(values) == values


# The chain of the Spinal Cord Toolbox's deepseg_gm, which the published gray-matter weights were trained with: kept for
# parity with them, edge effects and all.
PUBLISHED_GRAY_MATTER = InferenceConfig(
    window=200, threshold=0.999, align="centers", reduce="linear", per_slice=False, pad=False, binarize_first=True
)

# The chain of the Spinal Cord Toolbox's deepseg_sc, which the published centerline weights were trained with, but for the
# intensities: it clips the scan to its 2nd and 98th percentiles, then scales by the training scans' mean and deviation.
PUBLISHED_CENTERLINE = InferenceConfig(spacing_mm=0.5, window=80, align="centers", reduce="linear", per_slice=False)
