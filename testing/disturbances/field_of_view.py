"""Scans that show less of the body, fewer slices of it, or slices moved against each other."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.volume import Volume
from testing.disturbances.disturbance import Disturbance


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


def thick_sagittal(
    scan: Volume, cord: np.ndarray, factor: int, start: int, *, is_mean: bool = False
) -> tuple[Volume, np.ndarray]:
    """One of `factor` sagittal slices, from `start` on: as it is, or the mean of as many."""
    data = ndimage.uniform_filter1d(scan.data.astype(np.float32), factor, axis=0, mode="nearest") if is_mean else scan.data
    affine = scan.affine @ np.diag([factor, 1, 1, 1]).astype(float)
    affine[:3, 3] = scan.affine[:3, 3] + scan.affine[:3, 0] * start
    return Volume(np.ascontiguousarray(data[start::factor]), affine), np.ascontiguousarray(cord[start::factor])


def on_middle(cord: np.ndarray, factor: int) -> int:
    """The first of the slices of `thick_sagittal` such that the cord's middle one is among them."""
    return int(np.argwhere(cord)[:, 0].mean().round()) % factor


def every_fourth_sagittal(scan: Volume, cord: np.ndarray) -> tuple[Volume, np.ndarray]:
    """One sagittal slice of four, the cord's middle one among them."""
    return thick_sagittal(scan, cord, 4, on_middle(cord, 4))


def lowest(length_mm: float) -> Disturbance:
    """The scan begins so far above the cord's lower end."""

    def disturb(scan, cord):
        end = int(np.flatnonzero(cord.any(axis=(0, 1)))[0]) + round(length_mm / scan.spacing_mm[2])
        return Volume(np.ascontiguousarray(scan.data[:, :, :end]), scan.affine), np.ascontiguousarray(cord[:, :, :end])

    return disturb


def smaller(factor: float) -> Disturbance:
    """The subject is so many times as large, as a child is smaller than an adult; the voxels, too."""

    def disturb(scan, cord):
        return Volume(scan.data, scan.affine @ np.diag([factor, factor, factor, 1.0])), cord

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


def empty_ends(below: int, above: int, value: float = 0.0) -> Disturbance:
    """Slices of one value are added below and above, as where scans were brought to one field of view."""

    def disturb(scan, cord):
        pad, shift = ((0, 0), (0, 0), (below, above)), np.eye(4)
        shift[2, 3] = -below
        return Volume(np.pad(scan.data, pad, constant_values=value), scan.affine @ shift), np.pad(cord, pad)

    return disturb


def widened(margin_mm: float) -> Disturbance:
    """Air is added on all sides in the plane."""

    def disturb(scan, cord):
        x, y = (round(margin_mm / spacing) for spacing in scan.spacing_mm[:2])
        pad, shift = ((x, x), (y, y), (0, 0)), np.eye(4)
        shift[:2, 3] = -x, -y
        return Volume(np.pad(scan.data, pad), scan.affine @ shift), np.pad(cord, pad)

    return disturb


def empty_above(length_mm: float) -> Disturbance:
    """Empty slices are added above."""

    def disturb(scan, cord):
        return empty_ends(0, round(length_mm / scan.spacing_mm[2]))(scan, cord)

    return disturb
