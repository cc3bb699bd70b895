"""The search for the steepest step of intensity around a cord's mask.

On rays perpendicular to the cord the derivative of the intensity is taken at a small scale (Canny, IEEE PAMI 8:679, 1986),
averaged a little around and along the cord, and the closed path of the most derivative is found in each slice by dynamic
programming. The mask says only where to begin: the search is repeated around the outline that it gave.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.morphometry.outline import ANGLES_RAD, RAYS, Rays
from spineseg_cli.morphometry.profile import LEAST_WEIGHT, Profile
from spineseg_cli.morphometry.smoothing import fit_smooth

# Samples along a ray, mm, and how far from the outline the step is searched for: a mask may be off by two voxels of 1 mm. Each
# search is around the outline that the one before gave; after five, masks of 1 mm dilated or eroded by half a voxel agree
# within 1 %.
STEP_MM = 0.1
SEARCHES_MM = (2.0, 2.0, 1.5, 1.0, 1.0)

# A mask's outline is off by about so much, standard deviation, when the direction of the step is decided.
NEAR_MM = 0.7

# Scale, in voxels, of the derivative: about the width of an edge that is as sharp as its voxels.
DERIVATIVE_VX = 0.5

# Steps are averaged over so much of the outline and of the cord, standard deviations: less than either changes its shape over.
AROUND_DEG = 6.0
ALONG_MM = 6.0

# A path's step between neighboring rays costs this times its square in samples, in units of the strongest derivative.
BEND_COST = 0.1
MOST_BEND = 3

# The outline that a search begins with is smooth: waves around of this number at most, and wavelengths (mm) of these along the
# cord. A mask's has its teeth taken off; that of the search before may keep more. A wave's amplitude, summed over the rays,
# scatters by about so much, mm.
START_HARMONICS, START_CUTOFF_MM = 4, 20.0
NEXT_HARMONICS, NEXT_CUTOFF_MM = 8, 8.0
WAVE_SD = 0.5

# An edge is seen where its derivative is this many times the noise's; a slice's edge if it is on this share of the rays.
LEAST_CONTRAST = 3.0
LEAST_SHARE = 0.75


def find_outline(profile: Profile, image: Volume) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the radius of the steepest step on each ray, shape (n, RAYS), whether it is seen, shape (n,), and its blur, mm2."""
    sigma_mm = DERIVATIVE_VX * np.sqrt(profile.grid.pixel_mm2)
    radius, sign = _start(profile), 0.0
    for reach_mm in SEARCHES_MM:
        offsets = np.arange(-round(reach_mm / STEP_MM), round(reach_mm / STEP_MM) + 1) * STEP_MM
        derivative = _derivatives(image, profile.rays, radius[:, :, None] + offsets, profile.slices, sigma_mm)
        sign = sign or _sign(derivative, offsets)
        smooth = _averaged(_over_smear(sign * derivative, _smear_mm(profile)), profile.grid.step_mm)
        chosen = _best_path(smooth)
        outline = radius + offsets[0] + STEP_MM * _subsample(smooth, chosen)
        radius = _smooth_around(profile, outline, profile.whole, NEXT_HARMONICS, NEXT_CUTOFF_MM)
    visible = (_contrast(sign * derivative, smooth, chosen) > LEAST_CONTRAST).mean(axis=1) >= LEAST_SHARE
    return outline, visible, _blur_variance(smooth, chosen, visible, sigma_mm, profile.grid.pixel_mm2)


def _start(profile: Profile) -> np.ndarray:
    outline = profile.outline_mm
    known = np.isfinite(outline).all(axis=1)
    outline = np.where(known[:, None], outline, np.nanmedian(np.where(known[:, None], outline, np.nan)))
    return _smooth_around(profile, outline, profile.whole & known, START_HARMONICS, START_CUTOFF_MM)


def _smooth_around(profile: Profile, outline: np.ndarray, used: np.ndarray, harmonics: int, cutoff_mm: float) -> np.ndarray:
    """Return outlines, shape (n, RAYS), smooth around (waves of at most so many periods) and along the cord.

    Slices that are not `used`, shape (n,), count for next to nothing.
    """
    waves = np.fft.rfft(outline, axis=1)[:, : harmonics + 1]
    weights = used.astype(float) if used.any() else np.ones(len(outline))
    parts = np.concatenate([waves.real, waves.imag], axis=1)
    fit = fit_smooth(profile.frame.position_mm, parts, np.maximum(weights, LEAST_WEIGHT), cutoff_mm=cutoff_mm, prior_sd=WAVE_SD)
    real, imaginary = np.split(fit.values, 2, axis=1)
    return np.maximum(np.fft.irfft(real + 1j * imaginary, RAYS, axis=1), STEP_MM)


def _derivatives(image: Volume, rays: Rays, radius_mm: np.ndarray, slices: np.ndarray, sigma_mm: float) -> np.ndarray:
    """Return the derivative of the intensity along each ray, per mm, shape of `radius_mm` (n, RAYS, m); cubic in the plane."""
    points = rays.at(np.maximum(radius_mm, 0))
    low = np.maximum(np.floor(points.min(axis=(1, 2, 3))).astype(int) - 4, 0)
    high = np.ceil(points.max(axis=(1, 2, 3))).astype(int) + 5
    window = image.data[low[0] : high[0], low[1] : high[1]]
    values = np.empty(radius_mm.shape)
    for i, k in enumerate(slices):
        plane = window[:, :, k].astype(float)
        values[i] = ndimage.map_coordinates(plane, points[:, i] - low[:, None, None], order=3, mode="nearest")
    return ndimage.gaussian_filter1d(values, sigma_mm / STEP_MM, axis=2, order=1, mode="nearest") / STEP_MM


