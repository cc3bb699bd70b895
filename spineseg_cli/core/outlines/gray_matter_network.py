"""Predictions of a gray matter network in the slices of a scan, with the tissues fitted to the intensities in its windows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from spineseg_cli.core.image.cropped import Box
from spineseg_cli.core.image.slice_windows import SliceWindows
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.location import CordLocation
from spineseg_cli.core.localization.neighbor_mean import mean_windows
from spineseg_cli.core.outlines.tissue_evidence import TissueSection, tissue_sections

# Neighboring slices that are together no thicker than this are predicted as one, by their mean, ex vivo for example; gray matter
# hardly changes along it. Their tissues are still fitted slice by slice.
PREDICTED_MM = 0.5

# Standard deviation of the weights by which a slice is averaged with its neighbors if noise hides the gray matter in single ones,
# chosen on nine scans with noise, whose slices are 2.5 to 7.5 mm apart.
AVERAGED_MM = 5.0


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
    is_averaged: bool = False  # whether the network sees each slice averaged with its neighbors, against noise

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

    def probability(self, k: int) -> np.ndarray:
        """Return the network's probability of gray matter in the window of slice `k`, shape (height, width)."""
        (gray,) = self._channel(self._predict(np.array([k]))[1], "gray_matter")
        return gray

    def _predict(self, slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the intensities in the windows of n slices, shape (n, height, width), and the network's predictions for them.

        These have the shape (n, height, width, channels).
        """
        together, distance_mm = self._together, self.scan.spacing_mm[2]
        firsts = np.unique(slices // together) * together
        read = np.concatenate([np.arange(first, min(first + together, self.scan.shape[2])) for first in firsts])
        cut = self.windows.extract(self.scan.data, read)
        starts = np.searchsorted(read, firsts)
        counts = np.diff([*starts, len(read)])
        if self.is_averaged:
            means = mean_windows(self.scan, self.windows, firsts, AVERAGED_MM)
        elif together == 1:
            means = cut
        else:
            means = np.add.reduceat(cut, starts) / counts[:, None, None].astype(np.float32)
        prediction = self.predictor.predict(means, self.windows.inside(firsts), distance_mm, tta=self.tta)
        wanted = np.searchsorted(read, slices)
        return cut[wanted], prediction[np.searchsorted(firsts, slices // together * together)]

    def _channel(self, predictions: np.ndarray, output: str) -> np.ndarray:
        """Return a channel of predictions, shape (n, height, width), contiguous."""
        return np.ascontiguousarray(predictions[..., self.predictor.channel(output)])
