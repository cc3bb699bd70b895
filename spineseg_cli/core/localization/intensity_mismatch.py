"""How far the intensity in each slice is from that of the scan's cord.

A network may outline fluid or a bundle of roots, slice by slice. What it outlines there is brighter or darker than the cord that
it is sure of in the same scan; the contrast between the cord and its surroundings is the measure of how much.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.slice_windows import batches
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.location import CordView

# A slice is surely cord where the search and the cord network have these confidences; at least so many of the surest are taken.
SURE_CONFIDENCES = (0.8, 0.9)
LEAST_SURE = 3
LEAST_SURE_FRACTION = 0.1

# Samples count by this power of their probability: what is sure of the section, not its border.
POWER = 4

# Surroundings reach so far around the outline.
RING_MM = 2.0

# The surer slices nearby count more: intensity changes along a scan. Slices so near each other share what is seen in them.
ALONG_SIGMA_MM = 50.0
SHARED_SIGMA_MM = 4.0

# More than this says no more.
LARGEST = 1.5


def intensity_mismatch(
    images: np.ndarray,
    probability: np.ndarray,
    confidences: tuple[np.ndarray, np.ndarray],
    positions_mm: np.ndarray,
    spacing_mm: float,
) -> np.ndarray:
    """Return how far the intensity of what a network outlines is from that of the cord, in units of the cord's contrast.

    Parameters
    ----------
    images, probability : ndarray, shape (n, height, width)
        Intensities, and the probability of cord given that there is one; both in windows along the path.
    confidences : tuple of two ndarray, shape (n,)
        How sure the search and the cord network are that each slice holds cord, 0 to 1.
    positions_mm : ndarray, shape (n,)
        Where each slice lies along the cord, rising.
    spacing_mm : float
        Distance of the windows' samples.

    Returns
    -------
    ndarray, shape (n,)
        0 for a slice like the surest ones nearby, up to 1.5.
    """
    side = 1 + 2 * round(RING_MM / spacing_mm)
    means = []
    for part in batches(np.arange(len(images))):
        image, likely = images[part], probability[part]
        around = np.clip(ndimage.maximum_filter(likely, (0, side, side)) - likely, 0, 1)
        means.append((_mean(image, likely**POWER), _mean(image, around)))
    inner, outer = (np.concatenate(parts) for parts in zip(*means, strict=True))
    sure = _surest(*confidences)
    far_mm = np.abs(positions_mm[:, None] - positions_mm[None, sure])
    weights = np.exp(-0.5 * (far_mm / ALONG_SIGMA_MM) ** 2) + 1e-6
    weights /= weights.sum(axis=1, keepdims=True)
    contrast = weights @ np.abs(outer - inner)[sure]
    mismatch = np.clip(np.abs(inner - weights @ inner[sure]) / np.maximum(contrast, 1e-9), 0, LARGEST)
    return _shared(mismatch, positions_mm)


def mismatch_in_view(scan: Volume, view: CordView, search_confidence: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Return the `intensity_mismatch`, shape (n,), of each slice that a cord network looked at in an RPI scan.

    Parameters
    ----------
    scan : Volume
        The scan.
    view : CordView
        What the network sees in n slices.
    search_confidence : ndarray, shape (n,)
        How sure the search is that each of them holds cord.
    spacing_mm : float
        Distance of the windows' samples.
    """
    images, inside = view.windows.extract(scan.data, view.slices), view.windows.inside(view.slices)
    confidences = (search_confidence, view.confidence)
    return intensity_mismatch(
        images, view.probability_given_cord * inside, confidences, view.slices * scan.spacing_mm[2], spacing_mm
    )


def _mean(images: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (weights * images).sum(axis=(1, 2)) / (weights.sum(axis=(1, 2)) + 1e-3)


def _surest(of_search: np.ndarray, of_network: np.ndarray) -> np.ndarray:
    """Return which slices are taken for the cord that others are compared with, bool, shape (n,)."""
    sure = (of_search > SURE_CONFIDENCES[0]) & (of_network > SURE_CONFIDENCES[1])
    if sure.sum() >= LEAST_SURE:
        return sure
    both = np.minimum(of_search, of_network)
    count = min(len(both), max(LEAST_SURE, int(LEAST_SURE_FRACTION * len(both))))
    return both >= np.sort(both)[-count]


def _shared(values: np.ndarray, positions_mm: np.ndarray) -> np.ndarray:
    """Return values averaged over slices nearby."""
    near = np.exp(-0.5 * ((positions_mm[:, None] - positions_mm[None]) / SHARED_SIGMA_MM) ** 2)
    return (near @ values) / near.sum(axis=1)
