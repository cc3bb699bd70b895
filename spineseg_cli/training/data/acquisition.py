"""Degradations of crops like those by scanners and users, each with its probability in the `augmentation` of a configuration."""

from __future__ import annotations

import numpy as np

from spineseg_cli.synthesis import degradation
from spineseg_cli.training.config_data import Augmentation
from spineseg_cli.training.data import transforms

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


def acquire(
    image: np.ndarray, target: np.ndarray, augmentation: Augmentation, spacing_mm: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return a crop, shape (n, n), and its target, shape (n, n, outputs), with random degradations by a scanner or a user.

    `spacing_mm` is the sample spacing of the crop.
    """

    def is_drawn(probability: float) -> bool:
        """Return whether an event of a probability happens. One that cannot happen takes no random number."""
        return probability > 0 and rng.random() < probability

    if is_drawn(augmentation.sagittal_prob):
        thick_mm, noise = rng.uniform(*SAGITTAL_MM), rng.uniform(0, SAGITTAL_NOISE)
        image = degradation.thick_sagittal(image, spacing_mm, thick_mm, rng, noise)
    if is_drawn(augmentation.echo_planar_prob):
        image, target = degradation.echo_planar(image, target, spacing_mm, rng.uniform(0, ECHO_PLANAR_SHIFT_MM), rng)
    if is_drawn(augmentation.drop_out_prob):
        image = degradation.drop_out(image, rng)
    if is_drawn(augmentation.lost_side_prob):
        image = degradation.lose_side(image, rng)
    if is_drawn(augmentation.aliasing_prob):
        image = degradation.aliased(image, rng.uniform(*ALIASING), rng)
    if is_drawn(augmentation.spike_prob):
        image = degradation.spike(image, rng.uniform(*SPIKE), rng)
    if is_drawn(augmentation.noise_prob):
        lowest = degradation.no_signal(image)
        image = degradation.rician_noise(image - lowest, rng.uniform(*HEAVY_NOISE), rng) + lowest
    if is_drawn(augmentation.masked_prob):
        image = transforms.masked(image, spacing_mm, rng)
    return image, target
