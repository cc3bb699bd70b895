"""Averaging of thin slices along the cord, whose section hardly changes within a few millimeters, against noise.

Networks judge slices one by one, and in a slice of half a millimeter the noise may hide what its neighbors show together.
Averages are computed for the voxels that are accessed only, so that a scan stays in memory as it is stored.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from spineseg_cli.core.image.slabs import slabs
from spineseg_cli.core.image.stored import LazyVoxels
from spineseg_cli.core.image.volume import Volume

# Standard deviation of the blur along the cord by the thickness of a slice and by the averaging together.
SHOWN_SIGMA_MM = 1.0

# Slices are averaged if the standard deviation of the weights is at least this number of slices: those thinner than 1.7 mm.
LEAST_SIGMA_SLICES = 0.5

# The Gaussian weights are truncated at this number of standard deviations, and are given to slices at least this far apart.
TRUNCATE = 2.0
LEAST_STEP_MM = 0.5

# A slice is averaged only with slices whose standard deviation of intensity differs by no more than this factor, so that empty
# slices, those without signal near metal and bright ones beside these do not affect others. It is computed from about the second
# number of voxels along each axis.
MOST_VARIED = 2.0
COMPARED_VX = 32


def averaged_thin_slices(scan: Volume) -> Volume:
    """Return an RPI scan with its slices averaged along the third axis if they are thin, else the scan itself."""
    sigma_mm = max(SHOWN_SIGMA_MM**2 - scan.spacing_mm[2] ** 2 / 12, 0) ** 0.5
    if sigma_mm / scan.spacing_mm[2] < LEAST_SIGMA_SLICES:
        return scan
    return scan.cached("averaged thin slices", lambda: averaged_slices(scan, sigma_mm))


def averaged_slices(scan: Volume, sigma_mm: float) -> Volume:
    """Return an RPI scan whose slices are averaged along the third axis, with Gaussian weights of this standard deviation."""
    distance_mm = scan.spacing_mm[2]
    step = max(1, round(LEAST_STEP_MM / distance_mm))
    return scan.with_data(cast(np.ndarray, AveragedSlices(scan.data, sigma_mm / distance_mm, step)))


class AveragedSlices(LazyVoxels):
    """The voxels of a scan, each averaged with those above and below it when it is accessed.

    They can be indexed along all three axes, by whole numbers along the third or by slices.

    `sigma` is the standard deviation of the Gaussian weights, and `step` the distance between the slices that are averaged, both
    in slices.
    """

    def __init__(self, voxels: np.ndarray | LazyVoxels, sigma: float, step: int):
        super().__init__(voxels.shape)
        self._voxels, self._step = voxels, step
        reach = int(TRUNCATE * sigma / step + 0.5)
        self._offsets = step * np.arange(-reach, reach + 1)
        self._gaussian = np.exp(-0.5 * (self._offsets / sigma) ** 2).astype(self.dtype)
        self._weighted: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        step_x, step_y = (max(1, n // COMPARED_VX) for n in voxels.shape[:2])
        sampled = voxels[::step_x, ::step_y, :]
        self._deviation = np.asarray(sampled, np.float64).std(axis=(0, 1))

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return the averages of some voxels."""
        x, y, z = key if isinstance(key, tuple) else (key, slice(None), slice(None))
        wanted = np.arange(self.shape[2])[z]
        if wanted.ndim == 0:
            return self._averages(x, y, wanted[None])[..., 0]
        parts = [self._averages(x, y, wanted[slice(*slab)]) for slab in slabs(len(wanted))]
        return np.concatenate(parts or [np.asarray(self._voxels[x, y, z], self.dtype)], axis=-1)

    def _averages(self, x: Any, y: Any, wanted: np.ndarray) -> np.ndarray:
        """Return the averages of some slices at the voxels that `x` and `y` select."""
        weighted = [self._weights(k) for k in wanted.tolist()]
        low, end = min(others[0] for others, _ in weighted), max(others[-1] for others, _ in weighted) + 1
        step = self._step if len(wanted) == 1 else 1
        voxels = np.asarray(self._voxels[x, y, low:end:step], self.dtype).T
        averages = np.zeros((len(wanted), *voxels.shape[1:]), self.dtype)
        # Not one product for all slices: on some processors, its rounding depends on how many there are.
        for average, (others, values) in zip(averages, weighted, strict=True):
            for k, weight in zip((others - low) // step, values, strict=True):
                average += weight * voxels[k]
        return averages.T

    def _weights(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the slices that slice k is averaged with, and their weights, which are computed once."""
        if k not in self._weighted:
            self._weighted[k] = self._compute_weights(k)
        return self._weighted[k]

    def _compute_weights(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        others = k + self._offsets
        in_scan = (others >= 0) & (others < self.shape[2])
        others, weights = others[in_scan], self._gaussian[in_scan]
        deviation, here = self._deviation[others], self._deviation[k]
        weights = weights * ((deviation * MOST_VARIED >= here) & (deviation <= here * MOST_VARIED))
        return others, weights / weights.sum()
