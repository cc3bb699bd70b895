"""The heatmaps of a network in windows of a scan, on a grid of cells, and the path of the cord through them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.bounds import true_range
from spineseg_cli.core.image.slabs import PREFETCHED_PARTS, prefetched
from spineseg_cli.core.image.slice_windows import SliceWindows, batches
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.optic import best_path

# Side of the heatmap's cells through which the path goes, and the blur of the heatmap, about the cord's radius.
CELL_MM = 2.0
HEATMAP_SIGMA_MM = 3.0

# Displacement penalty: the cost of a slant of 1 mm per mm along 1 mm of the cord, in units of the heatmap.
SLANT_PENALTY = 0.01

# The path is searched for only in the rows and columns of cells whose maximum is at least this fraction of the highest.
LEAST_OF_PATH = 0.02

# A center is the center of mass of the heatmap within this distance of the path.
RADIUS_MM = 8.0

# Confidence is the heatmap's highest mean over a square of this side, which is smaller than the smallest cord.
CONFIDENCE_MM = 3.0

# Network outputs that are heatmaps, with high values at the cord.
HEATMAP_OUTPUTS = ("cord", "centerline")


class Heatmaps:
    """The heatmaps of a network over a scan, in cells, and the paths through them.

    `scan` is in RPI, and `predictor` a 2-D network with one of `HEATMAP_OUTPUTS`. `air`, shape (nz,), is the intensity of air in
    each slice; windows without higher intensities are not predicted. Paths are the best through all slices (`globally`), or the
    maximum of each slice alone.
    """

    def __init__(self, scan: Volume, predictor: Predictor, air: np.ndarray, globally: bool) -> None:
        self.scan, self.config, self.runtime = scan, predictor.config, predictor.runtime
        self.air, self.globally = air, globally
        self.channel = predictor.channel(*HEATMAP_OUTPUTS)
        self.pool = max(1, round(CELL_MM / self.config.spacing_mm))
        self.cell_mm = self.pool * self.config.spacing_mm
        self.shift = 0.5 if self.config.align == "edges" else 0.0  # see `core.image.resampling`

    def predict(self, slices: np.ndarray, centers_vx: np.ndarray) -> tuple[SliceWindows, np.ndarray, np.ndarray]:
        """Return the windows around `centers_vx`, the heatmap in cells, shape (len(slices), cx, cy), and that in the windows."""
        windows = self.config.windows(self.scan, centers_vx)
        predictions = np.empty((len(slices), *windows.size), np.float32)
        heatmap = self._empty_heatmap(windows, slices)
        parts = batches(np.arange(len(slices)))
        for part, predicted in zip(parts, self._predicted([(windows, slices[part]) for part in parts]), strict=True):
            predictions[part] = predicted
            self._add_to_cells(heatmap[part[0] : part[-1] + 1], predicted, windows.starts[slices[part]])
        return windows, heatmap, predictions

    def survey(self, slices: np.ndarray, centers_vx: Sequence[tuple[float, float]]) -> np.ndarray:
        """Return the highest of the heatmaps in windows around each of some points of the plane, shape (len(slices), cx, cy)."""
        by_center = [self.config.windows(self.scan, np.tile(center, (self.scan.shape[2], 1))) for center in centers_vx]
        highest = self._empty_heatmap(by_center[0], slices)
        for windows, predicted in zip(by_center, self._predicted([(windows, slices) for windows in by_center]), strict=True):
            heatmap = np.zeros_like(highest)
            self._add_to_cells(heatmap, predicted, windows.starts[slices])
            np.maximum(highest, heatmap, out=highest)
        return highest

    def _empty_heatmap(self, windows: SliceWindows, slices: np.ndarray) -> np.ndarray:
        """Return a heatmap of zeros for some slices, shape (len(slices), cx, cy)."""
        return np.zeros((len(slices), *(-(-n // self.pool) for n in windows.fine_shape)), np.float32)

    def _add_to_cells(self, heatmap: np.ndarray, predictions: np.ndarray, starts: np.ndarray) -> None:
        """Add the mean of the samples in each cell to the heatmap, shape (n, cx, cy).

        `predictions`, shape (n, height, width), are those in windows that start at `starts`, shape (n, 2), on the fine grid.
        """
        firsts, offsets = np.divmod(starts, self.pool)
        counts = [-(-(side + self.pool - 1) // self.pool) for side in predictions.shape[1:]]
        aligned = np.zeros((len(predictions), *(count * self.pool for count in counts)), np.float32)
        for one, prediction, (x, y) in zip(aligned, predictions / self.pool**2, offsets, strict=True):
            one[x : x + prediction.shape[0], y : y + prediction.shape[1]] = prediction
        cells = np.zeros((len(predictions), *counts), np.float32)
        for x, y in itertools.product(range(self.pool), repeat=2):
            cells += aligned[:, x :: self.pool, y :: self.pool]
        for image, window, first in zip(heatmap, cells, firsts, strict=True):
            low, high = np.clip(first, 0, image.shape), np.clip(first + window.shape, 0, image.shape)
            (x, y), (to_x, to_y) = low - first, high - first
            image[low[0] : high[0], low[1] : high[1]] += window[x:to_x, y:to_y]

    def _predicted(self, jobs: Sequence[tuple[SliceWindows, np.ndarray]]) -> Iterator[np.ndarray]:
        """Yield the network's output in the windows of some slices, for each of several `jobs`; see `_predict`."""
        return prefetched(lambda job: self._predict(*job), jobs, threads=PREFETCHED_PARTS)

    def _predict(self, windows: SliceWindows, slices: np.ndarray) -> np.ndarray:
        """Return the network's output in the windows of n slices, shape (n, height, width).

        It is 0 in windows of air, and outside the image.
        """
        cut, inside = windows.extract(self.scan.data, slices), windows.inside(slices)
        has_tissue = np.abs(cut).max(axis=(1, 2)) > self.air[slices]
        predictions = np.zeros(inside.shape, np.float32)
        if has_tissue.any():
            inputs = self.config.standardize(cut[has_tissue], inside[has_tissue])
            predictions[has_tissue] = self.runtime.predict(inputs)[..., self.channel]
        return predictions * inside

    def path(self, heatmap: np.ndarray, slices: np.ndarray) -> np.ndarray:
        """Blur the heatmap in place, and return the path through it as voxel coordinates, shape (len(slices), 2)."""
        sigma = HEATMAP_SIGMA_MM / self.cell_mm
        ndimage.gaussian_filter(heatmap, (0, sigma, sigma), mode="constant", output=heatmap)
        x, y = (self._extent(heatmap.max(axis=axes)) for axes in ((0, 2), (0, 1)))
        heatmap = heatmap[:, x, y]
        if self.globally:
            gaps_mm = np.diff(slices) * self.scan.spacing_mm[2]
            cells = best_path(heatmap, SLANT_PENALTY * self.cell_mm**2, gaps_mm)
        else:
            flat = heatmap.reshape(len(heatmap), -1).argmax(axis=1)
            cells = np.stack(np.unravel_index(flat, heatmap.shape[1:]), axis=-1)
        return self._native((cells + (x.start, y.start) + 0.5) * self.pool - 0.5)

    @staticmethod
    def _extent(profile: np.ndarray) -> slice:
        """Return the range of cells in which the heatmap is high enough for a path; all of them if it is 0 everywhere."""
        return true_range(profile > LEAST_OF_PATH * profile.max()) if profile.any() else slice(0, len(profile))

    def centers(
        self, windows: SliceWindows, predictions: np.ndarray, slices: np.ndarray, path_vx: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the heatmap's center of mass near the path in each slice, in voxel coordinates, and the confidence."""
        spacing = self.config.spacing_mm
        side, reach = max(1, round(CONFIDENCE_MM / spacing)), math.ceil(RADIUS_MM / spacing)
        centers, confidence = path_vx.copy(), np.zeros(len(slices))
        for index, k in enumerate(slices):
            fine = self._fine(path_vx[index]) - windows.starts[k]
            first = np.clip(np.floor(fine).astype(int) - reach - side, 0, windows.size)
            end = np.clip(np.ceil(fine).astype(int) + reach + side + 1, 0, windows.size)
            x, y = (np.arange(*ends) for ends in zip(first, end, strict=True))
            prediction = predictions[index, first[0] : end[0], first[1] : end[1]]
            near = np.hypot(x[:, None] - fine[0], y[None, :] - fine[1]) <= RADIUS_MM / spacing
            weights = prediction * near
            if near.any():
                confidence[index] = (ndimage.uniform_filter(prediction, side, mode="constant") * near).max()
            if weights.sum() > 0:
                mass = np.array([weights.sum(axis=1) @ x, weights.sum(axis=0) @ y]) / weights.sum()
                centers[index] = self._native(mass + windows.starts[k])
        return centers, confidence

    def _fine(self, native_vx: np.ndarray) -> np.ndarray:
        """Convert in-plane voxel coordinates of the scan to the network's grid."""
        return (native_vx + self.shift) * self.scan.spacing_mm[:2] / self.config.spacing_mm - self.shift

    def _native(self, fine_vx: np.ndarray) -> np.ndarray:
        """Convert in-plane voxel coordinates of the network's grid to the scan."""
        return (fine_vx + self.shift) * self.config.spacing_mm / self.scan.spacing_mm[:2] - self.shift
