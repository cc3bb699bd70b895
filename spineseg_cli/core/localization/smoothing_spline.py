"""A smoothing spline through points, in numpy alone, since importing `scipy.interpolate` takes longer than finding a cord."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class NaturalSpline:
    """A cubic spline whose second derivative is 0 at its ends."""

    knots: np.ndarray  # shape (n,), n at least 2: increasing positions at which its pieces meet
    values: np.ndarray  # shape (n, c), the curve at the knots
    curvatures: np.ndarray  # its second derivative there

    def __call__(self, at: np.ndarray | list[float], nu: int = 0) -> np.ndarray:
        """Return the curve (`nu` = 0) or its derivative (1), shape (m, c), at positions within the knots, shape (m,)."""
        at = np.asarray(at, float)
        piece = np.clip(np.searchsorted(self.knots, at, side="right") - 1, 0, len(self.knots) - 2)
        step = (self.knots[piece + 1] - self.knots[piece])[:, None]
        t = (at - self.knots[piece])[:, None] / step
        (low, high), (curvature, next_curvature) = ((each[piece], each[piece + 1]) for each in (self.values, self.curvatures))
        if nu:
            return (high - low) / step + step / 6 * ((3 * t**2 - 1) * next_curvature - (3 * (1 - t) ** 2 - 1) * curvature)
        return (1 - t) * low + t * high + step**2 / 6 * (((1 - t) ** 3 - (1 - t)) * curvature + (t**3 - t) * next_curvature)


def fit_smoothing_spline(z: np.ndarray, xy: np.ndarray, weights: np.ndarray, smooth_mm: float) -> NaturalSpline:
    """Minimize sum_i w_i |xy_i - f(z_i)|^2 + penalty * integral of |f''|^2 over cubic splines with a knot at each point.

    With r points per mm, of mean weight 1, a wave of wavelength L keeps 1 / (1 + penalty (2 pi / L)^4 / r) of its amplitude
    (Silverman, Annals of Statistics 12:898, 1984): half of it at L = `smooth_mm` if penalty = r (smooth_mm / 2 pi)^4.

    The equations are solved for the second derivatives at the inner points (Reinsch, Numerische Mathematik 10:177, 1967), which
    works for two points and more, and leaves straight lines unchanged.

    `z`, shape (n,), are two or more increasing positions in mm; `xy`, shape (n, 2), are the points there, in mm; `weights`,
    shape (n,), are above 0, of mean 1.
    """
    unit_mm = smooth_mm / (2 * np.pi)  # with this unit of z, the penalty equals the density of points
    step = np.diff(z) / unit_mm
    curvatures = np.zeros(xy.shape)
    if len(step) < 2:  # two points: a straight line
        return NaturalSpline(z, xy, curvatures)
    variance = (len(step) / step.sum() / weights)[:, None]
    slopes = 1 / step[:, None]
    before, here, after = slopes[:-1], -slopes[:-1] - slopes[1:], slopes[1:]  # coefficients of second differences
    diagonals = [
        before**2 * variance[:-2] + here**2 * variance[1:-1] + after**2 * variance[2:] + (step[:-1] + step[1:])[:, None] / 3,
        here[:-1] * before[1:] * variance[1:-2] + after[:-1] * here[1:] * variance[2:-1] + step[1:-1, None] / 6,
        after[:-2] * before[2:] * variance[2:-2],
    ]
    differences = before * xy[:-2] + here * xy[1:-1] + after * xy[2:]
    solution = _solve_pentadiagonal([diagonal[:, 0] for diagonal in diagonals], differences[:, 0] + 1j * differences[:, 1])
    curvatures[1:-1] = inner = np.stack([solution.real, solution.imag], axis=1)
    residual = np.zeros(xy.shape)
    residual[:-2] += before * inner
    residual[1:-1] += here * inner
    residual[2:] += after * inner
    return NaturalSpline(z, xy - variance * residual, curvatures / unit_mm**2)


def _solve_pentadiagonal(diagonals: Sequence[np.ndarray], right: np.ndarray) -> np.ndarray:
    """Solve linear equations with a symmetric, positive definite, pentadiagonal matrix by LDL factorization.

    `diagonals` are the main diagonal of the matrix, shape (n,), and the two above it; `right`, shape (n,), is the right-hand
    side.
    """
    diagonal, next_to, after_next = diagonals
    count = len(diagonal)
    pivots, firsts, seconds, forward = [1.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    nexts, afters = [*next_to.tolist(), 0.0], [*after_next.tolist(), 0.0, 0.0][:count]
    for value, one, two, row in zip(diagonal.tolist(), nexts, afters, right.tolist(), strict=True):
        pivot = value - firsts[-1] ** 2 * pivots[-1] - seconds[-2] ** 2 * pivots[-2]
        forward.append(row - firsts[-1] * forward[-1] - seconds[-2] * forward[-2])
        firsts.append((one - firsts[-1] * pivots[-1] * seconds[-1]) / pivot)
        seconds.append(two / pivot)
        pivots.append(pivot)
    solution = [0.0, 0.0]
    for pivot, first, second, row in zip(pivots[:1:-1], firsts[:1:-1], seconds[:1:-1], forward[:1:-1], strict=True):
        solution.append(row / pivot - first * solution[-1] - second * solution[-2])
    return np.array(solution[:1:-1])
