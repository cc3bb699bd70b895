"""Scans disturbed as users' scans are: signal lost, padded, cropped, masked, thinned out, in another contrast.

Each function takes an RPI volume and a mask of its cord, shape (nx, ny, nz), and returns the disturbed volume and the mask that
is right for it: what is left of the cord in it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.volume import Volume

Disturbance = Callable[[Volume, np.ndarray], tuple[Volume, np.ndarray]]


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


def padded(value: float, where: str) -> Disturbance:
    """One value in three planes, in 8 % of the columns, in one axial slice, or on one side of the scan."""

    def disturb(scan, cord):
        data, rng = scan.data.astype(np.float32), np.random.default_rng(0)
        x, y, z = (int(c) for c in np.argwhere(cord).mean(axis=0))
        if where == "planes":
            data[x + 2], data[:, y - 2], data[:, :, z] = value, value, value
        elif where == "columns":
            data[rng.random(data.shape[:2]) < 0.08] = value
        elif where == "slice":
            data[:, :, z] = value
        else:
            data[: max(1, data.shape[0] // 8)] = value
        return scan.with_data(data), cord

    return disturb


def cropped(margin_mm: float) -> Disturbance:
    """The cord's box and a margin around it, in the plane."""

    def disturb(scan, cord):
        sides = []
        for axis, spacing in zip((0, 1), scan.spacing_mm, strict=False):
            filled = np.flatnonzero(cord.any(axis=(1 - axis, 2)))
            margin = round(margin_mm / spacing)
            sides.append(slice(max(0, filled[0] - margin), filled[-1] + 1 + margin))
        box = (*sides, slice(None))
        return Volume(np.ascontiguousarray(scan.data[box]), scan.affine), np.ascontiguousarray(cord[box])

    return disturb


def masked(radius_mm: float) -> Disturbance:
    """Zero further than this from the cord's center."""

    def disturb(scan, cord):
        data = np.zeros_like(scan.data)
        filled = np.flatnonzero(cord.any(axis=(0, 1)))
        centers = np.array([np.argwhere(cord[:, :, k]).mean(axis=0) for k in filled])
        x, y = (np.arange(n) for n in scan.shape[:2])
        for k in range(scan.shape[2]):
            cx, cy = (np.interp(k, filled, axis) for axis in centers.T)
            near = np.hypot((x[:, None] - cx) * scan.spacing_mm[0], (y[None, :] - cy) * scan.spacing_mm[1]) <= radius_mm
            data[:, :, k] = scan.data[:, :, k] * near
        return scan.with_data(data), cord

    return disturb


def every_fourth_sagittal(scan: Volume, cord: np.ndarray) -> tuple[Volume, np.ndarray]:
    """One sagittal slice of four, the cord's middle one among them."""
    start = int(np.argwhere(cord)[:, 0].mean().round()) % 4
    affine = scan.affine @ np.diag([4, 1, 1, 1]).astype(float)
    affine[:3, 3] = scan.affine[:3, 3] + scan.affine[:3, 0] * start
    return Volume(np.ascontiguousarray(scan.data[start::4]), affine), np.ascontiguousarray(cord[start::4])


def inverted(scan: Volume, cord: np.ndarray) -> tuple[Volume, np.ndarray]:
    """What was bright is dark."""
    return scan.with_data((np.percentile(scan.data, 99.9) - scan.data).clip(0)), cord


def like_t1w(scan: Volume, cord: np.ndarray) -> tuple[Volume, np.ndarray]:
    """A T2w scan with dark fluid: intensities rise to those of cord and muscle, and fall beyond."""
    level = float(np.median(scan.data[cord > 0]))
    high = float(np.percentile(scan.data, 99.5))
    values = np.interp(scan.data, [0, 0.5 * level, level, (level + high) / 2, high], [0, 0.6, 1.0, 0.55, 0.3])
    return scan.with_data((100 * ndimage.gaussian_filter(values, 0.3)).astype(np.float32)), cord


def lowest(length_mm: float) -> Disturbance:
    """The scan begins so far above the cord's lower end."""

    def disturb(scan, cord):
        end = int(np.flatnonzero(cord.any(axis=(0, 1)))[0]) + round(length_mm / scan.spacing_mm[2])
        return Volume(np.ascontiguousarray(scan.data[:, :, :end]), scan.affine), np.ascontiguousarray(cord[:, :, :end])

    return disturb


