"""The difference between the intensity outlined in each slice and that of the scan's cord.

A network that judges slice by slice may outline fluid or a bundle of roots. These are brighter or darker than the cord in the
slices of the same scan of which it is sure. The difference is measured in units of the contrast between cord and surroundings.
"""

from __future__ import annotations

import numpy as np

from spineseg_cli.core.image.slice_windows import batches
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.location import CordView

# Reference slices are those where the search and the cord network exceed these confidences; if they are fewer than the least
# number, the most confident slices: that number, or this fraction of all slices if it is more.
SURE_CONFIDENCES = (0.8, 0.9)
LEAST_SURE = 3
LEAST_SURE_FRACTION = 0.1

# Samples are weighted by this power of their probability, so that the interior of a section counts, not its border.
POWER = 4

# Width of the surroundings around the outline.
RING_MM = 2.0

# Nearer reference slices count more, since intensity changes along a scan. The mismatch is averaged over neighboring slices.
ALONG_SIGMA_MM = 50.0
AVERAGED_SIGMA_MM = 4.0

# The mismatch is clipped to this value.
LARGEST = 1.5


def intensity_mismatch(
    images: np.ndarray,
    probability: np.ndarray,
    confidences: tuple[np.ndarray, np.ndarray],
    positions_mm: np.ndarray,
    spacing_mm: float,
) -> np.ndarray:
    """Return the difference between the intensity that a network outlines and that of the cord, in units of the cord's contrast.

    Parameters
    ----------
    images, probability : ndarray, shape (n, height, width)
        Intensities, and the probability of cord in slices known to hold it, in windows along the path.
    confidences : tuple of two ndarray, shape (n,)
        Confidence of the search, and of the cord network, that each slice holds cord, 0 to 1.
    positions_mm : ndarray, shape (n,)
        Increasing positions of the slices along the cord.
    spacing_mm : float
        Sample spacing of the windows.

    Returns
    -------
    ndarray, shape (n,)
        The mismatch, from 0 for the intensity of the reference slices nearby to 1.5.
    """
    reach = round(RING_MM / spacing_mm)
    means = []
    for part in batches(np.arange(len(images))):
        image, likely = images[part], probability[part]
        around = np.clip(_largest_within(likely, reach) - likely, 0, 1)
        means.append((_mean(image, likely**POWER), _mean(image, around)))
    inner, outer = (np.concatenate(parts) for parts in zip(*means, strict=True))
    sure = _surest(*confidences)
    far_mm = np.abs(positions_mm[:, None] - positions_mm[None, sure])
    weights = np.exp(-0.5 * (far_mm / ALONG_SIGMA_MM) ** 2) + 1e-6
    weights /= weights.sum(axis=1, keepdims=True)
    contrast = weights @ np.abs(outer - inner)[sure]
    mismatch = np.clip(np.abs(inner - weights @ inner[sure]) / np.maximum(contrast, 1e-9), 0, LARGEST)
    return _averaged_along(mismatch, positions_mm)


def mismatch_in_view(scan: Volume, view: CordView, search_confidence: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Return the `intensity_mismatch`, shape (n,), of each slice that a cord network predicted in an RPI scan.

    `view` holds the network's predictions in n slices, in windows with samples of `spacing_mm`; `search_confidence`, shape
    (n,), is the confidence of the search that each of them holds cord, 0 to 1.
    """
    images, inside = view.windows.extract(scan.data, view.slices), view.windows.inside(view.slices)
    confidences = (search_confidence, view.confidence)
    return intensity_mismatch(
        images, view.probability_given_cord * inside, confidences, view.slices * scan.spacing_mm[2], spacing_mm
    )


def _largest_within(images: np.ndarray, reach: int) -> np.ndarray:
    """Return the largest value within `reach` samples of each sample along x and y, in images of shape (n, height, width).

    `scipy.ndimage.maximum_filter` returns the same in 3 to 7 times the time.
    """
    for axis in (1, 2):
        largest = np.moveaxis(images.copy(), axis, 0)
        source = np.moveaxis(images, axis, 0)
        for step in range(1, reach + 1):
            np.maximum(largest[step:], source[:-step], out=largest[step:])
            np.maximum(largest[:-step], source[step:], out=largest[:-step])
        images = np.moveaxis(largest, 0, axis)
    return images


def _mean(images: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weighted mean of each image, shape (n,)."""
    return (weights * images).sum(axis=(1, 2)) / (weights.sum(axis=(1, 2)) + 1e-3)


def _surest(of_search: np.ndarray, of_network: np.ndarray) -> np.ndarray:
    """Return which slices serve as reference for the cord's intensity, bool, shape (n,)."""
    sure = (of_search > SURE_CONFIDENCES[0]) & (of_network > SURE_CONFIDENCES[1])
    if sure.sum() >= LEAST_SURE:
        return sure
    both = np.minimum(of_search, of_network)
    count = min(len(both), max(LEAST_SURE, int(LEAST_SURE_FRACTION * len(both))))
    return both >= np.sort(both)[-count]


def _averaged_along(values: np.ndarray, positions_mm: np.ndarray) -> np.ndarray:
    """Return values averaged over neighboring slices."""
    near = np.exp(-0.5 * ((positions_mm[:, None] - positions_mm[None]) / AVERAGED_SIGMA_MM) ** 2)
    return (near @ values) / near.sum(axis=1)
