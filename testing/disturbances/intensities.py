"""Scans of the same place in other intensities: signal lost, padded, in another contrast, noisy, uneven."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.volume import Volume
from testing.disturbances.disturbance import Disturbance


def lost_signal(length_mm: float, rim: bool = False) -> Disturbance:
    """The signal is lost across the scan in the middle of the cord, as about metal; with a bright rim."""

    def disturb(scan, cord):
        first, end = _middle(scan, cord, length_mm)
        data, left = scan.data.copy(), cord.copy()
        rng = np.random.default_rng(0)
        level = np.percentile(scan.data, 99)
        data[:, :, first:end] = np.abs(rng.normal(0, 0.02 * level, data[:, :, first:end].shape))
        if rim:
            for k in (first, end - 1):
                data[:, :, k] += 1.5 * level * (scan.data[:, :, k] > 0.2 * level)
        left[:, :, first:end] = False
        return scan.with_data(data.astype(np.float32)), left

    return disturb


def lost_slices(lost: int, of: int) -> Disturbance:
    """The signal is lost in so many neighboring slices of each group of a size, so that some noise is left."""

    def disturb(scan, cord):
        gone = np.arange(scan.shape[2]) % of < lost
        noise = np.random.default_rng(0).normal(0, 0.02 * np.percentile(scan.data, 99), scan.shape)
        return scan.with_data(np.where(gone, np.abs(noise), scan.data).astype(np.float32)), cord & ~gone

    return disturb


def half_lost(length_mm: float) -> Disturbance:
    """The signal is gone on one side of the cord's middle, in the slices of the middle of the scan."""

    def disturb(scan, cord):
        first, end = _middle(scan, cord, length_mm)
        data = scan.data.astype(np.float32)
        for k in range(first, end):
            x = np.argwhere(cord[:, :, k])[:, 0].mean() if cord[:, :, k].any() else scan.shape[0] / 2
            data[: int(x), :, k] *= 0.03
        return scan.with_data(data), cord

    return disturb


def dropped_out(depth: float, radius_mm: float = 12.0, length_mm: float = 30.0) -> Disturbance:
    """Signal fades in front of the cord, as in echo planar images beside bone and air; `depth` is what is lost of it there."""

    def disturb(scan, cord):
        first, end = _middle(scan, cord, length_mm)
        x, y, z = np.argwhere(cord[:, :, first:end]).mean(axis=0) + (0, 0, first)
        axes = [(np.arange(n) - c) * s for n, c, s in zip(scan.shape, (x, y, z), scan.spacing_mm, strict=True)]
        far = np.hypot(axes[0][:, None], axes[1][None, :] - 0.7 * radius_mm) / radius_mm
        fading = np.exp(-0.5 * far[:, :, None] ** 4 - 0.5 * (axes[2][None, None] / (length_mm / 2)) ** 4)
        return scan.with_data((scan.data * (1 - depth * fading)).astype(np.float32)), cord

    return disturb


def fading(scan: Volume, cord: np.ndarray) -> tuple[Volume, np.ndarray]:
    """The signal falls to a tenth at both ends of the cord, as beyond a surface coil."""
    filled = np.flatnonzero(cord.any(axis=(0, 1)))
    along = (np.arange(scan.shape[2]) - filled.mean()) / max(np.ptp(filled) / 2, 1)
    return scan.with_data((scan.data * 0.1 ** np.clip(along**2, 0, 1.5)).astype(np.float32)), cord


