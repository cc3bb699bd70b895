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
    level = float(np.median(scan.data[cord]))
    high = float(np.percentile(scan.data, 99.5))
    values = np.interp(scan.data, [0, 0.5 * level, level, (level + high) / 2, high], [0, 0.6, 1.0, 0.55, 0.3])
    return scan.with_data((100 * ndimage.gaussian_filter(values, 0.3)).astype(np.float32)), cord


def lowest(length_mm: float) -> Disturbance:
    """The scan begins so far above the cord's lower end."""

    def disturb(scan, cord):
        end = int(np.flatnonzero(cord.any(axis=(0, 1)))[0]) + round(length_mm / scan.spacing_mm[2])
        return Volume(np.ascontiguousarray(scan.data[:, :, :end]), scan.affine), np.ascontiguousarray(cord[:, :, :end])

    return disturb


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
}
