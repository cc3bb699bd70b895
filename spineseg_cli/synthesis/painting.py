"""Intensities for an axial slice of labels: one random intensity per tissue, with texture, roots, vessels and lesions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from spineseg_cli.synthesis.contrasts import CONTRASTS, default_weights
from spineseg_cli.synthesis.deformation import smooth_field
from spineseg_cli.synthesis.scanner import Tissue


def paint(
    cord: np.ndarray,
    gray: np.ndarray,
    canal: np.ndarray,
    surroundings: np.ndarray | None,
    spacing_mm: float,
    rng: np.random.Generator,
    contrasts: Mapping[str, float] | None = None,
) -> np.ndarray:
    """Return an image of tissue fractions in a random contrast, float32, shape (n, n).

    `cord`, `gray` and `canal`, shape (n, n), are fractions of cord, of gray matter, and of cord and CSF together.
    `surroundings`, uint8, is the `scanner.Tissue` of each sample around the canal; None for random blobs. `contrasts` are
    their relative frequencies, by default `contrasts.default_weights`.
    """
    white_level, gray_level, csf_level = _intensities(rng, contrasts or default_weights())
    scale = white_level
    if surroundings is None:
        image = background(canal, scale, spacing_mm, rng)
    else:
        image = _painted_labels(surroundings, scale, spacing_mm, rng)
    csf = csf_level * _texture(cord.shape, rng.uniform(0, 0.25), rng)
    if rng.random() < 0.35:  # roots, vessels and flow voids
        csf = csf * _spots(cord.shape, int(rng.integers(2, 12)), rng.uniform(0.1, 0.8), spacing_mm, rng)
    white = white_level * _texture(cord.shape, rng.uniform(0, 0.12), rng)
    gray_image = gray_level * _texture(cord.shape, rng.uniform(0, 0.10), rng)
    image = image * (1 - canal) + csf * (canal - cord) + white * (cord - gray) + gray_image * gray
    if surroundings is not None:
        image = _add_roots(
            image, surroundings == Tissue.ROOT, cord, rng.choice([white_level, gray_level]), spacing_mm, branch(rng)
        )
    if rng.random() < 0.12:
        image = _add_lesions(image, cord, spacing_mm, branch(rng))
    if rng.random() < 0.3:  # pia and superficial vessels
        rim = cord * (1 - cord) * 4
        image = image * (1 - rim * rng.uniform(-0.3, 0.5))
    return np.clip(image, 0, None).astype(np.float32)


def _add_roots(
    image: np.ndarray, roots: np.ndarray, cord: np.ndarray, level: float, spacing_mm: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw nerve roots about as bright as the cord and partly merged: on the floor of the sac they look like a cord."""
    if not roots.any():
        return image
    spread_mm, gain = rng.uniform(0.1, 0.9), rng.uniform(1, 2)
    fraction = np.clip(gain * ndimage.gaussian_filter(roots.astype(np.float32), spread_mm / spacing_mm), 0, 1) * (1 - cord)
    return image * (1 - fraction) + level * rng.uniform(0.85, 1.25) * fraction


def _add_lesions(image: np.ndarray, cord: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Brighten or darken one to three round patches of the cord, like plaques, edema and cysts; labels do not change."""
    rows, columns = np.nonzero(cord > 0.5)
    if len(rows) == 0:
        return image
    x, y = np.meshgrid(*[np.arange(n) for n in cord.shape], indexing="ij")
    for _ in range(rng.integers(1, 4)):
        pick = rng.integers(len(rows))
        distance = np.hypot(x - rows[pick], y - columns[pick]) / (rng.uniform(0.5, 2) / spacing_mm)
        image = image * (1 + cord * rng.uniform(-0.4, 0.8) / (1 + distance**6))
    return image


def _intensities(rng: np.random.Generator, weights: Mapping[str, float]) -> tuple[float, float, float]:
    total = sum(weights.values())
    name = rng.choice(list(weights), p=[weight / total for weight in weights.values()])
    return CONTRASTS.load(str(name)).draw(rng)


def background(canal: np.ndarray, scale: float, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return a random background: layers around the canal, a vertebral body, and blobs of random intensity further out."""
    shape = canal.shape
    levels = np.clip(rng.gamma(2.0, 0.5, size=12), 0.02, 4) * scale
    image = np.full(shape, levels[0], np.float32)
    for layer in range(int(rng.integers(1, 4))):
        noise = smooth_field((1, *shape), int(rng.integers(3, 14)), rng)[0]
        image = np.where(noise > rng.uniform(-0.3, 1.2), levels[1 + layer], image)
    distance = ndimage.distance_transform_edt(canal < 0.5).astype(np.float32)
    if rng.random() < 0.8:  # vertebral body in front of the canal (second axis grows to the front)
        x, y = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in shape], indexing="ij")
        width, depth = rng.uniform((7, 6), (16, 12.5)) / spacing_mm
        front = np.argmax(canal[:, ::-1].max(axis=0) > 0.5)
        center = (shape[1] - front) - (shape[1] - 1) / 2 + depth * rng.uniform(0.8, 1.1)
        body = (x / width) ** 2 + ((y - center) / depth) ** 2 < 1
        image = np.where(body, levels[5], image)
    distance *= np.float32(spacing_mm)
    edge = rng.uniform(0.125, 1) + smooth_field((1, *shape), 3, rng)[0] * rng.uniform(0, 0.5)
    second = edge + np.abs(rng.uniform(0, 4.5) + smooth_field((1, *shape), 4, rng)[0] * 1.5)
    if rng.random() < 0.7:
        image = np.where(distance < second, levels[7], image)
    image = np.where(distance < edge, levels[8], image)
    image = ndimage.gaussian_filter(image, rng.uniform(0.075, 0.5) / spacing_mm)
    return image * _texture(shape, rng.uniform(0.02, 0.25), rng)


def _painted_labels(labels: np.ndarray, scale: float, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return an image with one random intensity per tissue; air is dark in nine of ten images."""
    levels = np.clip(rng.gamma(2.0, 0.5, size=int(labels.max()) + 1), 0.02, 4).astype(np.float32) * scale
    if rng.random() < 0.9:
        levels[0] = 0.02 * scale
    image = ndimage.gaussian_filter(levels[labels], rng.uniform(0.075, 0.375) / spacing_mm)
    return image * _texture(labels.shape, rng.uniform(0.02, 0.25), rng)


def _texture(shape: tuple[int, int], strength: float, rng: np.random.Generator) -> np.ndarray:
    """Return a positive field with mean 1 and coarse and fine variation."""
    coarse = smooth_field((1, *shape), 5, rng)[0]
    fine = smooth_field((1, *shape), 24, rng)[0]
    return np.clip(1 + strength * (0.7 * coarse + 0.7 * fine), 0.05, None)


def _spots(shape: tuple[int, int], count: int, depth: float, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return a field of 1 with small round dips or bumps of `depth`, about four times `count` of them."""
    field = np.zeros(shape, np.float32)
    field[tuple(rng.integers(0, n, 4 * count) for n in shape)] = 1
    field = ndimage.gaussian_filter(field, rng.uniform(0.2, 0.625) / spacing_mm)
    return np.clip(1 - depth * rng.choice([1, 1, -1]) * field / max(float(field.max()), 1e-6), 0.02, None)


def branch(rng: np.random.Generator) -> np.random.Generator:
    """Return a new generator for an optional operation.

    However many numbers that operation draws, `rng` advances by one. So neighboring slices that are drawn from the same seed have
    the same random numbers afterwards, whether or not they need the operation.
    """
    return np.random.default_rng(rng.integers(2**63))
