"""Evidence of gray and white matter from the intensities within the cord, modeled by two normal distributions in each slice.

A network has learned what gray matter looks like, and draws its outline where it usually lies. The cord of a slice holds only two
tissues, and where their intensities differ, the outline can be read from the image. As in Wells et al., IEEE Transactions on
Medical Imaging 15:429, 1996, expectation-maximization fits a mixture of two normal distributions of the same variance, and a
smooth bias field, starting from the network's probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spineseg_cli.core.inference.probabilities import CERTAIN, OUTLINE
from spineseg_cli.core.log_odds import log_odds, probability_of
from spineseg_cli.core.outlines.postprocessing import eroded

# Depth of the cord's surface that is left out, as its voxels contain fluid, and least area of the cord that is fitted.
SURFACE_MM = 0.5
LEAST_MM2 = 4.0

# Number of iterations of the fit, and least area of each tissue.
ROUNDS = 3
LEAST_TISSUE_MM2 = 1.0

# Number of slices below and above with which the contrast-to-noise ratio is averaged: it changes little along the cord, and where
# its sign changes, there is no reliable contrast.
NEIGHBORS = 3

# Limit of a sample's log-odds before they are weighted: a sample far from both means is noise, a vessel or a lesion.
LIMIT = 4.0

# Least variance of the noise, as a fraction of the squared difference of the tissues' means; a smaller one is rounding error.
LEAST_VARIANCE = 1e-6

# Radius of the cord, the unit of the bias field's coordinates.
RADIUS_MM = 5.0


def with_tissue_evidence(gray: np.ndarray, sections: Sequence[TissueSection], slices: range, weight: float) -> np.ndarray:
    """Return probabilities of gray matter after adding `weight` times `tissue_log_odds` to their log-odds.

    `gray`, shape (n, height, width), holds a network's probabilities in n adjacent slices. `sections` are the
    `tissue_sections` of these and of up to `NEIGHBORS` slices below and above; `slices` are the indices of the n slices in
    them. `weight` is below 1, since samples are finer than the scan's voxels and share their noise; with 0, `gray` itself is
    returned. The result is float32, in (0, 1).
    """
    if weight == 0:
        return gray
    evidence = log_odds(gray.astype(float), CERTAIN) + weight * tissue_log_odds(sections, slices)
    return probability_of(evidence).astype(np.float32)


def tissue_log_odds(sections: Sequence[TissueSection], slices: range) -> np.ndarray:
    """Return the log-likelihood ratio of gray to white matter for the intensity of each sample.

    Parameters are those of `with_tissue_evidence`. The ratio, shape (n, height, width), float64, lies between -LIMIT and
    LIMIT; it is 0 outside the cord, at its surface, and in slices with hardly any cord or only one tissue.
    """
    result = np.zeros((len(slices), *sections[slices.start].inside.shape))
    for odds, k in zip(result, slices, strict=True):
        if (fit := sections[k].fit) is not None:
            near = [other.fit.contrast for other in sections[max(k - NEIGHBORS, 0) : k + NEIGHBORS + 1] if other.fit is not None]
            odds[sections[k].inside] = np.clip(np.mean(near) * fit.centered, -LIMIT, LIMIT)
    return result


class TissueFit(NamedTuple):
    """The two tissues of a slice, in standard deviations of the noise; `contrast * centered` is the log-likelihood ratio."""

    contrast: float  # mean intensity of gray matter minus that of white matter
    centered: np.ndarray  # shape (samples,): intensity of each sample in the cord minus the midpoint of both means


class TissueSection(NamedTuple):
    """The samples of a slice within the cord, and their tissues."""

    inside: np.ndarray  # bool, shape (height, width)
    fit: TissueFit | None  # None if the tissues cannot be fitted

    @property
    def contrast(self) -> float:
        """The mean intensity of gray minus that of white matter, in standard deviations of the noise; 0 without a fit."""
        return 0.0 if self.fit is None else self.fit.contrast


def tissue_sections(gray: np.ndarray, cord: np.ndarray, images: np.ndarray, spacing_mm: float) -> list[TissueSection]:
    """Return the tissues fitted to the intensities of each slice.

    `gray` and `cord` are a network's probabilities, and `images` the intensities of the scan in the same windows, in any
    unit; all have shape (n, height, width), and samples of `spacing_mm`.
    """
    margin = max(round(SURFACE_MM / spacing_mm), 1)
    within = np.moveaxis(eroded(np.moveaxis(np.maximum(cord, gray) > OUTLINE, 0, -1), margin), -1, 0)
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

    Returns None if there is only one tissue, no noise, or no contrast.
    """
    share = gray.astype(float)
    prior = log_odds(share, CERTAIN)
    intensities = intensities.astype(float)
    basis = _bias_basis(*points_mm)
    projection = np.linalg.pinv(basis @ basis.T, hermitian=True) @ basis
    fit = None
    count, least = len(gray), LEAST_TISSUE_MM2 / spacing_mm**2
    for _ in range(ROUNDS):
        if fit is not None:
            share = probability_of(np.clip(prior + fit.contrast * fit.centered, -30, 30))
        if not least <= share.sum() <= count - least:
            break
        gray_mean, white_mean = _means(intensities, share)
        unexplained = intensities - white_mean - (gray_mean - white_mean) * share
        intensities = intensities - (projection @ unexplained) @ basis
        gray_mean, white_mean = _means(intensities, share)
        difference = gray_mean - white_mean
        centered = intensities - (gray_mean + white_mean) / 2
        # The mean squared deviation from the two means, weighted by the share of each tissue.
        crossed = centered.sum() - 2 * (centered @ share)
        variance = (centered @ centered + difference * crossed) / count + (difference / 2) ** 2
        if variance <= LEAST_VARIANCE * difference**2:  # no noise
            break
        noise = float(np.sqrt(variance))
        fit = TissueFit(difference / noise, centered / noise)
    return fit


def _means(intensities: np.ndarray, share: np.ndarray) -> tuple[float, float]:
    """Return the mean intensities of gray and white matter, weighted by each sample's share of gray matter."""
    gray, share_of_gray = float(intensities @ share), float(share.sum())
    return gray / share_of_gray, (float(intensities.sum()) - gray) / (len(share) - share_of_gray)


def _bias_basis(x_mm: np.ndarray, y_mm: np.ndarray) -> np.ndarray:
    """Return linear and quadratic terms, shape (5, samples); the tissues' means replace a constant term."""
    x, y = (x_mm - x_mm.mean()) / RADIUS_MM, (y_mm - y_mm.mean()) / RADIUS_MM
    return np.stack([x, y, x * x, x * y, y * y])