def noisy(level: float) -> Disturbance:
    """Rician noise of so many times the standard deviation of intensities within 15 mm of the cord."""

    def disturb(scan, cord):
        rng = np.random.default_rng(0)
        sigma = level * _spread(scan, cord)
        real, imaginary = (sigma * rng.standard_normal(scan.shape) for _ in range(2))
        return scan.with_data(np.hypot(scan.data + real, imaginary).astype(np.float32)), cord

    return disturb


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


def jerked(mm: float) -> Disturbance:
    """Slices are moved in the plane at random, as the subject moved between them; their cord moves along."""

    def disturb(scan, cord):
        rng = np.random.default_rng(0)
        data, moved = scan.data.copy(), cord.copy()
        for k in range(scan.shape[2]):
            shift = np.round(rng.normal(0, mm, 2) / np.array(scan.spacing_mm[:2])).astype(int)
            data[:, :, k], moved[:, :, k] = (np.roll(part[:, :, k], shift, axis=(0, 1)) for part in (scan.data, cord))
        return scan.with_data(data), moved

    return disturb


def beside(side: int, width_mm: float = 60.0) -> Disturbance:
    """A part of the scan on the left (-1) or right (1) of the cord, without it; the whole cord's box and 6 mm are left out."""

    def disturb(scan, cord):
        filled = np.flatnonzero(cord.any(axis=(1, 2)))
        margin, width = (round(mm / scan.spacing_mm[0]) for mm in (6.0, width_mm))
        part = slice(max(0, filled[0] - margin - width), max(0, filled[0] - margin))
        if side > 0:
            part = slice(filled[-1] + margin + 1, filled[-1] + margin + 1 + width)
        affine = scan.affine.copy()
        affine[:3, 3] += scan.affine[:3, 0] * part.start
        return Volume(np.ascontiguousarray(scan.data[part]), affine), np.ascontiguousarray(cord[part])

    return disturb


def below(margin_mm: float = 10.0) -> Disturbance:
    """What lies more than a margin below the cord."""

    def disturb(scan, cord):
        end = max(0, int(np.flatnonzero(cord.any(axis=(0, 1)))[0]) - round(margin_mm / scan.spacing_mm[2]))
        return Volume(np.ascontiguousarray(scan.data[:, :, :end]), scan.affine), np.ascontiguousarray(cord[:, :, :end])

    return disturb


def fading(scan: Volume, cord: np.ndarray) -> tuple[Volume, np.ndarray]:
    """The signal falls to a tenth at both ends of the cord, as beyond a surface coil."""
    filled = np.flatnonzero(cord.any(axis=(0, 1)))
    along = (np.arange(scan.shape[2]) - filled.mean()) / max(np.ptp(filled) / 2, 1)
    return scan.with_data((scan.data * 0.1 ** np.clip(along**2, 0, 1.5)).astype(np.float32)), cord


def noise_in_air(scan: Volume, cord: np.ndarray) -> tuple[Volume, np.ndarray]:
    """Air is noise of the whole range, as where two images are divided by each other (MP2RAGE)."""
    bright = np.percentile(scan.data, 99)
    body = ndimage.gaussian_filter(scan.data.astype(np.float32), 1.5) > 0.08 * bright
    noise = np.random.default_rng(0).uniform(0, bright, scan.shape)
    return scan.with_data(np.where(body, scan.data, noise).astype(np.float32)), cord


def empty_above(length_mm: float) -> Disturbance:
    """Empty slices follow above, as where scans were brought to one field of view."""

    def disturb(scan, cord):
        pad = ((0, 0), (0, 0), (0, round(length_mm / scan.spacing_mm[2])))
        return Volume(np.pad(scan.data, pad), scan.affine), np.pad(cord, pad)

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


DISTURBANCES: dict[str, Disturbance] = {
    "signal lost over 18 mm": lost_signal(18),
    "signal lost over 24 mm": lost_signal(24),
    "lost over 24 mm, bright rim": lost_signal(24, rim=True),
    "padded -32768, planes": padded(-32768, "planes"),
    "padded 65535, planes": padded(65535, "planes"),
    "padded -32768, columns": padded(-32768, "columns"),
    "padded 65535, columns": padded(65535, "columns"),
    "padded -32768, one slice": padded(-32768, "slice"),
    "padded 65535, one side": padded(65535, "side"),
    "cropped to 12 mm": cropped(12),
    "cropped to 8 mm": cropped(8),
    "masked to 20 mm": masked(20),
    "fading to a tenth at both ends": fading,
    "noise in air": noise_in_air,
    "100 mm empty above": empty_above(100),
}
