"""Filling of missing values: lines of a single value across a slice, and voxels of one dark value, within tissue.

Scans have them where lines or voxels were not acquired, were removed or were NaN, and where lines were drawn over the image.
"""

from __future__ import annotations

import logging

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.volume import Volume

log = logging.getLogger(__name__)

# Missing values are filled where no more than so many voxels lie between others, which then show what lies between them.
WIDEST_VX = 4

# Lines of fewer voxels may have a single value by chance, as where something dark crosses all slices of a sagittal scan.
LEAST_LINE_VX = 32

# Tissue exceeds the lowest value by more than this fraction of the range up to the 99th percentile.
TISSUE_FRACTION = 0.2

# Voxels of the most frequent dark value are missing if they are at least this fraction of those within tissue. In 61 development
# scans, where such voxels are vessels and borders, it was 0.023 or less.
LEAST_MISSING_FRACTION = 0.05

# Approximate number of slices, and of voxels of a line, from which is seen whether something may be missing; all evenly spaced.
SAMPLED_SLICES = 6
SAMPLED_OF_LINE = 16

# Approximate number of values from which the most frequent one is found.
COUNTED = 50_000

# Missing voxels become the mean of those around them in the same slice, with Gaussian weights of this standard deviation.
FILL_SIGMA_VX = 1.0


def with_missing_filled(scan: Volume) -> Volume:
    """Return an RPI scan with its missing values filled from others in the same axial slice; itself if none is missing."""
    data, n = scan.data, scan.shape[2]
    sampled = slice(n // (2 * SAMPLED_SLICES), None, -(-n // SAMPLED_SLICES))
    values = np.asarray(data[:, :, sampled])
    tissue = _tissue_level(values, float(data.min()))
    once = _with_lines_filled(data, 0, tissue)
    data = _with_lines_filled(once, 1, tissue)
    if data is not once:  # lines may cross: some show only after those of the other direction have been filled
        data = _with_lines_filled(data, 0, tissue)
    values = values if data is scan.data else data[:, :, sampled]
    some = values[::3, ::3]  # missing voxels may be on a grid of two or four
    dark = _most_frequent(some[some <= tissue])
    if _missing_fraction(values, dark, tissue) >= LEAST_MISSING_FRACTION:
        data = _with_voxels_filled(data, dark, tissue)
    return scan if data is scan.data else scan.with_data(data)


def _tissue_level(values: np.ndarray, lowest: float) -> float:
    """Return the intensity that tissue exceeds, from the values of some slices and the lowest one of all."""
    return lowest + TISSUE_FRACTION * (float(np.percentile(values[::2, ::2], 99)) - lowest)


def _most_frequent(values: np.ndarray) -> float:
    """Return the most frequent of some values, NaN if there are none; of many, every so many-th is counted."""
    if not len(values):
        return float("nan")
    different, counts = np.unique(values[:: -(-len(values) // COUNTED)], return_counts=True)
    return float(different[counts.argmax()])


def _with_lines_filled(data: np.ndarray, axis: int, tissue: float) -> np.ndarray:
    """Return voxels with thin stacks of lines of one value along an axis, 0 or 1, interpolated between the lines beside them.

    `tissue` is the intensity that tissue exceeds. Lines are missing if there is tissue beside them, of other intensities: a line
    of saturated fat is not.
    """
    if data.shape[axis] < LEAST_LINE_VX:
        return data
    step = max(1, data.shape[axis] // SAMPLED_OF_LINE)
    samples = np.moveaxis(np.asarray(data[::step] if axis == 0 else data[:, ::step]), axis, 0)
    maybe = _between(~(samples == samples[0]).all(axis=0))
    filled, count = data, 0
    for k in np.flatnonzero(maybe.any(axis=0)):
        lines = np.asarray(data[:, :, k] if axis else data[:, :, k].T)  # one line a row
        constant = (lines == lines[:, :1]).all(axis=1)
        known, missing = np.flatnonzero(~constant), np.flatnonzero(constant & maybe[:, k])
        if not len(missing):
            continue
        after = np.searchsorted(known, missing)
        beside = np.stack([known[after - 1], known[after]])
        in_tissue = lines[beside] > tissue
        is_other = in_tissue & (lines[beside] != lines[missing, :1])
        is_missing = 2 * is_other.sum(axis=(0, 2)) > in_tissue.sum(axis=(0, 2))
        missing, (low, high) = missing[is_missing], beside[:, is_missing]
        if not len(missing):
            continue
        if filled is data:
            filled = np.array(data, np.float32)
        weight = ((missing - low) / (high - low))[:, None]
        between = (1 - weight) * lines[low] + weight * lines[high]
        filled[(slice(None), missing, k) if axis == 0 else (missing, slice(None), k)] = between.T if axis == 0 else between
        count += len(missing)
    if count:
        log.warning("%d line(s) of axial slices have a single value each, and are filled from those beside them", count)
    return filled


def _with_voxels_filled(data: np.ndarray, dark: float, tissue: float) -> np.ndarray:
    """Return voxels with those of a dark value within tissue filled; `tissue` is the intensity that tissue exceeds."""
    filled, count = np.array(data, np.float32), 0
    for k in range(filled.shape[2]):
        plane = filled[:, :, k]
        known = plane != dark
        missing = ~known & _within(plane > tissue)
        weight = ndimage.gaussian_filter(known.astype(np.float32), FILL_SIGMA_VX)
        plane[missing] = (ndimage.gaussian_filter(plane * known, FILL_SIGMA_VX) / np.maximum(weight, 1e-6))[missing]
        count += int(missing.sum())
    share = 100 * count / data.size
    log.warning("%.3g %% of the voxels are %g within tissue, taken for missing, and filled from those around", share, dark)
    return filled


def _missing_fraction(sampled: np.ndarray, dark: float, tissue: float) -> float:
    """Return the fraction of the voxels within tissue that have a dark value, in slices of shape (nx, ny, n)."""
    low, bright = sampled == dark, sampled > tissue
    if low.sum() < LEAST_MISSING_FRACTION * bright.sum():  # as in most scans, without looking at their neighbors
        return 0.0
    within = _within(bright)
    return float((low & within).sum() / max(within.sum(), 1))


def _between(others: np.ndarray) -> np.ndarray:
    """Return what is not among `others`, bool, shape (n, ...), but lies in thin stacks between them along the first axis."""
    padded = np.pad(others, ((WIDEST_VX, WIDEST_VX), *[(0, 0)] * (others.ndim - 1))).astype(np.uint8)
    size = WIDEST_VX + 1
    closed = ndimage.minimum_filter1d(ndimage.maximum_filter1d(padded, size, axis=0), size, axis=0)
    return (closed[WIDEST_VX:-WIDEST_VX] > 0) & ~others


def _within(tissue: np.ndarray) -> np.ndarray:
    """Return which voxels are tissue or lie between tissue in the plane, bool, shape (nx, ny, ...)."""
    values = tissue.astype(np.uint8)
    for change in (ndimage.maximum_filter1d, ndimage.minimum_filter1d):
        for axis in (0, 1):
            values = change(values, WIDEST_VX + 1, axis=axis)
    return np.asarray(values > 0)
