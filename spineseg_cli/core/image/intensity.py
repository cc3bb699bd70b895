"""Preparation of scans for the pipelines: filling of padding, clipping of outliers, change of units, and standardization."""

from __future__ import annotations

import logging
import math

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.signal_part import SignalPart
from spineseg_cli.core.image.volume import Volume

log = logging.getLogger(__name__)

# A voxel is an outlier if it is outside the range of nearly all others, between these percentiles, by this multiple of the range.
SPIKE_RANGES = 10.0
NEARLY_ALL_PCT = (0.1, 99.9)
# Number of random voxels from which the range is computed; all voxels are used if fewer than the second number are valid.
SAMPLED_VOXELS = 100_000
LEAST_SAMPLED_VOXELS = 10_000

# Padding differs from all other values by at least this multiple of their range.
PADDING_RANGES = 1.0
# Padding within this distance of other voxels is filled from these.
THIN_VX = 2.0

# Scans whose largest intensity is outside these limits are scaled to about 1, to avoid rounding errors and overflow.
USUAL_LARGEST = (1e-4, 1e12)

# A spread below this fraction of the values' magnitude is rounding error, and the slice is flat.
RELATIVE_SPREAD_FLOOR = 1e-6

# Number of slices that are standardized at a time, so that intermediate arrays fit into the CPU's caches.
SLICES_AT_A_TIME = 8

# Ways to scale intensities: to mean 0 and standard deviation 1, or from 0 to 1.
NORMALIZATIONS = ("zscore", "minmax")


def prepared(image: Volume) -> Volume:
    """Return the `SignalPart` of an image in RPI, without padding and outliers, in usual units; it is cached for all tasks.

    If only its orientation and its ends differ, the result shares the memory of `image`.
    """

    def make() -> Volume:
        part = SignalPart.of(image)
        return in_usual_units(clip_outliers(without_padding(part.cut(part.whole))))

    return image.once("prepared", make)


def clip_outliers(scan: Volume) -> Volume:
    """Return a scan whose extreme outliers, which would compress the contrast of all others, are clipped to the others' range.

    The range is that of voxels other than 0, since most of a scan may be masked. A scan without outliers is returned unchanged.
    """
    others = _values_other_than(0, scan)
    if len(others) == 0:
        return scan
    low, high = np.percentile(others, NEARLY_ALL_PCT)
    reach = SPIKE_RANGES * max(high - low, abs(low), abs(high))
    if low - reach <= scan.data.min() and scan.data.max() <= high + reach:
        return scan
    values = np.asarray(scan.data)
    spikes = (values < low - reach) | (values > high + reach)
    log.warning("%d voxel(s) lie far beyond the others' range of %g to %g, and are taken for its ends", spikes.sum(), low, high)
    return scan.with_data(np.where(spikes, np.clip(values, low, high), values).astype(values.dtype))


def without_padding(scan: Volume) -> Volume:
    """Return an RPI scan whose padding, whole lines of a single value far from all others, is filled with plausible values.

    Thin padding is filled from its neighbors in the same axial slice, a padded axial slice with the mean of those above and
    below, and the rest with the lowest of the other values, as in air. A scan without padding is returned unchanged.
    """
    for value in (scan.data.min(), scan.data.max()):
        others = _values_other_than(value, scan)
        if len(others) == 0:
            continue
        low, high = np.percentile(others, NEARLY_ALL_PCT)  # with the full range, an outlier would hide the padding
        reach = PADDING_RANGES * (high - low)
        if high == low or low - reach < value < high + reach:
            continue
        padded = np.asarray(scan.data) == value
        # Padding fills whole lines of the scan; saturated voxels do not.
        if not any(padded.all(axis=axis).any() for axis in range(3) if padded.shape[axis] > 1):
            continue
        log.warning("%.3g %% of the voxels are %g, far beyond all others, and taken for padding", 100 * padded.mean(), value)
        scan = scan.with_data(_filled(np.asarray(scan.data), padded))
    return scan


