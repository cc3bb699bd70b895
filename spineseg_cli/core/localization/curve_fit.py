"""Fitting a smooth centerline, in millimeters, through noisy points, one per slice.

`smooth_mm` means the same in all algorithms: an oscillation of that wavelength keeps about half of its amplitude. Longer ones are
kept, shorter ones are smoothed away, and straight lines are kept exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spineseg_cli.core.localization.smoothing_spline import NaturalSpline, fit_smoothing_spline
from spineseg_cli.errors import InputError

if TYPE_CHECKING:
    from scipy.interpolate import BSpline

# About two cervical vertebrae: the spine's curves are longer, and errors of single slices are shorter.
SMOOTH_MM = 30.0

# Points with less than this fraction of the largest weight are left out.
MIN_WEIGHT = 1e-6

# Positions beyond an end of the curve by no more than this rounding error still count as inside.
ROUNDING_MM = 1e-6


@dataclass(frozen=True)
class CurveFit:
    """A curve with one point for each z in a range, as `fit_curve` returns it."""

    spline: NaturalSpline | BSpline  # from z in mm to (x, y) in mm
    start_mm: float  # the range of z that was fitted
    stop_mm: float
    # The slopes dx/dz and dy/dz of the straight lines that extend the curve below and above that range, shape (2, 2); without
    # them, it ends there.
    end_slopes: np.ndarray | None = None

    def at(self, z_mm: np.ndarray) -> np.ndarray:
        """Return x and y in mm, shape (m, 2), at each z, shape (m,), in mm.

        Raises ValueError if a z is outside the fitted range of a curve without `end_slopes`.
        """
        inside, beyond, slopes = self._split(z_mm)
        return self.spline(inside) + beyond[..., None] * slopes

    def tangent(self, z_mm: np.ndarray) -> np.ndarray:
        """Return the unit tangents toward increasing z, shape (m, 3), at each z, shape (m,), in mm; raises as `at` does."""
        inside, beyond, slopes = self._split(z_mm)
        slope = np.where(beyond[..., None] == 0, self.spline(inside, nu=1), slopes)
        tangent = np.concatenate([slope, np.ones_like(slope[..., :1])], axis=-1)
        return tangent / np.linalg.norm(tangent, axis=-1, keepdims=True)

    def _split(self, z_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return each z clipped to the fitted range, its distance beyond that range, and the slope of the extension there."""
        z_mm = np.asarray(z_mm, float)
        inside = np.clip(z_mm, self.start_mm, self.stop_mm)
        beyond = z_mm - inside
        if self.end_slopes is not None:
            return inside, beyond, self.end_slopes[(beyond > 0).astype(int)]
        if (np.abs(beyond) > ROUNDING_MM).any():
            raise ValueError(
                f"the curve goes from z = {self.start_mm:g} to {self.stop_mm:g} mm; got {np.min(z_mm):g} to {np.max(z_mm):g} mm: "
                "fit it with extrapolate=True to go on"
            )
        return inside, np.zeros_like(beyond), np.zeros((*beyond.shape, 2))


def fit_curve(
    points_mm: np.ndarray,
    weights: np.ndarray | None = None,
    algorithm: str = "bspline",
    smooth_mm: float = SMOOTH_MM,
    extrapolate: bool = False,
) -> CurveFit:
    """Fit a smooth curve through noisy points.

    A single point gives a line along z; two points give the line through them.

    Parameters
    ----------
    points_mm : ndarray, shape (n, 3)
        Points, n at least 1; z, the third coordinate, increases strictly.
    weights : ndarray, shape (n,), optional
        Confidence in each point, at least 0; only ratios matter. Points with almost no weight are left out, also from the range.
    algorithm : str
        "bspline" : penalized cubic spline.
        "nurbs" : cubic spline with few knots, fitted twice so that outliers have less effect.
        "polyfit" : polynomial, whose degree follows from length and `smooth_mm`.
        "linear" : straight from point to point, without smoothing; weights only decide which points are left out.
    smooth_mm : float
        Wavelength of the oscillation that keeps about half of its amplitude, above 0.
    extrapolate : bool
        Whether straight lines extend the curve beyond its ends. Their slopes are those of the chords over the curve's first and
        last `smooth_mm`, which depend little on the noise of the end points.

    Returns
    -------
    CurveFit

    Raises
    ------
    InputError
        If the algorithm is unknown, or `smooth_mm` is not positive and finite.
    ValueError
        If points or weights are not as described.
    """
    check_fit(algorithm, smooth_mm)
    points = np.asarray(points_mm, float)
    weights = np.ones(len(points)) if weights is None else np.asarray(weights, float)
    _check(points, weights)
    kept = weights > MIN_WEIGHT * weights.max()
    points, weights = points[kept], weights[kept] / weights[kept].mean()
    start, stop = points[[0, -1], 2]
    if len(points) == 1:
        points, weights = points + [[0, 0, 0], [0, 0, 1]], np.ones(2)
    spline = ALGORITHMS[algorithm](points[:, 2], points[:, :2], weights, smooth_mm)
    end_slopes = None
    if extrapolate:
        reach = min(smooth_mm, np.ptp(points[:, 2]))
        end_slopes = (spline([start + reach, stop]) - spline([start, stop - reach])) / reach
    return CurveFit(spline, float(start), float(stop), end_slopes)


