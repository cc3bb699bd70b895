"""Label-to-image generator: MR images of any contrast, made from maps of cord and gray matter.

Domain randomisation (Billot et al., SynthSeg, Medical Image Analysis 86:102789, 2023): a network that has seen every
contrast does not depend on any. Real contrasts of the cord are over-represented, since they are what it will meet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from spineseg_cli.synthesis import degradation
from spineseg_cli.synthesis.deformation import DeformationRange, random_coordinates, sample, smooth_field

SPACING_MM = 0.25

# (white matter, gray matter, CSF) intensity ranges of the contrasts in use; the background is drawn apart.
CONTRASTS = {
    "t2s": ((0.40, 0.60), (1.08, 1.55), (1.10, 2.40)),
    "t2": ((0.25, 0.40), (1.05, 1.40), (1.80, 3.50)),
    "t1": ((0.55, 0.75), (0.75, 0.95), (0.20, 0.60)),
    "psir": ((0.70, 0.95), (0.45, 0.85), (0.05, 0.40)),
    "dwi": ((0.50, 0.70), (0.90, 1.35), (0.10, 0.70)),
    "mt": ((0.35, 0.50), (1.02, 1.25), (0.90, 1.80)),
}
CONTRAST_SHARES = {"t2s": 0.45, "t2": 0.1, "t1": 0.06, "psir": 0.06, "dwi": 0.05, "mt": 0.08, "random": 0.2}


@dataclass(frozen=True)
class LabelSlice:
    """An axial slice of tissue fractions, 0 to 1, shape (n, n) at 0.25 mm, centred on the cord.

    `canal` is cord and CSF together, or None where the source does not tell.
    """

    cord: np.ndarray
    gray: np.ndarray
    canal: np.ndarray | None = None


def synthesise(
    labels: LabelSlice, size: int, rng: np.random.Generator, limits: DeformationRange | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return a random image of a random deformation of `labels`, and its tissue fractions.

    Parameters
    ----------
    labels : LabelSlice
    size : int
        Samples a side of the result, 0.25 mm apart.
    rng : numpy Generator
    limits : DeformationRange, optional

    Returns
    -------
    image : ndarray, shape (size, size), float32
    target : ndarray, shape (size, size, 2), float32
        Fractions of gray matter and of cord.
    """
    # Children's cords are smaller, and sections at C1 or the lumbar peak of a tall adult larger: scales 0.6 to 1.4.
    limits = limits or DeformationRange(log_scale=0.35, log_aspect=0.3, elastic=5.0)
    coordinates = random_coordinates(labels.cord.shape, (size, size), limits, rng)
    cord = np.clip(sample(labels.cord, coordinates, "constant"), 0, 1)
    gray = np.minimum(np.clip(sample(labels.gray, coordinates, "constant"), 0, 1), cord)
    if labels.canal is not None and rng.random() < 0.7:
        canal = np.maximum(np.clip(sample(labels.canal, coordinates, "constant"), 0, 1), cord)
    else:
        canal = _grown_canal(cord, rng)
    image = _paint(cord, gray, canal, rng)
    return _acquire(image, rng), np.stack([gray, cord], axis=-1)


