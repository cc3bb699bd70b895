"""Augmentation of labelled scans: geometry, intensity and resolution."""

from __future__ import annotations

import numpy as np

from spineseg_cli.synthesis import degradation
from spineseg_cli.synthesis.deformation import DeformationRange, random_coordinates, sample
from spineseg_cli.synthesis.generator import SPACING_MM
from spineseg_cli.training.slices import ScanSlice

GEOMETRY = DeformationRange(rotation_deg=20, log_scale=0.25, log_aspect=0.15, shear=0.1, shift=20, elastic=4)


def augment(scan: ScanSlice, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a randomly deformed and degraded crop of a scan's slice, and its labels deformed alike.

    Returns
    -------
    image : ndarray, shape (size, size), float32
    target : ndarray, shape (size, size, 2), float32
        Gray matter and cord, soft at the contour.
    """
    coordinates = random_coordinates(scan.image.shape, (size, size), GEOMETRY, rng)
    image = sample(scan.image, coordinates)
    low, high = np.percentile(image, (0.5, 99.5))
    image = np.clip((image - low) / max(float(high - low), 1e-6), 0, 1.5)
    target = np.stack([sample(part, coordinates, "constant") for part in (scan.labels.gray, scan.labels.cord)], axis=-1)
    if rng.random() < 0.6:
        image = _remap(image, rng)
    if rng.random() < 0.5:
        image = degradation.bias_field(image, rng.uniform(0, 0.3), rng)
    if rng.random() < 0.1:
        image = degradation.ghosts(image, rng.uniform(0.02, 0.1), rng)
    if rng.random() < 0.5:
        coarse_mm = rng.uniform(0.4, 1.0)
        image = degradation.lower_resolution(image, SPACING_MM, coarse_mm, rng, noise=rng.uniform(0, 0.08))
    elif rng.random() < 0.5:
        image = degradation.rician_noise(degradation.blur(image, rng.uniform(0, 1.2)), rng.uniform(0, 0.08), rng)
    if rng.random() < 0.2:  # sharpened, as some scanners deliver
        image = image + rng.uniform(0.3, 1.0) * (image - degradation.blur(image, 2.0))
    if rng.random() < 0.1:
        image = image.max() - image
    return image.astype(np.float32), target


def _remap(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pass intensities through a random increasing curve: gamma, then gentle piecewise-linear stretching."""
    image = np.clip(image, 0, None) ** float(np.exp(rng.uniform(-0.5, 0.5)))
    knots = np.linspace(0, 1.5, 6)
    steps = np.exp(rng.normal(0, 0.35, size=5))
    return np.interp(image, knots, np.concatenate([[0], np.cumsum(steps)]) * (1.5 / steps.sum())).astype(np.float32)
