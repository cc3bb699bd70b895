"""What scanners and users do to crops, each change as often as a configuration's `augmentation` asks for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spineseg_cli.synthesis import degradation
from spineseg_cli.training.config_data import Augmentation
from spineseg_cli.training.data import transforms

# An image, shape (size, size), and its target, shape (size, size, outputs).
Crop = tuple[np.ndarray, np.ndarray]

# Sagittal slices are so thick, and as noisy, at most, as a share of the brightest intensities.
SAGITTAL_MM = (1.5, 5.0)
SAGITTAL_NOISE = 0.06
# The standard deviation of echo-planar distortion, at most.
ECHO_PLANAR_SHIFT_MM = 2.0
# Heavy noise as a share of the brightest intensities, and the amplitude of stripes as a share of the range of intensities.
HEAVY_NOISE = (0.05, 0.3)
SPIKE = (0.05, 0.3)
# How much of the signal of what lies outside the field of view is seen in it.
ALIASING = (0.3, 1.0)
# Turned crops: by so much at most, scaled by so much, and cut from a crop that is so many times as large.
TURNED_DEG = 60.0
TURNED_SCALE = (0.5, 1.0)
TURNED_MARGIN = 2


def acquire(
    image: np.ndarray, target: np.ndarray, augmentation: Augmentation, spacing_mm: float, rng: np.random.Generator
) -> Crop:
    """Return a crop and its target as a scanner or a user would have changed them; shapes as given."""
    for name, change in CHANGES.items():
        probability = getattr(augmentation, name)
        if probability and rng.random() < probability:
            image, target = change(image, target, spacing_mm, rng)
    return image, target


def turned(image: np.ndarray, target: np.ndarray, size: int, rng: np.random.Generator) -> Crop:
    """Return the central `size` x `size` samples of a crop and its target, turned about the center and shrunk."""
    return transforms.turned(image, target, size, rng.uniform(-TURNED_DEG, TURNED_DEG), rng.uniform(*TURNED_SCALE))


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


# The probabilities of `training.config_data.Augmentation`, in the order in which the changes are made, and the changes.
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
