"""Degradations of MR acquisition: bias field, low resolution and ringing, ghosts, signal loss, distortion, Rician noise.

Every function takes a float32 image of shape (height, width) and returns a new one.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from spineseg_cli.core.image.resampling import resampled_length, resampling_matrix
from spineseg_cli.synthesis.deformation import sample, smooth_field


def no_signal(image: np.ndarray) -> float:
    """Return the intensity of no signal: 0, or the minimum of an image with negative intensities, such as a standardized one."""
    return min(float(image.min()), 0.0)


def bias_field(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Multiply the image by a smooth field whose logarithm has standard deviation `strength`."""
    field = smooth_field((1, *image.shape), 2, rng)[0]
    return image * np.exp(strength * field)


def lower_resolution(
    image: np.ndarray, spacing_mm: float, coarse_mm: float, rng: np.random.Generator, noise: float = 0.0
) -> np.ndarray:
    """Resample the image to voxels of `coarse_mm`, add Rician noise, and interpolate it linearly back to its own grid.

    Half of the images are resampled by truncating k-space, as a scanner does, which rings at edges; the others by averaging. Half
    of the former are then zero-filled to twice the resolution, as many scanners do. The image content does not move.
    """
    if coarse_mm <= spacing_mm:
        return rician_noise(image, noise, rng)
    shape = [resampled_length(n, spacing_mm, coarse_mm) for n in image.shape]
    cut = rng.random() < 0.5
    smooth, refine = (rng.random(2) < 0.5) & cut
    if cut:
        down = [band_limited_matrix(n, m, smooth=bool(smooth)) for n, m in zip(image.shape, shape, strict=True)]
    else:
        down = [resampling_matrix(n, 1 / n, m, 1 / m) for n, m in zip(image.shape, shape, strict=True)]
    coarse = rician_noise(np.abs(_along_both(down, image)), noise, rng)
    if refine:
        coarse = np.abs(_along_both([band_limited_matrix(m, 2 * m) for m in shape], coarse))
    up = [resampling_matrix(m, 1 / m, n, 1 / n) for m, n in zip(coarse.shape, image.shape, strict=True)]
    return _along_both(up, coarse)


def thick_sagittal(
    image: np.ndarray, spacing_mm: float, thick_mm: float, rng: np.random.Generator, noise: float = 0.0
) -> np.ndarray:
    """Simulate an axial image that was acquired in sagittal slices of `thick_mm`, with Rician noise, and resampled.

    The first axis (right to left) is averaged over each slice and then interpolated linearly between the centers of the slices.
    The image content does not move.
    """
    n = image.shape[0]
    slices = resampled_length(n, spacing_mm, thick_mm)
    lowest = no_signal(image)
    acquired = rician_noise(resampling_matrix(n, 1 / n, slices, 1 / slices) @ image - lowest, noise, rng) + lowest
    return (resampling_matrix(slices, 1 / slices, n, 1 / n) @ acquired).astype(np.float32)


def _along_both(matrices: list[np.ndarray], image: np.ndarray) -> np.ndarray:
    return (matrices[0] @ image @ matrices[1].T).astype(np.float32)


@lru_cache(maxsize=512)
def band_limited_matrix(n_in: int, n_out: int, smooth: bool = False) -> np.ndarray:
    """Return the matrix that resamples a line of `n_in` samples to `n_out` samples over the same extent, through k-space.

    Frequencies that one of the two grids cannot represent are dropped. The line is mirrored at its ends to avoid wrap-around.

    With `smooth`, frequencies are weighted by a Hamming window, which broadens the point spread and nearly removes ringing.
    The matrix, shape (n_out, n_in), float32, has rows that sum to 1; it is cached and must not be modified.
    """
    # A line and its mirror image have period 2 n_in, so that their Fourier series is a cosine series about the line's end.
    frequency = np.arange(min(n_in, n_out))
    weight = np.where(frequency == 0, 1.0, 2.0) / n_in
    if smooth:
        weight = weight * (0.54 + 0.46 * np.cos(np.pi * frequency / len(frequency)))
    synthesis, analysis = (np.cos(np.pi * np.outer((np.arange(n) + 0.5) / n, frequency)) for n in (n_out, n_in))
    return ((synthesis * weight) @ analysis.T).astype(np.float32)


