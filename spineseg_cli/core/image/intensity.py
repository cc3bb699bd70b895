"""Preparation of scans for the pipelines: filling of padding, clipping of outliers, and change of units."""

from __future__ import annotations

import logging
import math

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.missing_values import with_missing_filled
from spineseg_cli.core.image.signal_part import SignalPart
from spineseg_cli.core.image.volume import Volume

log = logging.getLogger(__name__)

# A voxel is an outlier if it is outside the range of nearly all others, between these percentiles, by this multiple of the range.
SPIKE_RANGES = 10.0
NEARLY_ALL_PCT = (0.1, 99.9)
# Number of random voxels from which the range is computed; all voxels are used if fewer than the second number are valid.
SAMPLED_VOXELS = 100_000
LEAST_SAMPLED_VOXELS = 10_000

# Padding differs from all other values by at least this multiple of their range, and lies beyond one of so many largest gaps:
# outliers may lie beyond the others.
PADDING_RANGES = 1.0
LARGEST_GAPS = 3
# Padding of several values that is brighter than the others, or most of the scan, differs from them by at least this multiple.
FAR_RANGES = 10.0
# Padding within this distance of other voxels is filled from these.
THIN_VX = 2.0

# Scans whose largest intensity is outside these limits are scaled to about 1, to avoid rounding errors and overflow.
USUAL_LARGEST = (1e-4, 1e12)


def prepared(image: Volume) -> Volume:
    """Return the `SignalPart` of an image in RPI, without padding, missing values and outliers, in usual units.

    It is cached for all tasks.

    If only its orientation and its ends differ, the result shares the memory of `image`.
    """

    def make() -> Volume:
        part = SignalPart.of(image)
        return in_usual_units(clip_outliers(with_missing_filled(without_padding(part.cut(part.whole)))))

    return image.cached("prepared", make)


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
    """Return an RPI scan whose padding, many voxels far below or above all others, is filled with plausible values.

    Padding has a single value, or values near each other, as where negative numbers were stored as if they were unsigned; a
    bright specimen in dim noise is none. Thin padding is filled from its neighbors in the same axial slice, a padded axial slice
    with the mean of those above and below, and the rest with the lowest of the other values, as in air. A scan without padding
    is returned unchanged.
    """
    for _ in range(2):  # there may be padding on both sides
        padded = _padding(scan)
        if padded is None:
            break
        percent, first = 100 * padded.mean(), float(scan.data[padded].flat[0])
        log.warning("%.3g %% of the voxels are about %g, far beyond all others, and taken for padding", percent, first)
        scan = scan.with_data(_filled(np.asarray(scan.data), padded))
    return scan


def _padding(scan: Volume) -> np.ndarray | None:
    """Return which voxels of a scan are padding, below or above the others; None if there is no padding.

    In the distribution of intensities, it is separated from the others by one of the largest gaps.
    """
    values = np.sort(np.append(_sample(scan), [scan.data.min(), scan.data.max()]))
    gaps = np.diff(values)
    for k in np.argsort(gaps)[::-1][:LARGEST_GAPS]:
        below, above = values[: k + 1], values[k + 1 :]
        others = max(below, above, key=_range_of_nearly_all)
        if not 0 < PADDING_RANGES * _range_of_nearly_all(others) <= gaps[k]:
            continue
        data, between = np.asarray(scan.data), (float(below[-1]) + float(above[0])) / 2
        padded = data > between if others is below else data < between
        is_one_value = np.ptp(above if others is below else below) == 0
        is_far = gaps[k] >= FAR_RANGES * _range_of_nearly_all(others)
        if not (is_one_value or is_far) and (others is below or padded.mean() > 0.5):
            continue  # a bright specimen, or the dim noise around it
        # Padding fills whole lines of the scan, or so many voxels that they would be in the range of nearly all; spikes do not.
        fills_lines = any(padded.all(axis=axis).any() for axis in range(3) if padded.shape[axis] > 1)
        if fills_lines or padded.mean() >= NEARLY_ALL_PCT[0] / 100:
            return padded
    return None


def _range_of_nearly_all(values: np.ndarray) -> float:
    """Return the range of nearly all of some increasing values; with the full range, an outlier would hide the padding."""
    first, last = (round(percent / 100 * (len(values) - 1)) for percent in NEARLY_ALL_PCT)
    return float(values[last]) - float(values[first])


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
    sample = _sample(scan)
    others = sample[sample != value]
    if len(others) >= LEAST_SAMPLED_VOXELS or len(sample) == scan.data.size:
        return others
    return np.concatenate([plane[plane != value] for plane in scan.data])


def _sample(scan: Volume) -> np.ndarray:
    """Return the values of random voxels, or of all if they are few; evenly spaced ones might all lie in the same slice."""
    data = scan.data
    if data.size <= SAMPLED_VOXELS:
        return np.asarray(data).ravel()

    def drawn() -> np.ndarray:
        return data[np.unravel_index(np.random.default_rng(0).integers(0, data.size, SAMPLED_VOXELS), data.shape)]

    return scan.cached("drawn", drawn)