def _filled(data: np.ndarray, padded: np.ndarray) -> np.ndarray:
    """Return an array with its padding filled; see `without_padding`."""
    darkest = data.min(where=~padded, initial=data.max())
    filled = np.where(padded, darkest, data)
    whole = np.asarray(padded.all(axis=(0, 1)))
    for k in np.flatnonzero(padded.any(axis=(0, 1)) & ~whole):
        distance, nearest = ndimage.distance_transform_edt(padded[:, :, k], return_indices=True)
        thin = padded[:, :, k] & (distance <= THIN_VX)
        filled[:, :, k][thin] = data[:, :, k][tuple(nearest[:, thin])]
    for k in np.flatnonzero(whole):
        neighbors = [n for n in (k - 1, k + 1) if 0 <= n < data.shape[2] and not whole[n]]
        if neighbors:
            filled[:, :, k] = filled[:, :, neighbors].mean(axis=2)
    return filled


def in_usual_units(scan: Volume) -> Volume:
    """Return a scan of tiny or huge intensities, such as a diffusivity map in m2/s, multiplied by a power of two.

    This is exact in floating point. Other scans are returned unchanged.
    """
    largest = max(abs(float(scan.data.min())), abs(float(scan.data.max())))
    if largest == 0 or USUAL_LARGEST[0] <= largest <= USUAL_LARGEST[1]:
        return scan
    return scan.with_data(np.ldexp(np.asarray(scan.data), -math.frexp(largest)[1]))


def _values_other_than(value: float, scan: Volume) -> np.ndarray:
    """Return a random sample of the scan's values other than `value`, or all of them if the sample has too few."""
    data = scan.data
    if data.size > SAMPLED_VOXELS:
        drawn = scan.once("drawn", lambda: _drawn(data))
        others = drawn[drawn != value]
        if len(others) >= LEAST_SAMPLED_VOXELS:
            return others
    return np.concatenate([plane[plane != value] for plane in data])


def _drawn(data: np.ndarray) -> np.ndarray:
    """Return the values of random voxels; evenly spaced ones might all lie in the same slice."""
    return data[np.unravel_index(np.random.default_rng(0).integers(0, data.size, SAMPLED_VOXELS), data.shape)]


def standardize(
    stack: np.ndarray, inside: np.ndarray | None = None, per_slice: bool = True, normalization: str = "zscore"
) -> np.ndarray:
    """Return `stack` with mean 0 and standard deviation 1, or from 0 to 1, in each slice or in the stack as a whole.

    `stack`, shape (n, height, width), holds the windows of a scan; the moments, or the extremes, are those of the samples
    `inside`, bool, by default of all. `normalization` is one of `NORMALIZATIONS`: ``(v - mean) / deviation``, or ``(v - min)
    / (max - min)``. The result is float32; a flat slice (or stack) becomes 0.
    """
    if per_slice and len(stack) > SLICES_AT_A_TIME:
        parts = [slice(first, first + SLICES_AT_A_TIME) for first in range(0, len(stack), SLICES_AT_A_TIME)]
        return np.concatenate(
            [standardize(stack[part], None if inside is None else inside[part], True, normalization) for part in parts]
        )
    axes = (1, 2) if per_slice else (0, 1, 2)
    where = None if inside is None or inside.all() else inside
    values = stack.astype(np.float64)
    origin, spread = (_extremes if normalization == "minmax" else _moments)(values, where, axes)
    flat = spread <= RELATIVE_SPREAD_FLOOR * np.maximum(np.abs(origin), np.finfo(np.float32).tiny)
    values -= origin
    values /= np.where(flat, 1, spread)
    values *= ~flat
    return values.astype(np.float32)


def _moments(values: np.ndarray, where: np.ndarray | None, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of all values, or of those selected by `where`."""
    if where is None:
        mean = values.mean(axis=axes, keepdims=True)
        return mean, np.sqrt(((values - mean) ** 2).mean(axis=axes, keepdims=True))
    count = np.maximum(where.sum(axis=axes, keepdims=True), 1)
    mean = np.where(where, values, 0).sum(axis=axes, keepdims=True) / count
    return mean, np.sqrt(np.where(where, (values - mean) ** 2, 0).sum(axis=axes, keepdims=True) / count)


def _extremes(values: np.ndarray, where: np.ndarray | None, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return minimum and range of all values, or of those selected by `where`; 0 if none is selected."""
    where = np.ones(values.shape, bool) if where is None else where
    least = np.where(where, values, np.inf).min(axis=axes, keepdims=True)
    most = np.where(where, values, -np.inf).max(axis=axes, keepdims=True)
    empty = ~where.any(axis=axes, keepdims=True)
    return np.where(empty, 0, least), np.where(empty, 0, most - least)
