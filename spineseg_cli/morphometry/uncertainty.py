"""Standard errors of measures along the cord.

Three independent sources are combined: the scatter of a measure from slice to slice about a smooth curve, which includes the
noise of the mask and its voxels; the direction of the cord; and the uncertainty of the outline if a soft mask's edge is wider
than its voxels.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spineseg_cli.morphometry.sections.frame import CordFrame
from spineseg_cli.morphometry.smoothing import fit_smooth

# Point counting: the variance of an area from the points of a square lattice inside it is 0.0724 times perimeter times spacing^3
# (Gundersen & Jensen, Journal of Microscopy 147:229, 1987; Matern, 1960).
LATTICE = 0.0724

# Least standard deviation of the fraction of a voxel.
FRACTION_SD = 0.02

# Sharpness of the correlation of the voxels' errors, exp(sharpness (cos p - 1)) for a phase difference p; it extends over shifts
# of a quarter of a voxel.
PHASE_SHARPNESS = 0.5

# The error of a smooth outline of a binary mask is that of counting over the square root of the number of slices around that lie
# differently on the grid, but at least this share of it.
LEAST_GAIN = 0.3

# Wavelength below which the cord's size does not change: from the widest cervical to the thoracic cord, it is half of 120 mm.
SMOOTH_MM = 50.0

# Scatter is computed from the slices within this distance, mm, and, as a prior of a number of slices, from all.
LOCAL_MM = 10.0
GLOBAL_SLICES = 20.0

# Largest contribution of an outlying slice, as a multiple of the variance of all.
MOST_RATIO = 16.0

# Blurs of errors along the cord that are tried, mm: from none to the largest that differs from changes of the cord itself.
BLURS_MM = np.linspace(0, 6, 61)
FREQUENCIES = 400

# Standard deviation of the outline's error, common to neighboring slices, as a share of the width of a soft mask's edge in excess
# of that of its voxels. It is a guess: the relation has to be measured for each network.
DOUBT = 0.05


def lattice_sd(perimeter_mm: np.ndarray, pixel_mm2: float, soft: bool) -> np.ndarray:
    """Return the standard deviation of an area in a slice, mm2, from its voxels alone, shape (n,).

    In a binary mask, it is due to the position of the grid; in a soft one, to the fractions of the voxels on its outline.
    """
    side = np.sqrt(pixel_mm2)
    if not soft:
        return np.sqrt(LATTICE * perimeter_mm * side**3)
    return FRACTION_SD * pixel_mm2 * np.sqrt(np.maximum(perimeter_mm / side, 1))


def grid_correlation(centers_mm: np.ndarray, size_mm: np.ndarray, side_mm: np.ndarray) -> np.ndarray:
    """Return the correlation of the errors due to voxels between each pair of slices, shape (n, n).

    It is zero on average over random positions. Errors are correlated if the four sides of the section have similar positions
    relative to the voxels; a quarter of a voxel further, the outline meets other voxels.

    Parameters
    ----------
    centers_mm, size_mm : ndarray, shape (n, 2)
        Center and diameters of each section along the axes of the plane.
    side_mm : ndarray, shape (2,)
        The in-plane voxel size.
    """
    phases = 2j * np.pi * np.concatenate([centers_mm - size_mm / 2, centers_mm + size_mm / 2], axis=1) / np.tile(side_mm, 2)
    turns = np.exp(np.nan_to_num(phases))
    alike = np.exp(PHASE_SHARPNESS * ((turns @ turns.conj().T).real - turns.shape[1]))
    chance = (np.i0(PHASE_SHARPNESS) * np.exp(-PHASE_SHARPNESS)) ** turns.shape[1]
    return (alike - chance) / (1 - chance)


def outline_sd(perimeter_mm: np.ndarray, excess_mm: float) -> np.ndarray:
    """Return the standard deviation of an area, mm2, whose mask has an edge wider than its voxels by `excess_mm`, shape (n,)."""
    return DOUBT * excess_mm * perimeter_mm


def neighborhood(position_mm: np.ndarray) -> np.ndarray:
    """Return the weight of each slice in the scatter of each other slice, shape (n, n)."""
    return np.exp(-0.5 * ((position_mm[:, None] - position_mm) / LOCAL_MM) ** 2)


def scatter_sd(
    position_mm: np.ndarray, values: np.ndarray, weights: np.ndarray, least_sd: np.ndarray, near: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the standard deviation of a measure about a smooth curve along the cord, shape (n,), at least `least_sd`.

    Also return the correlation of neighboring slices' deviations. Values that are nan are left out. `near` is the result of
    `neighborhood`.
    """
    used = np.where(np.isfinite(values), weights, 0.0)
    if not used.any():
        return np.full(len(values), np.nan), 0.0
    known = np.where(used > 0, values, 0.0)
    fit = fit_smooth(position_mm, known[:, None], used, cutoff_mm=SMOOTH_MM, prior_sd=float(least_sd[used > 0].mean()))
    lost = used.sum() / max(used.sum() - fit.parameters, 1.0)  # residuals are smaller than errors, as the curve follows them
    whole = fit.residual_sd[0] ** 2
    squares = np.minimum(lost * (known - fit.values[:, 0]) ** 2, MOST_RATIO * whole) * (used > 0)
    whole, squares = (part * _regained(fit.correlation[0], position_mm) for part in (whole, squares))
    variance = (GLOBAL_SLICES * whole + near @ squares) / (GLOBAL_SLICES + near @ (used > 0))
    # Student's t at 97.5 % over the normal's for the remaining degrees of freedom (Cornish & Fisher): 1.96 errors then hold 95 %.
    widened = 1 + 1.21 / max(used.sum() - fit.parameters, 1.0)
    return np.maximum(widened * np.sqrt(variance), least_sd), float(fit.correlation[0])


