"""Degradations of crops like those by scanners and users, each with its probability in the `augmentation` of a configuration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from spineseg_cli.synthesis import degradation
from spineseg_cli.training.config_data import Augmentation
from spineseg_cli.training.data import transforms

# An image, shape (size, size), and its target, shape (size, size, outputs).
Crop = tuple[np.ndarray, np.ndarray]

# Range of the thickness of sagittal slices, and their largest noise as a fraction of the brightest intensities.
SAGITTAL_MM = (1.5, 5.0)
SAGITTAL_NOISE = 0.06
# The largest standard deviation of echo-planar distortion.
ECHO_PLANAR_SHIFT_MM = 2.0
# Ranges of heavy noise, as a fraction of the brightest intensities, and of the amplitude of stripes, as one of their range.
HEAVY_NOISE = (0.05, 0.3)
SPIKE = (0.05, 0.3)
# Range of the fraction of the signal from outside the field of view that wraps into it.
ALIASING = (0.3, 1.0)
# For rotated crops: the largest angle, the range of the scale, and the relative size of the crop that they are cut from.
TURNED_DEG = 60.0
TURNED_SCALE = (0.5, 1.0)
TURNED_MARGIN = 2
# For shrunk crops: the range of the scale, which is that of children, and of the smoothing over the least that avoids aliasing.
SMALL_SCALE = (0.55, 0.85)
SHRUNK_SMOOTHING = (1.0, 2.5)


def acquire(
    image: np.ndarray, target: np.ndarray, augmentation: Augmentation, spacing_mm: float, rng: np.random.Generator
) -> Crop:
    """Return a crop and its target with random degradations by a scanner or a user, in their own shapes.

    Parameters
    ----------
    image : ndarray, shape (size, size)
        The crop.
    target : ndarray, shape (size, size, outputs)
        Its target.
    augmentation : Augmentation
        The probability of each degradation.
    spacing_mm : float
        The sample spacing of the crop.
    rng : numpy.random.Generator
        The source of random numbers.
    """
    for name, change in CHANGES.items():
        probability = getattr(augmentation, name)
        if probability and rng.random() < probability:
            image, target = change(image, target, spacing_mm, rng)
    return image, target


def turned(image: np.ndarray, target: np.ndarray, size: int, rng: np.random.Generator) -> Crop:
    """Return the central `size` x `size` samples of a crop and its target after a random rotation and reduction."""
    return transforms.turned(image, target, size, rng.uniform(-TURNED_DEG, TURNED_DEG), rng.uniform(*TURNED_SCALE))


def shrunk(image: np.ndarray, target: np.ndarray, size: int, rng: np.random.Generator) -> Crop:
    """Return a crop and its target shrunk to `size` x `size` samples, the image smoothed more or less."""
    factor = image.shape[0] / size
    sigma = (factor - 1) / 2
    image = ndimage.gaussian_filter(image, sigma * rng.uniform(*SHRUNK_SMOOTHING))
    return transforms.turned(image, ndimage.gaussian_filter(target, (sigma, sigma, 0)), size, 0.0, 1 / factor)


def _sagittal(image: np.ndarray, target: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> Crop:
    thick_mm, noise = rng.uniform(*SAGITTAL_MM), rng.uniform(0, SAGITTAL_NOISE)
    return degradation.thick_sagittal(image, spacing_mm, thick_mm, rng, noise), target


def _echo_planar(image: np.ndarray, target: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> Crop:
    return degradation.echo_planar(image, target, spacing_mm, rng.uniform(0, ECHO_PLANAR_SHIFT_MM), rng)


def _drop_out(image: np.ndarray, target: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> Crop:
    return degradation.drop_out(image, rng), target


def _lost_side(image: np.ndarray, target: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> Crop:
    return degradation.lose_side(image, rng), target


def _aliased(image: np.ndarray, target: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> Crop:
    return degradation.aliased(image, rng.uniform(*ALIASING), rng), target


def _spike(image: np.ndarray, target: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> Crop:
    return degradation.spike(image, rng.uniform(*SPIKE), rng), target


def _noise(image: np.ndarray, target: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> Crop:
    lowest = degradation.no_signal(image)
    return degradation.rician_noise(image - lowest, rng.uniform(*HEAVY_NOISE), rng) + lowest, target


def _masked(image: np.ndarray, target: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> Crop:
    return transforms.masked(image, spacing_mm, rng), target


# The degradations, in their order, by the fields of `training.config_data.Augmentation` with their probabilities.
CHANGES: dict[str, Callable[[np.ndarray, np.ndarray, float, np.random.Generator], Crop]] = {
    "sagittal_prob": _sagittal,
    "echo_planar_prob": _echo_planar,
    "drop_out_prob": _drop_out,
    "lost_side_prob": _lost_side,
    "aliasing_prob": _aliased,
    "spike_prob": _spike,
    "noise_prob": _noise,
    "masked_prob": _masked,
}
