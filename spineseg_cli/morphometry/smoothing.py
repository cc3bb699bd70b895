"""Smooth curves along the cord, with their slopes and standard errors.

A penalized cubic B-spline (Eilers & Marx, Statistical Science 11:89, 1996) on evenly spaced knots. Its penalty is on the third
differences, so that parabolas are unchanged: a cord of constant bend keeps its direction up to both ends, which a penalty on the
second derivative would straighten. Only numpy is used, since importing `scipy.interpolate` takes longer than measuring a mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Wavelength (mm) that keeps half of its amplitude: about two cervical vertebrae, as in `core.localization.curve_fit`.
CUTOFF_MM = 30.0

# Number of knots per cutoff wavelength, enough for the oscillations that pass the penalty.
KNOTS_PER_CUTOFF = 6

# Robust standard deviations beyond which residuals weigh less (Huber, Annals of Mathematical Statistics 35:73, 1964).
HUBER_LIMIT = 2.0
HUBER_ROUNDS = 4

# Number of prior observations of the residual variance, so that a fit through few points does not appear exact.
PRIOR_OBSERVATIONS = 2.0

# Largest correlation of neighbors that is used to widen an error: short series do not support more.
MOST_CORRELATION = 0.95


@dataclass(frozen=True)
class SmoothFit:
    """A smooth curve at the n positions of its fit, for c series of values at once.

    Attributes
    ----------
    values, slopes : ndarray, shape (n, c)
        The curve and its derivative, per mm.
    values_se, slopes_se : ndarray, shape (n, c)
        Standard errors, from the residuals and the leverage of the points.
    residual_sd : ndarray, shape (c,)
        Standard deviation of the points about the curve.
    correlation : ndarray, shape (c,)
        Correlation of neighboring residuals, 0 to 1.
    weights : ndarray, shape (n,)
        Final weight of each point, reduced for outliers.
    parameters : float
        Effective number of parameters: the trace of the matrix that maps values to the curve.
    """

    values: np.ndarray
    slopes: np.ndarray
    values_se: np.ndarray
    slopes_se: np.ndarray
    residual_sd: np.ndarray
    correlation: np.ndarray
    weights: np.ndarray
    parameters: float


def fit_smooth(
    position_mm: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    cutoff_mm: float = CUTOFF_MM,
    prior_sd: float = 0.0,
) -> SmoothFit:
    """Fit a smooth curve, robustly, to each series of values along the cord.

    One point gives a constant, two give a line, and three or more at least a parabola.

    Parameters
    ----------
    position_mm : ndarray, shape (n,)
        Strictly increasing positions; n is at least 1.
    values : ndarray, shape (n, c)
        Values of each series; they are ignored where the weight is 0.
    weights : ndarray, shape (n,), optional
        Confidence in each point, 0 to 1, at least one above 0; 1 by default.
    cutoff_mm : float
        Wavelength that keeps half of its amplitude.
    prior_sd : float
        Prior standard deviation of the residuals.
    """
    given = np.ones(len(position_mm)) if weights is None else np.asarray(weights, float)
    values = np.where(given[:, None] > 0, values, 0.0)
    basis, slope_basis, penalty = make_basis(position_mm, given, cutoff_mm)
    used = given
    for _ in range(HUBER_ROUNDS):
        normal = basis.T @ (used[:, None] * basis) + penalty
        coefficients = np.linalg.solve(normal, basis.T @ (used[:, None] * values))
        residuals = values - basis @ coefficients
        weighted = given * _huber_weights(residuals, given, prior_sd)
        if np.array_equal(weighted, used):
            break
        used = weighted
    inverse = np.linalg.inv(normal)
    parameters = float(np.trace(inverse @ (basis.T @ (used[:, None] * basis))))
    squares = (used[:, None] * residuals**2).sum(axis=0)
    variance = (squares + PRIOR_OBSERVATIONS * prior_sd**2) / (max(used.sum() - parameters, 0.0) + PRIOR_OBSERVATIONS)
    correlation = _neighbor_correlation(residuals, used)
    clipped = np.minimum(correlation, MOST_CORRELATION)
    widened = np.sqrt(variance * (1 + clipped) / (1 - clipped))
    return SmoothFit(
        values=basis @ coefficients,
        slopes=slope_basis @ coefficients,
        values_se=_spread(basis, inverse)[:, None] * widened,
        slopes_se=_spread(slope_basis, inverse)[:, None] * widened,
        residual_sd=np.sqrt(variance),
        correlation=correlation,
        weights=used,
        parameters=parameters,
    )


def make_basis(position_mm: np.ndarray, weights: np.ndarray, cutoff_mm: float):
    """Return the splines and their derivatives, shape (n, m), and the penalty, shape (m, m).

    With r points per mm, a wave of wavelength L keeps 1 / (1 + penalty (2 pi / L)^6 / r) of its amplitude: half of it at the
    cutoff if penalty = r (cutoff / 2 pi)^6. The integral of f'''^2 is the sum of squared third differences over knot spacing^5.
    """
    start, length = position_mm[0], max(float(np.ptp(position_mm)), 1e-3)
    pieces = max(1, int(np.ceil(length * KNOTS_PER_CUTOFF / cutoff_mm)))
    step = length / pieces
    basis, slopes = _cubic_splines((position_mm - start) / step, pieces)
    order = min(3, int((weights > 0).sum()))
    differences = np.diff(np.eye(pieces + 3), order, axis=0)
    density = max(float(weights.sum()), 1.0) / max(length, cutoff_mm / KNOTS_PER_CUTOFF)
    strength = density * (cutoff_mm / (2 * np.pi)) ** (2 * order) / step ** (2 * order - 1)
    tiny = 1e-10 * np.eye(pieces + 3)  # avoids a singular matrix
    return basis, slopes / step, strength * differences.T @ differences + tiny


def _cubic_splines(units: np.ndarray, pieces: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the uniform cubic B-splines, and their derivatives, at positions in knot intervals, shape (n, pieces + 3)."""
    first = np.clip(np.floor(units).astype(int), 0, pieces - 1)
    t = units - first
    parts = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
    slopes = np.stack([-((1 - t) ** 2), 3 * t**2 - 4 * t, -3 * t**2 + 2 * t + 1, t**2]) / 2
    basis, derivative = np.zeros((2, len(units), pieces + 3))
    rows = np.arange(len(units))
    for offset in range(4):
        basis[rows, first + offset] = parts[offset]
        derivative[rows, first + offset] = slopes[offset]
    return basis, derivative


def _huber_weights(residuals: np.ndarray, given: np.ndarray, prior_sd: float) -> np.ndarray:
    """Return 1 for points near the curve, less for those further than `HUBER_LIMIT` robust standard deviations in any series."""
    kept = given > 0
    scale = 1.4826 * np.median(np.abs(residuals[kept]), axis=0) + max(prior_sd, 1e-9)
    return np.minimum(1, HUBER_LIMIT / np.maximum(np.abs(residuals / scale).max(axis=1), 1e-9))


def _neighbor_correlation(residuals: np.ndarray, weights: np.ndarray) -> np.ndarray:
    both = np.sqrt(weights[1:] * weights[:-1])[:, None]
    products = (both * residuals[1:] * residuals[:-1]).sum(axis=0)
    squares = (weights[:, None] * residuals**2).sum(axis=0) + 1e-12
    return np.clip(products / squares, 0, 1)


def _spread(basis: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(np.einsum("ni,ij,nj->n", basis, inverse, basis, optimize=True), 0))
