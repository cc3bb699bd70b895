"""Variants of a scan, as other protocols would have made it: contrast, noise, sagittal slices, field of view, resampling."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.synthesis.scanner import Tissue, tissue_signal
from spineseg_cli.training.data.label_maps import spine_tissues
from testing.disturbances import Disturbance
from testing.disturbances.field_of_view import on_middle, thick_sagittal

# A variant of the field of view has at least so much cord.
LEAST_CORD_MM = 15.0

# Public collections hold sagittal scans with slices of this thickness that were resampled to cubic voxels of this size.
RESAMPLED_SLICE_MM, RESAMPLED_MM = 3.6, 1.0


def random_variant(index: int, seed: int, spine: np.ndarray | None = None) -> Disturbance:
    """Return a function that makes a variant: every other one has thick sagittal slices, three of four another contrast.

    With a label image of the spine, tissues are painted instead of intensities mapped. The last three of eight show a part.
    """

    def vary(scan: Volume, cord: np.ndarray) -> tuple[Volume, np.ndarray]:
        rng = np.random.default_rng(seed)
        if spine is not None:
            scan, cord = painted("tirm" if index % 4 == 3 else "t1", spine, seed)(scan, cord)
        elif index % 4:
            scan = _other_contrast(scan, cord, rng)
        if index % 2 == 0:
            factor = 2 + index // 2 % 3
            start, is_mean = int(rng.integers(factor)), bool(rng.random() < 0.5)
            scan, cord = thick_sagittal(scan, cord, factor, start, is_mean=is_mean)
        return _part(scan, cord, rng) if index % 8 >= 5 else (scan, cord)

    return vary


def _other_contrast(scan: Volume, cord: np.ndarray, rng: np.random.Generator) -> Volume:
    """Return a scan with fluid darker than cord, or with another gamma, perhaps inverted; shaded and noisy."""
    low, high = np.percentile(scan.data[::2, ::2, ::2], (0.5, 99.7))
    values = np.clip((scan.data - low) / (high - low), 0, 1.3)
    if cord.any() and rng.random() < 0.5:
        level = float(np.median(values[cord > 0]))
        tones = [0, rng.uniform(0.3, 0.9), 1, rng.uniform(0.3, 0.8), rng.uniform(0.1, 0.5)]
        values = np.interp(values, [0, 0.4 * level, level, (level + 1) / 2, 1.3], tones)
    else:
        values = values ** np.exp(rng.normal(0, 0.5))
        if rng.random() < 0.3:
            values = values.max() - values
    values = _shaded(values, rng)
    sigma = rng.uniform(0, 0.06)
    real, imaginary = (sigma * rng.standard_normal(scan.shape) for _ in range(2))
    return scan.with_data((100 * np.hypot(values + real, imaginary)).astype(np.float32))


def painted(contrast: str, spine: np.ndarray, seed: int) -> Disturbance:
    """Return a function that paints a T2w scan's tissues in another contrast, its texture kept.

    `contrast` is "t1", or "tirm", T2w without fat; `spine` is the scan's spine in RPI, values as in SPIDER. Noise, shading,
    and a part of each tissue's signal and of the texture, are random.
    """

    def paint(scan: Volume, cord: np.ndarray) -> tuple[Volume, np.ndarray]:
        rng = np.random.default_rng(seed)
        tissue = np.where(cord, Tissue.WHITE_MATTER, spine_tissues(scan.data, cord > 0, spine))
        signal = tissue_signal("t1" if contrast == "t1" else "t2") * rng.uniform(0.8, 1.25, len(Tissue)).astype(np.float32)
        if contrast == "tirm":
            signal[[Tissue.FAT, Tissue.EPIDURAL_FAT, Tissue.SKIN, Tissue.MARROW]] *= rng.uniform(0.1, 0.4)
        data, in_slice = scan.data.astype(np.float32), np.array([0, 1, 1])  # sagittal slices are thick
        texture = (data + 1) / (ndimage.gaussian_filter(data, in_slice) + 1)
        seen = ndimage.gaussian_filter(data, 3 * in_slice) / np.median(data[cord > 0])
        values = ndimage.gaussian_filter(signal[tissue], 0.5 * in_slice) * np.clip(5 * seen - 0.3, 0, 1)
        values = values * np.clip(texture, 0.6, 1.6) ** rng.uniform(0.3, 0.8)
        values = _shaded(values, rng)
        real, imaginary = (rng.uniform(2, 8) * rng.standard_normal(scan.shape) for _ in range(2))
        return scan.with_data(np.hypot(values + real, imaginary).astype(np.float32)), cord

    return paint


def resampled(scan: Volume, cord: np.ndarray) -> tuple[Volume, np.ndarray]:
    """Return a scan in thick sagittal slices, the mean of several of its own, that was then resampled to cubic voxels."""
    factor = max(1, round(RESAMPLED_SLICE_MM / scan.spacing_mm[0]))
    start, zoom = on_middle(cord, factor), RESAMPLED_MM / np.array(scan.spacing_mm)
    blurred = scan.with_data(ndimage.gaussian_filter(scan.data.astype(np.float32), (0, *0.4 * zoom[1:])))
    thick, _ = thick_sagittal(blurred, cord, factor, start, is_mean=True)
    shape = tuple(int((n - 1) / step) + 1 for n, step in zip((scan.shape[0] - start, *scan.shape[1:]), zoom, strict=True))
    zoom_of_thick = zoom / (factor, 1, 1)
    data = ndimage.affine_transform(thick.data, zoom_of_thick, output_shape=shape, order=1, mode="nearest")
    nearest = [np.minimum(np.round(first + np.arange(n) * step).astype(int), limit - 1)
               for first, n, step, limit in zip((start, 0, 0), shape, zoom, scan.shape, strict=True)]  # fmt: skip
    return Volume(data, thick.affine @ np.diag([*zoom_of_thick, 1.0])), np.ascontiguousarray(cord[np.ix_(*nearest)])


def _shaded(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a volume brighter towards one side from front to back, and along the cord, as surface coils make it."""
    along_y, along_z = (rng.choice([-1, 1]) * np.tanh(np.linspace(-2, 2, n)) for n in values.shape[1:])
    return values * np.exp(rng.uniform(0, 0.4) * along_y[None, :, None] + rng.uniform(0, 0.6) * along_z[None, None, :])


def _part(scan: Volume, cord: np.ndarray, rng: np.random.Generator) -> tuple[Volume, np.ndarray]:
    """Return neighboring axial slices, the cord's lower end or what is above it among them."""
    lowest = int(np.flatnonzero(cord.any(axis=(0, 1))).min(initial=scan.shape[2] - 1))
    first = int(rng.integers(max(1, lowest)))
    end = int(rng.integers(min(lowest + round(LEAST_CORD_MM / scan.spacing_mm[2]), scan.shape[2] - 1), scan.shape[2])) + 1
    part = (slice(None), slice(None), slice(first, end))
    return Volume(np.ascontiguousarray(scan.data[part]), scan.affine), np.ascontiguousarray(cord[part])
