"""What the image itself says about gray and white matter: two normal distributions in each slice, started from a network.

A network knows what gray matter looks like, and draws its outline where it usually lies. Within the cord of one slice there are
two tissues only, and where their intensities part, the outline can be read from the image. Intensities are modeled as in Wells
et al., IEEE Transactions on Medical Imaging 15:429, 1996: a mixture of two normal distributions of one variance over a smooth
bias field, by expectation-maximization.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spineseg_cli.core.inference.postprocessing import eroded

# The surface of the cord, which shares its voxels with the fluid around it, says nothing; nor does a cord smaller than this.
SURFACE_MM = 0.5
LEAST_MM2 = 4.0

# Rounds of fitting, and the area that either tissue must keep.
ROUNDS = 3
LEAST_TISSUE_MM2 = 1.0

# The contrast over the noise is averaged with that of so many slices below and above: it changes little along the cord, and where
# its sign changes, there is none to go by.
NEIGHBORS = 3

# Log-odds that one sample can add or take before they are weighted: what lies far from both means is noise, a vessel or a lesion.
LIMIT = 4.0

# Half of the cord's diameter, the unit of the bias field's coordinates.
RADIUS_MM = 5.0

CERTAIN = 1e-6
CORD = 0.5


def with_tissue_evidence(gray: np.ndarray, sections: Sequence[TissueSection], slices: range, weight: float) -> np.ndarray:
    """Return probabilities of gray matter whose log-odds have a share of `tissue_log_odds` added.

    Parameters
    ----------
    gray : ndarray, shape (n, height, width)
        A network's probabilities in some neighboring slices.
    sections : sequence of TissueSection
        See `tissue_sections`; of these slices, and of `NEIGHBORS` slices below and above where there are as many.
    slices : range
        Which of the sections those of the n slices are.
    weight : float
        0 returns `gray` itself. Samples are not independent: they are finer than the scan's voxels, whose noise they share, so
        the weight is below 1.

    Returns
    -------
    ndarray, float32
        In (0, 1).
    """
    if weight == 0:
        return gray
    log_odds = _log_odds(gray) + weight * tissue_log_odds(sections, slices)
    return (1 / (1 + np.exp(-log_odds))).astype(np.float32)


def tissue_log_odds(sections: Sequence[TissueSection], slices: range) -> np.ndarray:
    """Return how much likelier the intensity of each sample is in gray than in white matter, as a logarithm.

    Parameters
    ----------
    sections, slices
        As in `with_tissue_evidence`.

    Returns
    -------
    ndarray, shape (n, height, width), float64
        Between -LIMIT and LIMIT; 0 outside the cord, at its surface, and in slices with hardly any cord or one tissue alone.
    """
    result = np.zeros((len(slices), *sections[slices.start].inside.shape))
    for odds, k in zip(result, slices, strict=True):
        if (fit := sections[k].fit) is not None:
            near = [other.fit.contrast for other in sections[max(k - NEIGHBORS, 0) : k + NEIGHBORS + 1] if other.fit is not None]
            odds[sections[k].inside] = np.clip(np.mean(near) * fit.beside_middle, -LIMIT, LIMIT)
    return result


class TissueFit(NamedTuple):
    """The two tissues of one slice: gray matter's mean intensity less white matter's, and each sample's less the middle of both.

    Both are in standard deviations of the noise; their product is the sample's log-likelihood ratio.
    """

    contrast: float
    beside_middle: np.ndarray


class TissueSection(NamedTuple):
    """Which samples of a slice lie within the cord, shape (height, width), and its tissues; None where there is one alone."""

    inside: np.ndarray
    fit: TissueFit | None

    @property
    def contrast(self) -> float:
        """How far gray matter is brighter than white matter, in standard deviations of the noise; 0 where there is one tissue."""
        return 0.0 if self.fit is None else self.fit.contrast


def tissue_sections(gray: np.ndarray, cord: np.ndarray, images: np.ndarray, spacing_mm: float) -> list[TissueSection]:
    """Return what the intensities of each slice say of its tissues.

    Parameters
    ----------
    gray, cord : ndarray, shape (n, height, width)
        A network's probabilities.
    images : ndarray, shape (n, height, width)
        The intensities of the scan in the same windows, in any unit.
    spacing_mm : float
        Of the samples.
    """
    margin = max(round(SURFACE_MM / spacing_mm), 1)
    within = np.moveaxis(eroded(np.moveaxis(np.maximum(cord, gray) > CORD, 0, -1), margin), -1, 0)
    sections = []
    for inside, one_gray, image in zip(within, gray, images, strict=True):
        rows, columns = np.nonzero(inside)
        fit = None
        if len(rows) * spacing_mm**2 >= LEAST_MM2:
            fit = _fit(one_gray[rows, columns], image[rows, columns], (rows * spacing_mm, columns * spacing_mm), spacing_mm)
        sections.append(TissueSection(inside, fit))
    return sections


def _fit(
    gray: np.ndarray, intensities: np.ndarray, points_mm: tuple[np.ndarray, np.ndarray], spacing_mm: float
) -> TissueFit | None:
    """Fit two tissues to the samples of one slice; all arrays have shape (samples,).

    Returns None where there is one tissue, or no noise, or no contrast.
    """
    prior, share = _log_odds(gray), gray.astype(float)
    intensities = intensities.astype(float)
    basis = _bias_basis(*points_mm)
    projection = np.linalg.pinv(basis @ basis.T, hermitian=True) @ basis
    fit = None
    count, least = len(gray), LEAST_TISSUE_MM2 / spacing_mm**2
    for _ in range(ROUNDS):
        if fit is not None:
            share = 1 / (1 + np.exp(-np.clip(prior + fit.contrast * fit.beside_middle, -30, 30)))
        if not least <= share.sum() <= count - least:
            break
        gray_mean, white_mean = _means(intensities, share)
        unexplained = intensities - white_mean - (gray_mean - white_mean) * share
        intensities = intensities - (projection @ unexplained) @ basis
        gray_mean, white_mean = _means(intensities, share)
        difference = gray_mean - white_mean
        beside_middle = intensities - (gray_mean + white_mean) / 2
        # The mean of the squares of what lies beside either mean, each by its share.
        crossed = beside_middle.sum() - 2 * (beside_middle @ share)
        variance = (beside_middle @ beside_middle + difference * crossed) / count + (difference / 2) ** 2
        if variance <= CERTAIN * difference**2:
            break
        noise = float(np.sqrt(variance))
        fit = TissueFit(difference / noise, beside_middle / noise)
    return fit


def _means(intensities: np.ndarray, share: np.ndarray) -> tuple[float, float]:
    """Return the mean intensities of gray and white matter, by each sample's share of gray matter."""
    gray, share_of_gray = float(intensities @ share), float(share.sum())
    return gray / share_of_gray, (float(intensities.sum()) - gray) / (len(share) - share_of_gray)


def _bias_basis(x_mm: np.ndarray, y_mm: np.ndarray) -> np.ndarray:
    """Return linear and quadratic terms, shape (5, samples), without a constant, which the tissues' means are."""
    x, y = (x_mm - x_mm.mean()) / RADIUS_MM, (y_mm - y_mm.mean()) / RADIUS_MM
    return np.stack([x, y, x * x, x * y, y * y])


def _log_odds(probability: np.ndarray) -> np.ndarray:
    inside = np.clip(probability.astype(float), CERTAIN, 1 - CERTAIN)
    return np.log(inside / (1 - inside))
