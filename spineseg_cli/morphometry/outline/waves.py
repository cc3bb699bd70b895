"""Smooth outlines as waves of 1 / r^2 around the cord; for an ellipse, these are a constant and a wave of two periods."""

from __future__ import annotations

import numpy as np

from spineseg_cli.morphometry.outline.polar import ANGLES_RAD

# Highest harmonic: up to this, waves follow a bean or a squarish cord, but not a nerve root.
HARMONICS = 4
PHASES = np.outer(ANGLES_RAD, np.arange(HARMONICS + 1))
BASIS = np.concatenate([np.cos(PHASES), np.sin(PHASES)[:, 1:]], axis=1)

# Limits, in robust standard deviations, beyond which rays are not on the cord: nerve roots and ligaments protrude outward, and
# the edge is indented where vessels in the anterior fissure are as bright as the fluid. Both were chosen on phantoms whose roots
# touch the cord (bias of the area 0.8 % at 1 mm, 0.0 % at 0.5 mm), and on the scans of one subject in three contrasts (3.5 %
# apart; with 4.7, the usual second limit, 5 %).
OUTWARD, INWARD = 1.9, 3.3
ABSOLUTE_ROUNDS, BIWEIGHT_ROUNDS = 4, 10

# Least weight of a ray far from the outline, so that every fit has rays.
LEAST_WEIGHT = 1e-4


def fit_waves(outline_mm: np.ndarray, weights: np.ndarray, near_mm: np.ndarray) -> np.ndarray:
    """Return the smooth outlines with the least squared distances from `outline_mm`, all of shape (n, RAYS).

    `near_mm` is an approximation of them, which converts errors: an error e of 1 / r^2 is one of r^3 / 2 e in r.
    """
    per_mm = weights * (near_mm**3 / 2) ** 2
    normal = np.einsum("nr,ra,rb->nab", per_mm, BASIS, BASIS, optimize=True)
    right = np.einsum("nr,ra->na", per_mm * outline_mm**-2, BASIS)
    waves = np.linalg.solve(normal, right[..., None])[..., 0] @ BASIS.T
    return np.maximum(waves, (2 * outline_mm.max(axis=1, keepdims=True)) ** -2) ** -0.5


def biweight(residual_mm: np.ndarray, least_scale_mm: float) -> np.ndarray:
    """Return Tukey's weights (Beaton & Tukey, Technometrics 16:147, 1974) of distances outward, shape (n, RAYS): 0 to 1.

    They decrease faster outward, where roots and vessels are. The scale is the median distance, at least `least_scale_mm`.
    """
    scale = np.maximum(1.4826 * np.median(np.abs(residual_mm), axis=1, keepdims=True), least_scale_mm)
    limit = np.where(residual_mm > 0, OUTWARD, INWARD) * scale
    return np.maximum(1 - (residual_mm / limit) ** 2, 0) ** 2 + LEAST_WEIGHT


def without_bumps(outline_mm: np.ndarray, least_scale_mm: float) -> np.ndarray:
    """Return outlines, shape (n, RAYS), without narrow protrusions such as nerve roots and vessels that touch the cord.

    The fit by `biweight` starts from that of least absolute distances, which protrusions hardly affect.
    """
    fitted = fit_waves(outline_mm, np.ones_like(outline_mm), outline_mm)
    for _ in range(ABSOLUTE_ROUNDS):
        fitted = fit_waves(outline_mm, 1 / np.maximum(np.abs(outline_mm - fitted), least_scale_mm), fitted)
    for _ in range(BIWEIGHT_ROUNDS):
        fitted = fit_waves(outline_mm, biweight(outline_mm - fitted, least_scale_mm), fitted)
    return fitted
