"""A coarse-to-fine initial outline near the cord's edge, which hardly depends on the mask.

A smooth outline is moved to the mean position of the steps near it, first within a few mm, then within smaller and smaller
distances (mean shift; Comaniciu & Meer, IEEE PAMI 24:603, 2002), as there is a single optimum at the coarse scale. The centerline
is computed again from the outlines twice, so that in the end neither the mask's outline nor its direction matters.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spineseg_cli.morphometry.edge.steps import COARSE_STEP_MM, STEP_MM, EdgeSteps, offsets_within
from spineseg_cli.morphometry.outline.polar import DIRECTIONS, RAYS, STEP_RAD, polygon_area, trace_outline
from spineseg_cli.morphometry.outline.waves import biweight, fit_waves
from spineseg_cli.morphometry.profile import LEAST_WEIGHT, Profile
from spineseg_cli.morphometry.sections.frame import fit_frame
from spineseg_cli.morphometry.smoothing import fit_smooth

# Standard deviations, mm, of the Gaussian weights of steps by their distance from the outline, in turn: a mask may be wrong by
# two voxels of 1 mm; the last is that of an edge. After the listed ones, the centerline is computed again.
SCALES_MM = (1.5, 1.0, 0.7, 0.5, 0.35)
NEW_CENTERS = (1, 3)
ROUNDS = 4

# Least scatter of rays about an outline, mm.
LEAST_SCATTER_MM = 0.05

# Distance, in these standard deviations, within which steps are used.
REACH = 2.5

# Standard deviation of the error of a mask's outline, used when the sign of the step is determined.
NEAR_MM = 0.7

# Smoothness of outlines: highest harmonic around the cord, and shortest wavelength (mm) along it. The outline of a mask is
# smoothed more, to remove its steps, than that of the image. The last is the typical scatter (mm) of a wave's amplitude, summed
# over the rays.
MASK_HARMONICS, MASK_CUTOFF_MM = 4, 20.0
EDGE_HARMONICS, EDGE_CUTOFF_MM = 8, 8.0
WAVE_SD = 0.5


def find_start(profile: Profile, steps: EdgeSteps) -> tuple[np.ndarray, float, EdgeSteps]:
    """Return a smooth outline near the image's edge, shape (n, RAYS), mm, the sign of its step, and its rays.

    The sign is 1 if the cord's surroundings are brighter, -1 if they are darker.
    """
    radius, sign = _outline_of_mask(profile, steps), 0.0
    for turn, scale_mm in enumerate(SCALES_MM):
        offsets = offsets_within(REACH * scale_mm, COARSE_STEP_MM)
        derivative = steps.derivative(radius, offsets)
        sign = sign or _sign(derivative, offsets)
        radius = _shift_to_mean(radius, np.maximum(sign * derivative, 0), offsets, scale_mm)
        radius = smooth_along(profile, radius, profile.whole, EDGE_HARMONICS, EDGE_CUTOFF_MM)
        if turn in NEW_CENTERS:
            radius, steps = _centered(profile, radius, steps)
    return radius, sign, steps


def smooth_along(profile: Profile, outline_mm: np.ndarray, used: np.ndarray, harmonics: int, cutoff_mm: float) -> np.ndarray:
    """Return outlines, shape (n, RAYS), smoothed around the cord (up to `harmonics`) and along it.

    Slices that are not `used`, shape (n,), have almost no weight.
    """
    waves = np.fft.rfft(outline_mm, axis=1)[:, : harmonics + 1]
    weights = used.astype(float) if used.any() else np.ones(len(outline_mm))
    parts = np.concatenate([waves.real, waves.imag], axis=1)
    fit = fit_smooth(profile.frame.position_mm, parts, np.maximum(weights, LEAST_WEIGHT), cutoff_mm=cutoff_mm, prior_sd=WAVE_SD)
    real, imaginary = np.split(fit.values, 2, axis=1)
    return np.maximum(np.fft.irfft(real + 1j * imaginary, RAYS, axis=1), STEP_MM)


def _outline_of_mask(profile: Profile, steps: EdgeSteps) -> np.ndarray:
    outline = trace_outline(profile.mask, steps.rays)
    known = np.isfinite(outline).all(axis=1)
    outline = np.where(known[:, None], outline, np.nanmedian(np.where(known[:, None], outline, np.nan)))
    return smooth_along(profile, outline, profile.whole & known, MASK_HARMONICS, MASK_CUTOFF_MM)


def _sign(derivative: np.ndarray, offsets_mm: np.ndarray) -> float:
    near = derivative * np.exp(-0.5 * (offsets_mm / NEAR_MM) ** 2)
    rise, fall = (np.maximum(side, 0).max(axis=2) for side in (near, -near))
    return 1.0 if np.median(rise) >= np.median(fall) else -1.0


def _shift_to_mean(radius_mm: np.ndarray, steps: np.ndarray, offsets_mm: np.ndarray, scale_mm: float) -> np.ndarray:
    """Return outlines moved to the mean position of the steps (n, RAYS, m) near them.

    A ray is weighted by its steps, up to those of the median ray, and from the second round on less if it deviates, as at a root.
    """
    moved, weights = radius_mm, np.ones_like(radius_mm)
    for _ in range(ROUNDS):
        near = steps * np.exp(-0.5 * ((offsets_mm - (moved - radius_mm)[:, :, None]) / scale_mm) ** 2)
        total = near.sum(axis=2)
        total += 1e-6 * total.mean(axis=1, keepdims=True) + 1e-12
        mean = np.maximum(radius_mm + (near * offsets_mm).sum(axis=2) / total, STEP_MM)
        strength = np.minimum(total / np.median(total, axis=1, keepdims=True), 1)
        moved = fit_waves(mean, strength * weights, moved)
        weights = biweight(mean - moved, LEAST_SCATTER_MM)
    return moved


def _centered(profile: Profile, radius_mm: np.ndarray, steps: EdgeSteps) -> tuple[np.ndarray, EdgeSteps]:
    """Return the outlines relative to the centerline of the region inside them, and its rays."""
    frame = steps.frame
    center = STEP_RAD / 3 * radius_mm**3 @ DIRECTIONS.T / polygon_area(radius_mm)[:, None]
    moved = np.einsum("nij,nj->ni", np.linalg.inv(frame.to_section), center)
    weights = np.where(profile.whole, 1.0, LEAST_WEIGHT) if profile.whole.any() else np.ones(len(moved))
    new = fit_frame(frame.position_mm, frame.centers_mm + moved, weights)
    shift = np.einsum("nij,nj->ni", frame.to_section, new.centers_mm - frame.centers_mm)
    return np.maximum(radius_mm - shift @ DIRECTIONS, STEP_MM), replace(steps, frame=new)