def _regained(correlation: float, position_mm: np.ndarray) -> float:
    """Return the variance of the slices' errors over that about a smooth curve, which follows their low frequencies.

    Errors along the cord are modeled as white noise blurred by a Gaussian of standard deviation s, whose power decreases as
    exp(-(2 pi f s)^2) with the frequency f; the curve leaves (1 - H)^2 of it, H = 1 / (1 + (cutoff f)^6). s follows from the
    correlation of neighbors about the curve.
    """
    if len(position_mm) < 3:
        return 1.0
    step_mm = float(np.median(np.diff(position_mm)))
    frequency = (np.arange(FREQUENCIES) + 0.5) / (2 * step_mm * FREQUENCIES)
    power = np.exp(-((2 * np.pi * frequency * BLURS_MM[:, None]) ** 2))
    left = power * (1 - 1 / (1 + (SMOOTH_MM * frequency) ** 6)) ** 2
    seen = (left * np.cos(2 * np.pi * frequency * step_mm)).sum(axis=1) / left.sum(axis=1)
    ratio = power.sum(axis=1) / left.sum(axis=1)
    # Half a standard error less than measured, so that short series do not show a correlation by chance.
    surely = correlation - 0.5 * (1 - correlation**2) / np.sqrt(len(position_mm))
    return float(np.interp(surely, np.maximum.accumulate(seen), ratio / ratio[0]))


def standard_errors(
    values: Mapping[str, np.ndarray],
    noise: np.ndarray,
    doubt: np.ndarray,
    orientation_se: np.ndarray,
    position: np.ndarray,
    weights: np.ndarray,
    frame: CordFrame,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], float]:
    """Return the standard errors, the part of them that neighbors share, and the correlation of the rest.

    `noise`, shape (n,), is the least standard deviation of the area, mm2. For shape measures, the quarters of the outline are
    assumed to have independent errors: the relative error of a diameter is half of the area's, that of a ratio about the same.
    `doubt`, shape (n,), is the standard deviation of the area, mm2, from the error of the outline as a whole.
    """
    area = values["area_mm2"]
    relative, wider = noise / np.maximum(area, 1e-9), doubt / np.maximum(area, 1e-9) / 2
    depth, width = values["diameter_AP_mm"], values["diameter_RL_mm"]
    least = {
        "area_mm2": noise,
        "diameter_AP_mm": depth * relative / 2,
        "diameter_RL_mm": width * relative / 2,
        "compression_ratio": values["compression_ratio"] * relative,
    }
    common = {
        "area_mm2": np.hypot(area * frame.cosine_relative_se, doubt),
        "diameter_AP_mm": depth * np.hypot(frame.in_plane_relative_se[:, 1], wider),
        "diameter_RL_mm": width * np.hypot(frame.in_plane_relative_se[:, 0], wider),
        "compression_ratio": values["compression_ratio"] * np.hypot(*frame.in_plane_relative_se.T),
    }
    known = {
        "orientation_deg": orientation_se,
        "angle_AP_deg": frame.angles_se_deg[:, 0],
        "angle_RL_deg": frame.angles_se_deg[:, 1],
        "length_mm": values["length_mm"] * frame.cosine_relative_se,
    }
    near = neighborhood(position)
    errors, shared = dict(known), dict(known)
    correlation = 0.0
    for name in values.keys() - known.keys() - {"volume_mm3"}:
        quarter = name.startswith("area_quadrant")
        smallest = least.get(name, noise / 2 if quarter else relative / 2)
        shared[name] = common.get(name, common["area_mm2"] / 4 if quarter else np.zeros(len(area)))
        scatter, neighbors = scatter_sd(position, values[name], weights, smallest, near)
        errors[name] = np.hypot(scatter, shared[name])
        correlation = neighbors if name == "area_mm2" else correlation
    return errors, shared, correlation
