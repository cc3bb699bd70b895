"""How far subjects' areas and compression ratios lie from those of the average adult, and the likelihood that follows.

A subject's deviation is the sum of one that the whole cord has in common, one that varies along it, one that grows towards the
tip, and an independent one at each place. Subjects, and masks of them, differ in how much they deviate: all standard deviations
are multiplied by a factor of the subject's own, one of `SCALES`. A profile that is unlike the average at every position along the
cord therefore says less about where it lies than one that fits.

The standard deviations are near those of highest marginal likelihood, with the position of the cord integrated out, for 32 masks
of people: 21 of the neck, of which four reach the middle of the chest, and 11 from above the lumbar enlargement to the tip. No
template is among them. Deviations that are learned from one half of the masks describe the other half better than those of one
scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

# Factors of a subject's deviations, and their probabilities.
SCALES = (1.0, 2.0)
SCALE_SHARES = (0.7, 0.3)

# Distance along the cord over which deviations are alike (standard deviation of a Gaussian), mm.
ALIKE_MM = 20.0

# Standard deviation of the independent deviation of each place.
INDEPENDENT_SD = 0.03

# Share of the cord's length at which the deviation of the conus begins; it grows linearly down to the tip.
CONUS_FROM = 0.88


@dataclass(frozen=True)
class Deviation:
    """Standard deviations of a measure: common to the whole cord, varying along it, and of the conus, at its tip."""

    common: float
    along: float
    tip: float

    def covariance(self, position_mm: np.ndarray) -> np.ndarray:
        """Return the covariance of the deviations at n places along the cord, but for the conus', shape (n, n)."""
        alike = np.exp(-0.5 * ((position_mm[:, None] - position_mm) / ALIKE_MM) ** 2)
        return self.common**2 + self.along**2 * alike + INDEPENDENT_SD**2 * np.eye(len(position_mm))

    def log_likelihood(self, residual: np.ndarray, position_mm: np.ndarray, conus: np.ndarray) -> np.ndarray:
        """Return the logarithm of the likelihood, up to a constant, of m candidate positions of a cord, shape (m,).

        Parameters
        ----------
        residual : ndarray, shape (m, n)
            Measured minus average value at n places, for each candidate.
        position_mm : ndarray, shape (n,)
            The places, along the cord.
        conus : ndarray, shape (m, n)
            The share of the conus' deviation that each place has, for each candidate; see `conus_share`.
        """
        covariance = self.covariance(position_mm)
        inverse = np.linalg.inv(covariance)
        tip = self.tip * conus
        weighted = tip @ inverse
        # The conus' deviation is added to covariances by the matrix determinant lemma and the Sherman-Morrison formula.
        gain = 1 + (weighted * tip).sum(axis=1)
        squares = ((residual @ inverse) * residual).sum(axis=1) - (weighted * residual).sum(axis=1) ** 2 / gain
        scales, shares = (np.array(values)[:, None] for values in (SCALES, SCALE_SHARES))
        densities = np.log(shares) - 0.5 * squares / scales**2 - len(position_mm) * np.log(scales)
        return logsumexp(densities, axis=0) - 0.5 * np.log(gain)


def conus_share(u: np.ndarray) -> np.ndarray:
    """Return the share of the conus' deviation at places that are given as shares of the cord's length from its top."""
    return np.clip((u - CONUS_FROM) / (1 - CONUS_FROM), 0, 1)


# Of the logarithm of the area, and of the compression ratio.
AREA = Deviation(common=0.12, along=0.075, tip=0.7)
RATIO = Deviation(common=0.04, along=0.053, tip=0.13)