def _smear_mm(profile: Profile) -> np.ndarray:
    """Return over how many mm along each ray a thick slice spreads the edge of an oblique cord, shape (n, RAYS)."""
    shift = np.einsum("nij,nj->ni", profile.frame.to_section, profile.frame.slopes) * profile.grid.step_mm
    angles = np.deg2rad(profile.values["orientation_deg"])[:, None] + ANGLES_RAD
    return np.abs(shift[:, :1] * np.cos(angles) + shift[:, 1:] * np.sin(angles))


def _over_smear(derivative: np.ndarray, smear_mm: np.ndarray) -> np.ndarray:
    """Return the mean of the derivative over the smear, so that the middle of an edge that is spread evenly is its top."""
    m = derivative.shape[2]
    half = np.minimum(smear_mm / (2 * STEP_MM), m / 2)[..., None]
    summed = np.concatenate([np.zeros((*derivative.shape[:2], 1)), np.cumsum(derivative, axis=2)], axis=2)

    def sum_to(sample):
        sample = np.clip(sample, 0, m)
        low = np.minimum(sample.astype(int), m - 1)
        ends = [np.take_along_axis(summed, low + d, 2) for d in (0, 1)]
        return ends[0] + (sample - low) * (ends[1] - ends[0])

    middle = np.arange(m) + 0.5
    return (sum_to(middle + half + 0.5) - sum_to(middle - half - 0.5)) / (2 * half + 1)


def _sign(derivative: np.ndarray, offsets_mm: np.ndarray) -> float:
    """Return 1 if what surrounds the cord is brighter, -1 if darker: which step near the mask's outline is stronger."""
    near = derivative * np.exp(-0.5 * (offsets_mm / NEAR_MM) ** 2)
    rise, fall = (np.maximum(side, 0).max(axis=2) for side in (near, -near))
    return 1.0 if np.median(rise) >= np.median(fall) else -1.0


def _averaged(derivative: np.ndarray, step_mm: float) -> np.ndarray:
    """Return the derivatives averaged around the cord and along it."""
    around = ndimage.gaussian_filter1d(derivative, np.deg2rad(AROUND_DEG) * RAYS / (2 * np.pi), axis=1, mode="wrap")
    return ndimage.gaussian_filter1d(around, ALONG_MM / step_mm, axis=0, mode="nearest") if len(derivative) > 1 else around


def _best_path(gain: np.ndarray) -> np.ndarray:
    """Return the sample on each ray, shape (n, RAYS), of the closed path with the most derivative and the least bend.

    Viterbi's algorithm around the outline twice, so that the second turn begins where the first has led; all slices at once.
    """
    n, rays, m = gain.shape
    gain = gain / np.maximum(np.quantile(gain, 0.95, axis=(1, 2), keepdims=True), 1e-9)
    moves = np.arange(-MOST_BEND, MOST_BEND + 1)
    total = np.zeros((n, m))
    came = np.empty((2 * rays, n, m), np.int8)
    for turn in range(2 * rays):
        padded = np.pad(total, ((0, 0), (MOST_BEND, MOST_BEND)), constant_values=-np.inf)
        options = np.stack([padded[:, MOST_BEND + move : MOST_BEND + move + m] - BEND_COST * move**2 for move in moves])
        came[turn] = moves[options.argmax(axis=0)]
        total = options.max(axis=0) + gain[:, turn % rays]
    path = np.empty((n, rays), int)
    sample = total.argmax(axis=1)
    for turn in range(2 * rays - 1, -1, -1):
        path[:, turn % rays] = np.where(turn >= rays // 2, sample, path[:, turn % rays])
        sample = sample + came[turn, np.arange(n), sample]
    return path


def _subsample(gain: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the chosen samples, each moved to the top of the parabola through it and its neighbors, by a sample at most."""
    sample = np.clip(chosen, 1, gain.shape[2] - 2)
    before, here, after = (np.take_along_axis(gain, (sample + d)[..., None], 2)[..., 0] for d in (-1, 0, 1))
    bend = np.minimum(before - 2 * here + after, -1e-9)
    return sample + np.clip(0.5 * (before - after) / bend, -1.0, 1.0)


def _contrast(derivative: np.ndarray, smooth: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the derivative at the edge over its noise, shape (n, RAYS): what averaging has taken off in the slice."""
    at = np.take_along_axis(smooth, chosen[..., None], 2)[..., 0]
    noise = 1.4826 * np.median(np.abs(derivative - smooth), axis=(1, 2))
    return at / np.maximum(noise, 1e-9)[:, None]


def _blur_variance(gain: np.ndarray, chosen: np.ndarray, visible: np.ndarray, sigma_mm: float, pixel_mm2: float) -> float:
    """Return the variance of the image's blur in the plane, mm2, from the width of the steps: at least a voxel's, at most of two.

    A Gaussian step's derivative g has -g / g'' = variance at its top; that of the derivative's own scale is taken off.
    """
    sample = np.clip(chosen, 3, gain.shape[2] - 4)
    before, here, after = (np.take_along_axis(gain, (sample + d)[..., None], 2)[..., 0] for d in (-3, 0, 3))
    with np.errstate(divide="ignore", invalid="ignore"):
        widths = (3 * STEP_MM) ** 2 / (2 * np.log(here) - np.log(before) - np.log(after))
    known = np.isfinite(widths) & (widths > 0) & visible[:, None]
    voxel = pixel_mm2 / 12
    if not known.any():
        return voxel
    return float(np.clip(np.median(widths[known]) - sigma_mm**2, voxel, 4 * voxel))
