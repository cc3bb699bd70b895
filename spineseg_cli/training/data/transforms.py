"""Single transforms of a labeled slice; `training.data.augmentation` draws their parameters and combines them.

Geometric transforms act on coordinates instead of pixels: the positions in the source at which the samples of the result are
read, shape (2, height, width), in samples from the center of the source. So image and labels are interpolated only once,
whatever the number of transforms. Intensity transforms take an image of shape (height, width) and return a new one of the same
shape.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spineseg_cli.synthesis.deformation import sample

# For crops that are rotated and shrunk: the largest angle, the range of the scale, and the relative size of the crop that they
# are cut from.
TURNED_DEG = 60.0
TURNED_SCALE = (0.5, 1.0)
TURNED_MARGIN = 2

# Range of the half-axes of the unmasked region, and the largest distance of its center from that of the crop.
MASK_RADIUS_MM = (9.0, 30.0)
MASK_SHIFT_MM = 5.0

# The number of knots of a random intensity curve.
CURVE_KNOTS = 6


def identity(size: int) -> np.ndarray:
    """Return the coordinates of the central `size` x `size` samples."""
    axis = np.arange(size, dtype=np.float32) - (size - 1) / 2
    return np.stack(np.meshgrid(axis, axis, indexing="ij"))


def read(image: np.ndarray, coordinates: np.ndarray, fill: str = "nearest") -> np.ndarray:
    """Return an image interpolated linearly at `coordinates`, float32; outside it is the edge ("nearest") or 0 ("constant")."""
    center = (np.array(image.shape, np.float32) - 1) / 2
    return sample(image, coordinates + center[:, None, None], fill)


def rotate(coordinates: np.ndarray, angle_deg: float) -> np.ndarray:
    """Rotate the content by `angle_deg` about the center, from the first axis towards the second."""
    angle = np.deg2rad(-angle_deg)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    return np.tensordot(matrix, coordinates, axes=1)


def scale(coordinates: np.ndarray, factors: tuple[float, float]) -> np.ndarray:
    """Enlarge the content by `factors`, one for each axis."""
    return coordinates / np.array(factors, np.float32)[:, None, None]


def shift(coordinates: np.ndarray, shift_samples: tuple[float, float]) -> np.ndarray:
    """Shift the content by `shift_samples`, one for each axis."""
    return coordinates - np.array(shift_samples, np.float32)[:, None, None]


def turned(image: np.ndarray, target: np.ndarray, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the central `size` x `size` samples of a crop and its target after a random rotation and reduction."""
    angle_deg, factor = rng.uniform(-TURNED_DEG, TURNED_DEG), rng.uniform(*TURNED_SCALE)
    coordinates = scale(rotate(identity(size), angle_deg), (factor, factor))
    channels = [read(channel, coordinates, "constant") for channel in np.moveaxis(target, -1, 0)]
    return read(image, coordinates), np.stack(channels, axis=-1)


def flip(coordinates: np.ndarray) -> np.ndarray:
    """Mirror the content along the first axis, which runs from right to left."""
    return coordinates * np.array([-1, 1], np.float32)[:, None, None]


def is_mirrored(coordinates: np.ndarray) -> bool:
    """Return whether the content is mirrored, from the orientation of the axes over the whole crop."""
    (a, b), (c, d) = coordinates[:, -1, 0] - coordinates[:, 0, 0], coordinates[:, 0, -1] - coordinates[:, 0, 0]
    return bool(a * d - b * c < 0)


def crop_or_pad(coordinates: np.ndarray, sides: tuple[float, float, float, float]) -> np.ndarray:
    """Crop the four sides by fractions of the size (or pad them, if negative), and stretch the rest to the full size.

    `sides` are the start and end of the first axis, then those of the second.
    """
    starts, ends = np.array(sides[0::2], np.float32), np.array(sides[1::2], np.float32)
    lengths = np.array(coordinates.shape[1:], np.float32)
    return coordinates * (1 - starts - ends)[:, None, None] + ((starts - ends) / 2 * lengths)[:, None, None]


def elastic(coordinates: np.ndarray, alpha_samples: float, sigma_samples: float, rng: np.random.Generator) -> np.ndarray:
    """Displace the content by uniform noise in [-1, 1] that is blurred by `sigma_samples` and multiplied by `alpha_samples`.

    Simard, Steinkraus, Platt. Best practices for convolutional neural networks applied to visual document analysis. ICDAR 2003.
    """
    noise = rng.uniform(-1, 1, coordinates.shape).astype(np.float32)
    return coordinates + alpha_samples * ndimage.gaussian_filter(noise, (0, sigma_samples, sigma_samples), mode="constant")


def sharpen(image: np.ndarray, amount: float, lightness: float = 1.0) -> np.ndarray:
    """Blend the image with a sharpened one, which has the weight `amount` and is brightened by `lightness`, as in imgaug."""
    kernel = np.full((3, 3), -1, np.float32)
    kernel[1, 1] = 8 + lightness
    return (1 - amount) * image + amount * ndimage.convolve(image, kernel, mode="nearest")


def remap(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Map intensities in [0, 1.5] by a random increasing curve: a power, then a piecewise linear function."""
    image = np.clip(image, 0, None) ** float(np.exp(rng.uniform(-0.5, 0.5)))
    knots = np.linspace(0, 1.5, CURVE_KNOTS)
    steps = np.exp(rng.normal(0, 0.35, size=CURVE_KNOTS - 1))
    return np.interp(image, knots, np.concatenate([[0], np.cumsum(steps)]) * (1.5 / steps.sum())).astype(np.float32)


def recolor(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Map intensities by a random continuous curve that need not increase, so that tissues get another order of brightness."""
    positions = np.quantile(image, np.linspace(0.01, 0.99, CURVE_KNOTS))
    positions = np.maximum.accumulate(positions + np.arange(CURVE_KNOTS) * 1e-6)
    return np.interp(image, positions, rng.uniform(0, 1.2, CURVE_KNOTS)).astype(np.float32)


def masked(image: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return a crop with a constant value outside an ellipse or rectangle near its center, like masked and padded scans."""
    shape = image.shape
    radii = rng.uniform(*MASK_RADIUS_MM, 2) / spacing_mm
    center = (np.array(shape) - 1) / 2 + rng.uniform(-MASK_SHIFT_MM, MASK_SHIFT_MM, 2) / spacing_mm
    x, y = (np.abs(np.arange(n) - c) / r for n, c, r in zip(shape, center, radii, strict=True))
    kept = np.hypot(x[:, None], y[None, :]) <= 1 if rng.random() < 0.5 else (x[:, None] <= 1) & (y[None, :] <= 1)
    value = rng.choice([image.min(), 0.0, image.min() - (image.max() - image.min()) * rng.uniform(0, 0.5)])
    return np.where(kept, image, np.float32(value))


def cropped_field(image: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a crop that extends beyond the image: there, the edge is repeated and the target is empty.

    Along each axis, a random part of at least three tenths lies inside the image.

    Returns the image, the target, and which samples lie inside the image, bool.
    """
    kept = []
    for n in image.shape:
        length = int(rng.uniform(0.3, 1) * n)
        start = rng.integers(n - length + 1)
        kept.append(np.clip(np.arange(n), start, start + length - 1))
    inside = np.logical_and.outer(*(indices == np.arange(len(indices)) for indices in kept))
    return image[np.ix_(*kept)], target * inside[..., None], inside
