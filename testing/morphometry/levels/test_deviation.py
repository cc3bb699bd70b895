"""The likelihood of a profile's deviations from the average adult."""

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from spineseg_cli.morphometry.levels.deviation import AREA, SCALE_SHARES, SCALES, conus_share


def test_the_likelihood_is_that_of_the_normal_densities_of_both_scales():
    rng = np.random.default_rng(0)
    place, u = np.arange(0, 60, 5.0), np.linspace([0.2, 0.7], [0.4, 1.0], 12, axis=1)
    residual = rng.normal(0, 0.3, u.shape)
    expected = []
    for values, shares in zip(residual, u, strict=True):
        tip = AREA.tip * conus_share(shares)
        covariance = AREA.covariance(place) + np.outer(tip, tip)
        densities = [multivariate_normal.logpdf(values, cov=scale**2 * covariance) for scale in SCALES]
        expected.append(logsumexp(densities, b=SCALE_SHARES))
    found = AREA.log_likelihood(residual, place, conus_share(u))
    assert np.isclose(np.diff(found), np.diff(expected))


def test_a_profile_unlike_the_average_everywhere_tells_less_of_its_position():
    """One position fits better than another by the same difference, but both fit badly."""
    place, wave = np.arange(0, 200, 5.0), np.sin(np.arange(40) * 0.7)

    def preference(size):
        residual = np.stack([size * wave, size * wave + 0.3 * np.cos(np.arange(40) * 0.4)])
        return -np.diff(AREA.log_likelihood(residual, place, np.zeros((2, 40))))[0]

    assert 0 < preference(0.6) < 0.6 * preference(0.0)
