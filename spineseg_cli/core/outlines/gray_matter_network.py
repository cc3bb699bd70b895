"""Predictions of a gray matter network in the slices of a scan, with the tissues fitted to the intensities in its windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from spineseg_cli.core.image.cropped import Box
from spineseg_cli.core.image.slice_windows import SliceWindows
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.probabilities import CERTAIN
from spineseg_cli.core.localization.location import CordLocation
from spineseg_cli.core.localization.neighbor_mean import mean_windows
from spineseg_cli.core.log_odds import log_odds, probability_of
from spineseg_cli.core.outlines.tissue_evidence import TissueSection, tissue_sections

# Neighboring slices that are together no thicker than this are predicted as one, by their mean, ex vivo for example; gray matter
# hardly changes along it. Their tissues are still fitted slice by slice.
PREDICTED_MM = 0.5

# Standard deviation of the weights by which a slice is averaged with its neighbors if noise hides the gray matter in single ones,
# chosen on nine scans with noise, whose slices are 2.5 to 7.5 mm apart.
AVERAGED_MM = 5.0

# In a scan of fewer slices with cord than this, predictions are kept, since they may be needed again.
LONG_SCAN = 100


class Prediction(NamedTuple):
    """The network's predictions in the window of a slice, and the tissues fitted to its intensities."""

    gray: np.ndarray  # shape (height, width): probability of gray matter
    cord: np.ndarray | None  # likewise of cord; None if the network does not predict it
    tissues: TissueSection | None  # None without the cord, or if the configuration gives them no weight


@dataclass(frozen=True)
class GrayMatterNetwork:
    """A gray matter network in the windows that follow the cord of a scan."""

    scan: Volume  # in RPI
    location: CordLocation
    predictor: Predictor  # a 2-D network with the output "gray_matter"
    tta: bool = False  # whether to average over augmented copies of the scan
    # The weight, from 0 to 1, of the predictions for each slice averaged with its neighbors, against noise: their log-odds are
    # averaged with those for the slice alone.
    averaged_weight: float = 0.0
    # The predictions that are kept, by slice: for slices alone, and averaged with their neighbors. Copies share them.
    _alone: dict[int, np.ndarray] = field(default_factory=dict, repr=False, compare=False)
    _averaged: dict[int, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_at_center(self) -> bool:
        """Whether the windows are at the image's center."""
        return self.location.source == "image_center"

    @cached_property
    def windows(self) -> SliceWindows:
        """The window in each slice: that of the first of the slices that are predicted together."""
        slices = np.arange(self.scan.shape[2])
        centers = self.location.centers_vx[slices - slices % self._together]
        return self.predictor.config.windows(self.scan, None if self.is_at_center else centers)

    @cached_property
    def box(self) -> Box:
        """The box of voxels in the windows of all slices with cord."""
        x, y, z = (slice(*side) for side in self.windows.native_box(self.location.slices))
        return x, y, z

    @cached_property
    def _together(self) -> int:
        """The number of neighboring slices that are predicted together."""
        return 1 if self.predictor.config.needs_all_slices else max(1, int(PREDICTED_MM / self.scan.spacing_mm[2]))

    def predict(self, slices: np.ndarray) -> list[Prediction]:
        """Return the predictions and the tissues of n slices, int, in increasing order."""
        windows, predictions = self._predict(slices)
        gray = self._channel(predictions, "gray_matter")
        if "cord" not in self.predictor.outputs:
            return [Prediction(one, None, None) for one in gray]
        cord, config = self._channel(predictions, "cord"), self.predictor.config
        tissues = tissue_sections(gray, cord, windows, config.spacing_mm) if config.tissue_evidence_weight else [None] * len(gray)
        return [Prediction(*parts) for parts in zip(gray, cord, tissues, strict=True)]

    def probability(self, slices: np.ndarray) -> np.ndarray:
        """Return the network's probability of gray matter in the windows of n slices, shape (n, height, width)."""
        return self._channel(self._predict(slices)[1], "gray_matter")

    def _predict(self, slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the intensities in the windows of n slices, shape (n, height, width), and the network's predictions for them.

        These have the shape (n, height, width, channels).
        """
        together = self._together
        firsts = np.unique(slices // together) * together
        read = np.concatenate([np.arange(first, min(first + together, self.scan.shape[2])) for first in firsts])
        cut = self.windows.extract(self.scan.data, read)
        predictions = self._weighted(firsts, lambda: _means(cut, np.searchsorted(read, firsts)))
        return cut[np.searchsorted(read, slices)], predictions[np.searchsorted(firsts, slices // together * together)]

    def _weighted(self, slices: np.ndarray, alone: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the network's predictions for n slices, shape (n, height, width, channels); `alone` returns their windows."""
        weight = self.averaged_weight
        if weight == 0:
            return self._once(self._alone, slices, alone)
        averaged = self._once(self._averaged, slices, lambda: mean_windows(self.scan, self.windows, slices, AVERAGED_MM))
        if weight == 1:
            return averaged
        single = self._once(self._alone, slices, alone)
        evidence = weight * log_odds(averaged.astype(float), CERTAIN) + (1 - weight) * log_odds(single.astype(float), CERTAIN)
        return probability_of(evidence).astype(np.float32)

    def _once(self, kept: dict[int, np.ndarray], slices: np.ndarray, windows: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the network's predictions for the `windows` of n slices; those that are `kept` are not made again."""
        if not all(int(k) in kept for k in slices):
            inside, distance_mm = self.windows.inside(slices), self.scan.spacing_mm[2]
            predictions = self.predictor.predict(windows(), inside, distance_mm, tta=self.tta)
            if len(self.location.slices) >= LONG_SCAN:
                return predictions
            kept.update(zip(slices.tolist(), predictions, strict=True))
        return np.stack([kept[int(k)] for k in slices])

    def _channel(self, predictions: np.ndarray, output: str) -> np.ndarray:
        """Return a channel of predictions, shape (n, height, width), contiguous."""
        return np.ascontiguousarray(predictions[..., self.predictor.channel(output)])


def _means(windows: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the means of the runs of `windows`, shape (n, height, width), that start at the indices `starts`."""
    if len(starts) == len(windows):
        return windows
    counts = np.diff([*starts, len(windows)])
    return np.add.reduceat(windows, starts) / counts[:, None, None].astype(np.float32)