def rician_noise(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Add Rician noise with a standard deviation of `strength` times the 95th percentile of the image."""
    if strength <= 0:
        return image
    sigma = strength * max(float(np.percentile(image, 95)), 1e-6)
    real, imaginary = rng.standard_normal((2, *image.shape)).astype(np.float32) * sigma
    return np.hypot(image + real, imaginary)


def ghosts(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Add a weak copy that is shifted along one axis, like ghosts of periodic motion along the phase-encoding axis."""
    axis = int(rng.integers(2))
    shift = int(rng.integers(image.shape[axis] // 6, image.shape[axis] // 2))
    return image + strength * np.roll(image, shift, axis) * rng.choice([-1, 1])


def spike(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Add stripes of any direction and width, with an amplitude of `strength` times the range of intensities.

    A bright point in k-space, as a spark in the scanner room leaves it, is such a wave in the image.
    """
    low, high = np.percentile(image, (1, 99))
    direction, wavelength = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(3), np.log(20)))
    x, y = np.meshgrid(*(np.arange(n) for n in image.shape), indexing="ij")
    phase = 2 * np.pi * ((x * np.cos(direction) + y * np.sin(direction)) / wavelength + rng.random())
    lowest = no_signal(image)
    return (np.abs(image - lowest + strength * (high - low) * np.sin(phase)) + lowest).astype(np.float32)


def aliased(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Add the far side of the image to one side, up to its middle at most: a field of view that is smaller than the body."""
    axis = int(rng.integers(2))
    n = image.shape[axis]
    width = int(rng.uniform(0.15, 0.5) * n)
    lowest = no_signal(image)
    near, far = [slice(None)] * 2, [slice(None)] * 2
    near[axis], far[axis] = slice(0, width), slice(n - width, n)
    folded = image.copy()
    if rng.random() < 0.5:
        near, far = far, near
    folded[tuple(near)] += strength * (image[tuple(far)] - lowest)
    return folded


def drop_out(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Darken one side of the image smoothly, like the signal loss of gradient echoes near air and metal."""
    position = _across(image.shape, rng)
    loss = 1 / (1 + np.exp(-(position - rng.uniform(0.1, 0.8)) * rng.uniform(4, 12)))
    return (image * (1 - rng.uniform(0.3, 0.95) * loss)).astype(np.float32)


def _across(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return the distance of each sample from the middle of the image along a random direction, where 1 is a side's distance."""
    x, y = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    angle = rng.uniform(0, 2 * np.pi)
    return x * np.cos(angle) + y * np.sin(angle)


def lose_side(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Darken one side of the image, at most up to its middle, smoothly or abruptly, like the end of a coil's field."""
    position = _across(image.shape, rng)
    steepness = np.exp(rng.uniform(np.log(4), np.log(60)))
    loss = 1 / (1 + np.exp(-np.clip((position - rng.uniform(-0.2, 0.8)) * steepness, -50, 50)))
    return (image * (1 - rng.uniform(0.3, 0.98) * loss)).astype(np.float32)


def echo_planar(
    image: np.ndarray, labels: np.ndarray, spacing_mm: float, shift_mm: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Distort an image and its labels along one axis, like echo-planar images in an inhomogeneous magnetic field.

    Intensities increase where the image is compressed and decrease where it is stretched.

    `image` has shape (height, width), and `labels` (height, width, channels); so have the results, float32. `shift_mm` is the
    standard deviation of the shift. The axis is the posterior-anterior one in three of four images.
    """
    axis = 1 if rng.random() < 0.75 else 0
    field = smooth_field((1, *image.shape), 3, rng)[0] * np.float32(shift_mm / spacing_mm)
    coordinates = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in image.shape), indexing="ij"))
    coordinates[axis] += field
    density = np.clip(1 + np.gradient(field, axis=axis), 0.2, 3.0)
    lowest = no_signal(image)
    distorted = (sample(image, coordinates) - lowest) * density + lowest
    moved = [sample(channel, coordinates, "constant") for channel in np.moveaxis(labels, -1, 0)]
    return distorted.astype(np.float32), np.stack(moved, axis=-1)