def padded(value: float, where: str) -> Disturbance:
    """One value in three planes, in a slanted one, in 8 % of the columns, in one axial slice, or on one side of the scan."""

    def disturb(scan, cord):
        data, rng = scan.data.astype(np.float32), np.random.default_rng(0)
        x, y, z = (int(c) for c in np.argwhere(cord).mean(axis=0))
        if where == "planes":
            data[x + 2], data[:, y - 2], data[:, :, z] = value, value, value
        elif where == "slanted":
            along = [(np.arange(n) - c) * s for n, c, s in zip(scan.shape, (x, y, z), scan.spacing_mm, strict=True)]
            slanted = along[0][:, None, None] + along[1][None, :, None] + 0.4 * along[2][None, None, :]
            data[np.abs(slanted) < 1.0] = value
        elif where == "columns":
            data[rng.random(data.shape[:2]) < 0.08] = value
        elif where == "slice":
            data[:, :, z] = value
        else:
            data[: max(1, data.shape[0] // 8)] = value
        return scan.with_data(data), cord

    return disturb


def unsigned(scan: Volume, cord: np.ndarray) -> tuple[Volume, np.ndarray]:
    """Negative values, as in air where an offset was subtracted, were stored as if they were unsigned numbers of 16 bits."""
    values = np.round(1500 / np.percentile(scan.data, 99.9) * scan.data) - np.random.default_rng(0).integers(1, 20, scan.shape)
    return scan.with_data(values.astype(np.int16).astype(np.uint16).astype(np.float32)), cord


def missing(where: str, value: float = 0.0) -> Disturbance:
    """Every fourth row, every sixth column or the corners of a grid have one value; or a cross is drawn through the cord."""

    def disturb(scan, cord):
        data = scan.data.astype(np.float32)
        x, y = (np.arange(n) for n in scan.shape[:2])
        if where == "rows":
            data[:, y % 4 == 0] = value
        elif where == "columns":
            data[x % 6 == 0] = value
        elif where == "grid":
            data[np.ix_(x % 4 < 2, y % 4 < 2)] = value
        else:
            center_x, center_y, _ = (int(c) for c in np.argwhere(cord).mean(axis=0))
            data[center_x], data[:, center_y] = value, value
        return scan.with_data(data), cord

    return disturb


def inverted(scan: Volume, cord: np.ndarray) -> tuple[Volume, np.ndarray]:
    """What was bright is dark."""
    return scan.with_data((np.percentile(scan.data, 99.9) - scan.data).clip(0)), cord


def like_t1w(scan: Volume, cord: np.ndarray) -> tuple[Volume, np.ndarray]:
    """A T2w scan with dark fluid: intensities rise to those of cord and muscle, and fall beyond."""
    level = float(np.median(scan.data[cord > 0]))
    high = float(np.percentile(scan.data, 99.5))
    values = np.interp(scan.data, [0, 0.5 * level, level, (level + high) / 2, high], [0, 0.6, 1.0, 0.55, 0.3])
    return scan.with_data((100 * ndimage.gaussian_filter(values, 0.3)).astype(np.float32)), cord


def noisy(level: float) -> Disturbance:
    """Rician noise of so many times the standard deviation of intensities within 15 mm of the cord."""

    def disturb(scan, cord):
        rng = np.random.default_rng(0)
        sigma = level * _spread(scan, cord)
        real, imaginary = (sigma * rng.standard_normal(scan.shape) for _ in range(2))
        return scan.with_data(np.hypot(scan.data + real, imaginary).astype(np.float32)), cord

    return disturb


def noise_in_air(scan: Volume, cord: np.ndarray) -> tuple[Volume, np.ndarray]:
    """Air is noise of the whole range, as where two images are divided by each other (MP2RAGE)."""
    bright = np.percentile(scan.data, 99)
    body = ndimage.gaussian_filter(scan.data.astype(np.float32), 1.5) > 0.08 * bright
    noise = np.random.default_rng(0).uniform(0, bright, scan.shape)
    return scan.with_data(np.where(body, scan.data, noise).astype(np.float32)), cord


def ghosted(strength: float, mm: float = 18.0) -> Disturbance:
    """Copies of the scan beside itself from back to front, as motion leaves them."""

    def disturb(scan, cord):
        shift = max(1, round(mm / scan.spacing_mm[1]))
        ghosts = (np.roll(scan.data, shift, axis=1) + np.roll(scan.data, -shift, axis=1)) / 2
        return scan.with_data((scan.data + strength * (ghosts - scan.data)).astype(np.float32)), cord

    return disturb


def biased(strength: float) -> Disturbance:
    """A smooth field of sensitivity, `exp(strength)` times brighter on one side of the cord than 60 mm away."""

    def disturb(scan, cord):
        center = np.argwhere(cord).mean(axis=0)
        x, y, z = ((np.arange(n) - c) * s / 60 for n, c, s in zip(scan.shape, center, scan.spacing_mm, strict=True))
        field = np.exp(strength * np.tanh(0.7 * x[:, None, None] - y[None, :, None] + 0.3 * z[None, None, :]))
        return scan.with_data((scan.data * field).astype(np.float32)), cord

    return disturb


def blurred(sigma_mm: float) -> Disturbance:
    """A Gaussian blur in the plane."""

    def disturb(scan, cord):
        sigma = (sigma_mm / scan.spacing_mm[0], sigma_mm / scan.spacing_mm[1], 0)
        return scan.with_data(ndimage.gaussian_filter(scan.data.astype(np.float32), sigma)), cord

    return disturb


def _spread(scan: Volume, cord: np.ndarray) -> float:
    """Return the standard deviation of intensities around the cord."""
    radius = (*(round(15 / s) for s in scan.spacing_mm[:2]), 0)
    near = np.argwhere(cord)[:: max(1, cord.sum() // 200)]
    parts = [scan.data[tuple(slice(max(0, c - r), c + r + 1) for c, r in zip(point, radius, strict=True))] for point in near]
    return float(np.mean([part.std() for part in parts]))


def _middle(scan: Volume, cord: np.ndarray, length_mm: float) -> tuple[int, int]:
    filled = np.flatnonzero(cord.any(axis=(0, 1)))
    n = max(1, round(length_mm / scan.spacing_mm[2]))
    first = max(0, int(filled[len(filled) // 2]) - n // 2)
    return first, min(first + n, scan.shape[2])
