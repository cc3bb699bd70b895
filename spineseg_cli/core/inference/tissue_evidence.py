"""What the image itself says about gray and white matter: two normal distributions in each slice, fitted from a network's probabilities.

A network knows what gray matter looks like, and draws its outline where it usually lies. Within the cord of one slice there are two
tissues only, and where their intensities part, the outline can be read from the image. Intensities are modeled as in Wells et al., IEEE
Transactions on Medical Imaging 15:429, 1996: a mixture of two normal distributions times a smooth bias field, by
expectation-maximization, started from the network.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

# The surface of the cord, which shares its voxels with the fluid around it, says nothing; nor does a cord smaller than this.
SURFACE_MM = 0.5
LEAST_MM2 = 4.0

# Rounds of fitting, and the area that either tissue must keep.
ROUNDS = 3
LEAST_TISSUE_MM2 = 1.0

# Log-odds that one sample can add or take before they are weighted: what lies far from both means is noise, a vessel or a lesion.
LIMIT = 4.0

# Half of the cord's diameter, the unit of the bias field's coordinates.
RADIUS_MM = 5.0

CERTAIN = 1e-6
CORD = 0.5


def with_tissue_evidence(
    gray: np.ndarray, cord: np.ndarray, images: np.ndarray, spacing_mm: float, weight: float
) -> np.ndarray:
    """Return probabilities of gray matter whose log-odds have a share of `tissue_log_odds` added.

    Parameters
    ----------
    gray, cord : ndarray, shape (n, height, width)
        A network's probabilities.
    images : ndarray, shape (n, height, width)
        The intensities of the scan in the same windows, in any unit.
    spacing_mm : float
        Of the samples.
    weight : float
        0 returns `gray` itself. Samples are not independent: they are finer than the scan's voxels, whose noise they share, so the
        weight is below 1.

    Returns
    -------
    ndarray, float32
        In (0, 1).
    """
    if weight == 0:
        return gray
    log_odds = _log_odds(gray) + weight * tissue_log_odds(gray, cord, images, spacing_mm)
    return (1 / (1 + np.exp(-log_odds))).astype(np.float32)


def tissue_log_odds(gray: np.ndarray, cord: np.ndarray, images: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Return how much likelier the intensity of each sample is in gray than in white matter, as a logarithm.

    Parameters
    ----------
    gray, cord, images, spacing_mm
        As in `with_tissue_evidence`.

    Returns
    -------
    ndarray, shape (n, height, width), float64
        Between -LIMIT and LIMIT; 0 outside the cord, at its surface, and in slices with hardly any cord or one tissue alone.
    """
    found = np.zeros(images.shape)
    margin = max(round(SURFACE_MM / spacing_mm), 1)
    for k in range(len(images)):
        inside = ndimage.binary_erosion(np.maximum(cord[k], gray[k]) > CORD, iterations=margin)
        if inside.sum() * spacing_mm**2 >= LEAST_MM2:
            found[k][inside] = _fit(gray[k][inside], images[k][inside], np.argwhere(inside) * spacing_mm, spacing_mm)
    return found


def _fit(gray: np.ndarray, intensities: np.ndarray, points_mm: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Return the log-likelihood ratio of the samples of one slice, each of shape (samples,); `points_mm` has a second axis of two."""
    prior, share = _log_odds(gray), gray.astype(float)
    intensities = intensities.astype(float)
    basis = _bias_basis(points_mm)
    ratio = np.zeros(len(intensities))
    least = LEAST_TISSUE_MM2 / spacing_mm**2
    for _ in range(ROUNDS):
        if min(share.sum(), (1 - share).sum()) < least:
            break
        means = _means(intensities, share)
        expected = share * means[0] + (1 - share) * means[1]
        intensities = intensities - basis @ (np.linalg.pinv(basis) @ (intensities - expected))
        means = _means(intensities, share)
        variance = np.mean(share * (intensities - means[0]) ** 2 + (1 - share) * (intensities - means[1]) ** 2)
        if variance <= CERTAIN * (means[0] - means[1]) ** 2 or means[0] == means[1]:  # no noise, or no contrast
            break
        ratio = (means[0] - means[1]) * (intensities - (means[0] + means[1]) / 2) / variance
        share = 1 / (1 + np.exp(-np.clip(prior + ratio, -30, 30)))
    return np.clip(ratio, -LIMIT, LIMIT)


def _means(intensities: np.ndarray, share: np.ndarray) -> tuple[float, float]:
    return float(np.average(intensities, weights=share)), float(np.average(intensities, weights=1 - share))


def _bias_basis(points_mm: np.ndarray) -> np.ndarray:
    """Return linear and quadratic terms, shape (samples, 5), without a constant, which the tissues' means are."""
    x, y = ((points_mm - points_mm.mean(axis=0)) / RADIUS_MM).T
    return np.stack([x, y, x * x, x * y, y * y], axis=-1)


def _log_odds(probability: np.ndarray) -> np.ndarray:
    inside = np.clip(probability.astype(float), CERTAIN, 1 - CERTAIN)
    return np.log(inside / (1 - inside))
