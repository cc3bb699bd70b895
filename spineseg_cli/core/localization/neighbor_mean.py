"""The mean of the windows of a slice and of its neighbors along a path, in which noise hides less than in one slice."""

from __future__ import annotations

import numpy as np

from spineseg_cli.core.image.slice_windows import SliceWindows
from spineseg_cli.core.image.thin_slices import MOST_VARIED
from spineseg_cli.core.image.volume import Volume

# Gaussian weights are truncated at so many times `sigma_mm`. About so far apart are the slices that are averaged, since
# thin ones have been averaged with those next to them.
TRUNCATE = 2.667
APART_MM = 2.0


def mean_windows(scan: Volume, windows: SliceWindows, slices: np.ndarray, sigma_mm: float) -> np.ndarray:
    """Return the weighted mean of the windows of each slice of an RPI scan and its neighbors, shape (n, side, side), float32.

    `slices` are the indices of n slices. `sigma_mm` is the standard deviation of the Gaussian weights, at least the distance of
    slices. Neighbors without signal do not count.
    """
    distance_mm = scan.spacing_mm[2]
    step = max(1, int(APART_MM / distance_mm))
    reach = int(TRUNCATE * sigma_mm / (step * distance_mm))
    offsets = step * np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets * distance_mm / max(sigma_mm, distance_mm)) ** 2)
    means = []
    for k in slices:
        in_scan = (k + offsets >= 0) & (k + offsets < scan.shape[2])
        near = windows.extract(scan.data, k + offsets[in_scan])
        deviation, here = near.std(axis=(1, 2)), near[offsets[in_scan] == 0].std()
        used = weights[in_scan] * ((deviation * MOST_VARIED >= here) & (deviation <= here * MOST_VARIED))
        means.append(np.tensordot(used / used.sum(), near, 1).astype(np.float32))
    return np.stack(means)