def check_fit(algorithm: str, smooth_mm: float) -> None:
    """Raise InputError unless `fit_curve` has the algorithm, and `smooth_mm` is positive and finite."""
    if algorithm not in ALGORITHMS:
        raise InputError(f"no algorithm {algorithm!r} fits a centerline; choose one of: {', '.join(ALGORITHMS)}")
    if not 0 < smooth_mm < np.inf:
        raise InputError(f"smooth_mm must be above 0 and finite; got {smooth_mm}. For no smoothing, choose the algorithm linear")


def _check(points: np.ndarray, weights: np.ndarray) -> None:
    """Raise ValueError unless the arguments of `fit_curve` are as it describes."""
    if points.ndim != 2 or points.shape[1] != 3 or len(points) == 0 or not np.isfinite(points).all():
        raise ValueError(f"expected finite points of shape (n, 3), n at least 1; got shape {points.shape}")
    if (np.diff(points[:, 2]) <= 0).any():
        raise ValueError("the points' third coordinate must rise strictly: sort them along z, and keep one a slice")
    if weights.shape != points.shape[:1] or not (np.isfinite(weights) & (weights >= 0)).all() or not weights.any():
        raise ValueError(f"expected a finite weight of at least 0 for each of {len(points)} points, and one above 0")


def _nurbs(z: np.ndarray, xy: np.ndarray, weights: np.ndarray, smooth_mm: float) -> BSpline:
    """Fit a non-uniform cubic B-spline by least squares, twice.

    Its knots are about half of `smooth_mm` apart, closer where points are denser; on ranges too short for a cubic, the degree is
    lower. In the second fit, points further from the first one than twice the median distance weigh less in proportion (Huber,
    Annals of Mathematical Statistics 35:73, 1964).
    """
    freedom = int(np.clip(round(2 * (z[-1] - z[0]) / smooth_mm), 1, len(z) - 1))
    degree = min(freedom, 3)
    knots = np.quantile(z, np.linspace(0, 1, freedom - degree + 2)[1:-1])
    first = _least_squares(z, xy, weights, knots, degree)
    distance = np.linalg.norm(xy - first(z), axis=1)
    limit = 2 * np.median(distance) + ROUNDING_MM
    return _least_squares(z, xy, weights * limit / np.maximum(distance, limit), knots, degree)


def _polynomial(z: np.ndarray, xy: np.ndarray, weights: np.ndarray, smooth_mm: float) -> BSpline:
    """Fit a polynomial by least squares, as a B-spline of one piece, whose basis (Bernstein's) is well-conditioned.

    A polynomial of degree d has at most d - 1 turning points, about d / 2 waves. d is chosen such that these have the wavelength
    `smooth_mm`, or the widest gap between points if that is wider, since nothing constrains a polynomial there. d is at most
    2 sqrt(n): higher degrees oscillate even between evenly spaced points (Dahlquist & Bjorck, Numerical Methods, 1974, 4.3.4).
    """
    wave_mm = max(smooth_mm, np.diff(z).max())
    degree = max(1, min(round(2 * (z[-1] - z[0]) / wave_mm), int(2 * np.sqrt(len(z))), len(z) - 1))
    return _least_squares(z, xy, weights, np.empty(0), degree)


def _polyline(z: np.ndarray, xy: np.ndarray, weights: np.ndarray, smooth_mm: float) -> BSpline:
    """Join the points by straight lines."""
    from scipy.interpolate import BSpline

    return BSpline(np.concatenate([z[:1], z, z[-1:]]), xy, 1)


def _least_squares(z: np.ndarray, xy: np.ndarray, weights: np.ndarray, knots: np.ndarray, degree: int) -> BSpline:
    """Return the spline of `degree` with inner `knots` that minimizes sum_i w_i |xy_i - f(z_i)|^2."""
    from scipy.interpolate import BSpline

    knots = np.concatenate([np.repeat(z[0], degree + 1), knots, np.repeat(z[-1], degree + 1)])
    root = np.sqrt(weights)[:, None]
    design = BSpline.design_matrix(z, knots, degree).toarray()
    return BSpline(knots, np.linalg.lstsq(root * design, root * xy, rcond=None)[0], degree)


ALGORITHMS = {"bspline": fit_smoothing_spline, "nurbs": _nurbs, "polyfit": _polynomial, "linear": _polyline}
