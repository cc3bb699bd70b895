"""Standard errors of measures along the cord.

Three sources are added in squares: how much a measure scatters from slice to slice about a smooth curve, which holds the noise of
the mask and its voxels; the direction of the cord; and the doubt about the outline where a soft mask's edge is wider than its voxels.
"""

from __future__ import annotations

import numpy as np

from spineseg_cli.morphometry.smoothing import fit_smooth

# Point counting: the variance of an area from the points of a square lattice inside it is 0.0724 times perimeter times spacing^3
# (Gundersen & Jensen, Journal of Microscopy 147:229, 1987; Matern, 1960).
LATTICE = 0.0724

# Fractions of voxels are not known better than this.
FRACTION_SD = 0.02

# Scatter is that of the slices within so many mm and, as if from so many slices, that of all.
LOCAL_MM = 10.0
GLOBAL_SLICES = 20.0

# One outlying slice counts for at most so many times the variance of all.
MOST_RATIO = 16.0

# Along the outline, errors of a drawn or predicted edge go together over about so many mm.
OUTLINE_CORRELATION_MM = 2.0


def lattice_sd(perimeter_mm: np.ndarray, pixel_mm2: float, soft: bool) -> np.ndarray:
    """Return the standard deviation of an area in a slice, mm2, from its voxels alone, shape (n,).

    For a binary mask, from where the grid happens to lie; for a soft one, from the fractions of the voxels on its outline.
    """
    side = np.sqrt(pixel_mm2)
    if not soft:
        return np.sqrt(LATTICE * perimeter_mm * side**3)
    return FRACTION_SD * pixel_mm2 * np.sqrt(np.maximum(perimeter_mm / side, 1))


def outline_sd(perimeter_mm: np.ndarray, edge_sd_mm: float) -> np.ndarray:
    """Return the standard deviation of an area, mm2, whose outline is in doubt by `edge_sd_mm`, shape (n,)."""
    return edge_sd_mm * np.sqrt(perimeter_mm * OUTLINE_CORRELATION_MM)


def neighborhood(position_mm: np.ndarray) -> np.ndarray:
    """Return how much each slice says of the scatter in each other, shape (n, n)."""
    return np.exp(-0.5 * ((position_mm[:, None] - position_mm) / LOCAL_MM) ** 2)


def scatter_sd(
    position_mm: np.ndarray, values: np.ndarray, weights: np.ndarray, least_sd: np.ndarray, near: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the standard deviation of a measure about a smooth curve along the cord, shape (n,), at least `least_sd`.

    And the correlation of neighboring slices' deviations. What is nan in `values`, shape (n,), is left out. `near` is from `neighborhood`.
    """
    used = np.where(np.isfinite(values), weights, 0.0)
    if not used.any():
        return np.full(len(values), np.nan), 0.0
    known = np.where(used > 0, values, 0.0)
    fit = fit_smooth(position_mm, known[:, None], used, prior_sd=float(least_sd[used > 0].mean()))
    lost = used.sum() / max(used.sum() - fit.parameters, 1.0)  # residuals are smaller than errors by what the curve followed
    whole = fit.residual_sd[0] ** 2
    squares = np.minimum(lost * (known - fit.values[:, 0]) ** 2, MOST_RATIO * whole) * (used > 0)
    variance = (GLOBAL_SLICES * whole + near @ squares) / (GLOBAL_SLICES + near @ (used > 0))
    return np.maximum(np.sqrt(variance), least_sd), float(fit.correlation[0])