def _grown_canal(cord: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the cord grown by a CSF layer whose width varies around it; sometimes the cord touches the canal's wall."""
    distance = ndimage.distance_transform_edt(cord < 0.5).astype(np.float32)
    width = rng.uniform(0, 14) * (1 + 0.6 * smooth_field((1, *cord.shape), 2, rng)[0])
    return np.maximum(np.clip(width - distance + 0.5, 0, 1), cord)


def _paint(cord: np.ndarray, gray: np.ndarray, canal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    white_level, gray_level, csf_level = _intensities(rng)
    scale = white_level
    image = _background(canal, scale, rng)
    csf = csf_level * _texture(cord.shape, rng.uniform(0, 0.25), rng)
    if rng.random() < 0.35:
        csf = csf * _spots(cord.shape, rng.integers(2, 12), rng.uniform(0.1, 0.8), rng)  # roots, vessels and flow voids
    white = white_level * _texture(cord.shape, rng.uniform(0, 0.12), rng)
    gray_image = gray_level * _texture(cord.shape, rng.uniform(0, 0.10), rng)
    image = image * (1 - canal) + csf * (canal - cord) + white * (cord - gray) + gray_image * gray
    if rng.random() < 0.3:  # pia and superficial vessels
        rim = cord * (1 - cord) * 4
        image = image * (1 - rim * rng.uniform(-0.3, 0.5))
    return np.clip(image, 0, None).astype(np.float32)


def _intensities(rng: np.random.Generator) -> tuple[float, float, float]:
    name = rng.choice(list(CONTRAST_SHARES), p=list(CONTRAST_SHARES.values()))
    if name == "random":
        white, csf = rng.uniform(0.1, 1.0, 2)
        difference = rng.uniform(0.06, 0.5) * rng.choice([-1, 1])
        return float(white), float(np.clip(white + difference, 0.02, 1.3)), float(csf)
    white, gray, csf = (rng.uniform(*limits) for limits in CONTRASTS[name])
    # Gray matter and CSF are ranges of ratios to white matter where they are brighter, absolute in the inverted contrasts.
    if name in ("t1", "psir"):
        return white, min(gray, white * 0.93), csf
    return white, white * gray, white * csf


def _background(canal: np.ndarray, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Return bone, fat, muscle and air around the canal: rings that follow it, then blobs of random intensity."""
    shape = canal.shape
    levels = np.clip(rng.gamma(2.0, 0.5, size=12), 0.02, 4) * scale
    image = np.full(shape, levels[0], np.float32)
    for layer in range(int(rng.integers(1, 4))):
        noise = smooth_field((1, *shape), int(rng.integers(3, 14)), rng)[0]
        image = np.where(noise > rng.uniform(-0.3, 1.2), levels[1 + layer], image)
    distance = ndimage.distance_transform_edt(canal < 0.5).astype(np.float32)
    if rng.random() < 0.8:  # vertebral body in front of the canal (second axis grows to the front)
        x, y = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in shape], indexing="ij")
        width, depth = rng.uniform(28, 64), rng.uniform(24, 50)
        front = np.argmax(canal[:, ::-1].max(axis=0) > 0.5)
        centre = (shape[1] - front) - (shape[1] - 1) / 2 + depth * rng.uniform(0.8, 1.1)
        body = (x / width) ** 2 + ((y - centre) / depth) ** 2 < 1
        image = np.where(body, levels[5], image)
    edge = rng.uniform(0.5, 4) + smooth_field((1, *shape), 3, rng)[0] * rng.uniform(0, 2)
    second = edge + np.abs(rng.uniform(0, 18) + smooth_field((1, *shape), 4, rng)[0] * 6)
    if rng.random() < 0.7:
        image = np.where(distance < second, levels[7], image)
    image = np.where(distance < edge, levels[8], image)
    image = degradation.blur(image, rng.uniform(0.3, 2.0))
    return image * _texture(shape, rng.uniform(0.02, 0.25), rng)


def _texture(shape: tuple[int, int], strength: float, rng: np.random.Generator) -> np.ndarray:
    """Return a positive field around 1 with coarse and fine variation."""
    coarse = smooth_field((1, *shape), 5, rng)[0]
    fine = smooth_field((1, *shape), 24, rng)[0]
    return np.clip(1 + strength * (0.7 * coarse + 0.7 * fine), 0.05, None)


def _spots(shape: tuple[int, int], count: int, depth: float, rng: np.random.Generator) -> np.ndarray:
    """Return a field of 1 with `count` small round dips (or bumps) of `depth`."""
    field = np.zeros(shape, np.float32)
    field[tuple(rng.integers(0, n, 4 * count) for n in shape)] = 1
    field = degradation.blur(field, rng.uniform(0.8, 2.5))
    return np.clip(1 - depth * rng.choice([1, 1, -1]) * field / max(float(field.max()), 1e-6), 0.02, None)


def _acquire(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return `image` as a scanner would give it: bias, ghosts, resolution, noise, and at times inverted."""
    image = degradation.bias_field(image, rng.uniform(0, 0.35), rng)
    if rng.random() < 0.15:
        image = degradation.ghosts(image, rng.uniform(0.02, 0.15), rng)
    coarse_mm = float(np.exp(rng.uniform(np.log(0.25), np.log(1.0))))
    image = degradation.lower_resolution(image, SPACING_MM, coarse_mm, rng, noise=rng.uniform(0, 0.12) * (rng.random() < 0.85))
    if rng.random() < 0.1:
        image = image.max() - image
    return image.astype(np.float32)
