"""What a scanner does to an anatomy: bias field, resolution and ringing, ghosts, Rician noise.

Every function takes an image of shape (height, width), float32, and returns a new one.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spineseg_cli.core.resampling import resampled_length, resampling_matrix
from spineseg_cli.synthesis.deformation import smooth_field


def bias_field(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Multiply by a smooth field whose logarithm has standard deviation `strength`."""
    field = smooth_field((1, *image.shape), 2, rng)[0]
    return image * np.exp(strength * field)


def lower_resolution(
    image: np.ndarray, spacing_mm: float, coarse_mm: float, rng: np.random.Generator, noise: float = 0.0
) -> np.ndarray:
    """Acquire `image` at `coarse_mm`, with Rician noise, and bring it back to its own grid by linear interpolation.

    Half of the images are acquired as a scanner does, by cutting k-space (which rings at edges), half by averaging.
    """
    height, width = image.shape
    rows, columns = (resampled_length(n, spacing_mm, coarse_mm) for n in image.shape)
    if coarse_mm <= spacing_mm:
        return rician_noise(image, noise, rng)
    if rng.random() < 0.5:
        coarse = _cut_k_space(image, rows, columns, window=rng.random() < 0.5)
    else:
        down = [resampling_matrix(n, spacing_mm, m, coarse_mm) for n, m in ((height, rows), (width, columns))]
        coarse = down[0] @ image @ down[1].T
    coarse = rician_noise(coarse, noise, rng)
    actual = height * spacing_mm / rows, width * spacing_mm / columns
    up = [resampling_matrix(m, a, n, spacing_mm) for n, m, a in ((height, rows, actual[0]), (width, columns, actual[1]))]
    return (up[0] @ coarse @ up[1].T).astype(np.float32)


def _cut_k_space(image: np.ndarray, rows: int, columns: int, window: bool) -> np.ndarray:
    padded = np.pad(image, [(n // 4, n // 4) for n in image.shape], mode="reflect")
    rows_padded, columns_padded = (round(m * p / n) for m, p, n in zip((rows, columns), padded.shape, image.shape, strict=True))
    spectrum = np.fft.fftshift(np.fft.fft2(padded))
    r0, c0 = (padded.shape[0] - rows_padded) // 2, (padded.shape[1] - columns_padded) // 2
    spectrum = spectrum[r0 : r0 + rows_padded, c0 : c0 + columns_padded]
    if window:
        spectrum = spectrum * np.outer(np.hamming(rows_padded), np.hamming(columns_padded))
    coarse = np.abs(np.fft.ifft2(np.fft.ifftshift(spectrum))) * (rows_padded * columns_padded / padded.size)
    r0, c0 = (rows_padded - rows) // 2, (columns_padded - columns) // 2
    return coarse[r0 : r0 + rows, c0 : c0 + columns].astype(np.float32)


def rician_noise(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Add the noise of a magnitude image, with a standard deviation of `strength` times the image's 95th percentile."""
    if strength <= 0:
        return image
    sigma = strength * max(float(np.percentile(image, 95)), 1e-6)
    real, imaginary = rng.standard_normal((2, *image.shape)).astype(np.float32) * sigma
    return np.hypot(image + real, imaginary)


def ghosts(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Add a shifted, weakened copy along one axis, as periodic motion (breathing, pulsation) does along the phase axis."""
    axis = int(rng.integers(2))
    shift = int(rng.integers(image.shape[axis] // 6, image.shape[axis] // 2))
    return image + strength * np.roll(image, shift, axis) * rng.choice([-1, 1])


def drop_out(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Darken one side of the image smoothly, as air and metal nearby do in gradient-echo images."""
    height, width = image.shape
    x, y = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    angle = rng.uniform(0, 2 * np.pi)
    position = x * np.cos(angle) + y * np.sin(angle)
    loss = 1 / (1 + np.exp(-(position - rng.uniform(0.1, 0.8)) * rng.uniform(4, 12)))
    return (image * (1 - rng.uniform(0.3, 0.95) * loss)).astype(np.float32)


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur by a Gaussian of `sigma` samples."""
    return ndimage.gaussian_filter(image, sigma) if sigma > 0 else image
