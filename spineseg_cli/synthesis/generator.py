"""Label-to-image generator: MR images of any contrast, made from maps of cord and gray matter.

Domain randomisation (Billot et al., SynthSeg, Medical Image Analysis 86:102789, 2023): a network that has seen every
contrast does not depend on any. Real contrasts of the cord are over-represented, since they are what it will meet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from spineseg_cli.synthesis import degradation
from spineseg_cli.synthesis.contrast import Tissue
from spineseg_cli.synthesis.deformation import DeformationRange, random_coordinates, sample, smooth_field

SPACING_MM = 0.25

# (white matter, gray matter, CSF) intensity ranges of the contrasts in use; the background is drawn apart.
CONTRASTS = {
    "t2s": ((0.40, 0.60), (1.05, 1.55), (0.95, 2.40)),
    "t2": ((0.25, 0.40), (1.05, 1.40), (1.80, 3.50)),
    "t1": ((0.55, 0.75), (0.75, 0.95), (0.20, 0.60)),
    "psir": ((0.70, 0.95), (0.45, 0.85), (0.05, 0.40)),
    "dwi": ((0.50, 0.70), (0.90, 1.35), (0.10, 0.70)),
    "mt": ((0.35, 0.50), (1.02, 1.25), (0.90, 1.80)),
}
CONTRAST_SHARES = {"t2s": 0.45, "t2": 0.1, "t1": 0.06, "psir": 0.06, "dwi": 0.05, "mt": 0.08, "random": 0.2}

# In-plane resolution of the images on a grid of 0.25 mm.
FINEST_TO_COARSEST_MM = (0.28, 1.3)

# Images without any cord, so that a network learns to find nothing where there is nothing.
EMPTY_SHARE = 0.04

# Largest shift of a wide draw: most of the way to the edge of 80 mm of surroundings.
WIDE_SHIFT_MM = 27.5


@dataclass(frozen=True)
class LabelSlice:
    """An axial slice of tissue fractions, 0 to 1, shape (n, n) at `spacing_mm`, centred on the cord.

    `canal` is cord and CSF together, and `surroundings` the label (uint8, 0 for air) of every other tissue; None where the
    source does not tell. Where `is_cord` is False the "cord" only looks like one: it is painted as one, and is not a target.
    """

    cord: np.ndarray
    gray: np.ndarray
    canal: np.ndarray | None = None
    surroundings: np.ndarray | None = None
    is_cord: bool = True
    spacing_mm: float = SPACING_MM


def synthesise(
    labels: LabelSlice,
    size: int,
    rng: np.random.Generator,
    limits: DeformationRange | None = None,
    wide_share: float = 0.0,
    wide_shift_mm: float = WIDE_SHIFT_MM,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a random image of a random deformation of `labels`, and its tissue fractions.

    Parameters
    ----------
    labels : LabelSlice
    size : int
        Samples a side of the result, as far apart as those of `labels`.
    rng : numpy Generator
    limits : DeformationRange, optional
    wide_share : float
        Share of the images of slices with surroundings that are shifted so far that the cord may lie at the edge, or outside.
    wide_shift_mm : float
        How far.

    Returns
    -------
    image : ndarray, shape (size, size), float32
    target : ndarray, shape (size, size, 2), float32
        Fractions of gray matter and of cord.
    """
    # Children's cords are smaller, and sections at C1 or the lumbar peak of a tall adult larger: scales 0.6 to 1.4.
    limits = limits or DeformationRange(log_scale=0.35, log_aspect=0.3, elastic_mm=1.25)
    spacing_mm = labels.spacing_mm
    if rng.random() < EMPTY_SHARE:
        nothing = np.zeros((size, size), np.float32)
        image = _background(nothing, rng.uniform(0.2, 1), spacing_mm, rng)
        return _acquire(image, spacing_mm, rng), np.stack([nothing, nothing], axis=-1)
    if not labels.is_cord:  # a brainstem as small as a cord would be one
        limits = replace(limits, log_scale=0.1)
    if labels.surroundings is not None and rng.random() < wide_share:
        limits = replace(limits, shift_mm=wide_shift_mm)
    coordinates = random_coordinates(labels.cord.shape, (size, size), limits, rng, spacing_mm)
    levels = _through_slice(coordinates, spacing_mm, rng)
    cord = _mean_fraction(labels.cord, levels)
    gray = np.minimum(_thinned_or_thickened(_mean_fraction(labels.gray, levels), spacing_mm, rng), cord)
    own_canal = rng.random() < 0.7 or not labels.is_cord or not cord.any()
    growth = _branch(rng)
    if labels.canal is not None and own_canal:
        canal = np.maximum(_mean_fraction(labels.canal, levels), cord)
    else:
        canal = _grown_canal(cord, spacing_mm, growth)
    image = _paint(cord, gray, canal, _sampled_labels(labels.surroundings, coordinates), spacing_mm, rng)
    return _acquire(image, spacing_mm, rng), np.stack([gray, cord], axis=-1) * np.float32(labels.is_cord)


def _branch(rng: np.random.Generator) -> np.random.Generator:
    """Return a generator for what some slices need and others do not, so that neighbours of one seed go on alike."""
    return np.random.default_rng(rng.integers(2**63))


def _sampled_labels(surroundings: np.ndarray | None, coordinates: np.ndarray) -> np.ndarray | None:
    if surroundings is None:
        return None
    return ndimage.map_coordinates(surroundings, coordinates, order=0, mode="nearest")


def _through_slice(coordinates: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the coordinates of a few levels of one slice: a thick slice averages sections that drift and change size."""
    if rng.random() < 0.65:
        return [coordinates]
    centre = coordinates.mean(axis=(1, 2), keepdims=True)
    drift = rng.normal(0, 0.375, size=(2, 1, 1)) / spacing_mm
    growth = rng.normal(0, 0.04)
    return [(coordinates - centre) * (1 + growth * t) + centre + drift * t for t in (-1, 0, 1)]


def _mean_fraction(fraction: np.ndarray, levels: list[np.ndarray]) -> np.ndarray:
    return np.clip(sum(sample(fraction, level, "constant") for level in levels) / len(levels), 0, 1)


def _thinned_or_thickened(gray: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return gray matter with thinner or thicker horns, as people and levels differ: blurred, then cut at another height."""
    if rng.random() < 0.4:
        return gray
    return np.clip((degradation.blur(gray, rng.uniform(0.25, 0.5) / spacing_mm) - rng.uniform(0.32, 0.62)) * 4 + 0.5, 0, 1)


def _grown_canal(cord: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return the cord grown by a CSF layer whose width varies around it; sometimes the cord touches the canal's wall."""
    distance = ndimage.distance_transform_edt(cord < 0.5).astype(np.float32)
    width = rng.uniform(0, 3.5) / spacing_mm * (1 + 0.6 * smooth_field((1, *cord.shape), 2, rng)[0])
    return np.maximum(np.clip(width - distance + 0.5, 0, 1), cord)


def _paint(
    cord: np.ndarray,
    gray: np.ndarray,
    canal: np.ndarray,
    surroundings: np.ndarray | None,
    spacing_mm: float,
    rng: np.random.Generator,
) -> np.ndarray:
    white_level, gray_level, csf_level = _intensities(rng)
    scale = white_level
    if surroundings is None:
        image = _background(canal, scale, spacing_mm, rng)
    else:
        image = _painted_labels(surroundings, scale, spacing_mm, rng)
    csf = csf_level * _texture(cord.shape, rng.uniform(0, 0.25), rng)
    if rng.random() < 0.35:  # roots, vessels and flow voids
        csf = csf * _spots(cord.shape, rng.integers(2, 12), rng.uniform(0.1, 0.8), spacing_mm, rng)
    white = white_level * _texture(cord.shape, rng.uniform(0, 0.12), rng)
    gray_image = gray_level * _texture(cord.shape, rng.uniform(0, 0.10), rng)
    image = image * (1 - canal) + csf * (canal - cord) + white * (cord - gray) + gray_image * gray
    if surroundings is not None:
        image = _add_roots(
            image, surroundings == Tissue.ROOT, cord, rng.choice([white_level, gray_level]), spacing_mm, _branch(rng)
        )
    if rng.random() < 0.12:
        image = _add_lesions(image, cord, spacing_mm, _branch(rng))
    if rng.random() < 0.3:  # pia and superficial vessels
        rim = cord * (1 - cord) * 4
        image = image * (1 - rim * rng.uniform(-0.3, 0.5))
    return np.clip(image, 0, None).astype(np.float32)


def _add_roots(
    image: np.ndarray, roots: np.ndarray, cord: np.ndarray, level: float, spacing_mm: float, rng: np.random.Generator
) -> np.ndarray:
    """Paint nerve roots nearly as the cord, and let them clump: lying on the sac's floor they look like one."""
    if not roots.any():
        return image
    spread_mm, gain = rng.uniform(0.1, 0.9), rng.uniform(1, 2)
    share = np.clip(gain * degradation.blur(roots.astype(np.float32), spread_mm / spacing_mm), 0, 1) * (1 - cord)
    return image * (1 - share) + level * rng.uniform(0.85, 1.25) * share


def _add_lesions(image: np.ndarray, cord: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Brighten or darken one to three round patches of the cord, as plaques, oedema and cysts do; they are not gray matter."""
    rows, columns = np.nonzero(cord > 0.5)
    if len(rows) == 0:
        return image
    x, y = np.meshgrid(*[np.arange(n) for n in cord.shape], indexing="ij")
    for _ in range(rng.integers(1, 4)):
        pick = rng.integers(len(rows))
        distance = np.hypot(x - rows[pick], y - columns[pick]) / (rng.uniform(0.5, 2) / spacing_mm)
        image = image * (1 + cord * rng.uniform(-0.4, 0.8) / (1 + distance**6))
    return image


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


def _background(canal: np.ndarray, scale: float, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
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
        width, depth = rng.uniform((7, 6), (16, 12.5)) / spacing_mm
        front = np.argmax(canal[:, ::-1].max(axis=0) > 0.5)
        centre = (shape[1] - front) - (shape[1] - 1) / 2 + depth * rng.uniform(0.8, 1.1)
        body = (x / width) ** 2 + ((y - centre) / depth) ** 2 < 1
        image = np.where(body, levels[5], image)
    distance *= np.float32(spacing_mm)
    edge = rng.uniform(0.125, 1) + smooth_field((1, *shape), 3, rng)[0] * rng.uniform(0, 0.5)
    second = edge + np.abs(rng.uniform(0, 4.5) + smooth_field((1, *shape), 4, rng)[0] * 1.5)
    if rng.random() < 0.7:
        image = np.where(distance < second, levels[7], image)
    image = np.where(distance < edge, levels[8], image)
    image = degradation.blur(image, rng.uniform(0.075, 0.5) / spacing_mm)
    return image * _texture(shape, rng.uniform(0.02, 0.25), rng)


def _painted_labels(labels: np.ndarray, scale: float, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return an image with one random intensity a tissue; air is nearly always dark."""
    levels = np.clip(rng.gamma(2.0, 0.5, size=int(labels.max()) + 1), 0.02, 4).astype(np.float32) * scale
    if rng.random() < 0.9:
        levels[0] = 0.02 * scale
    image = degradation.blur(levels[labels], rng.uniform(0.075, 0.375) / spacing_mm)
    return image * _texture(labels.shape, rng.uniform(0.02, 0.25), rng)


def _texture(shape: tuple[int, int], strength: float, rng: np.random.Generator) -> np.ndarray:
    """Return a positive field around 1 with coarse and fine variation."""
    coarse = smooth_field((1, *shape), 5, rng)[0]
    fine = smooth_field((1, *shape), 24, rng)[0]
    return np.clip(1 + strength * (0.7 * coarse + 0.7 * fine), 0.05, None)


def _spots(shape: tuple[int, int], count: int, depth: float, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return a field of 1 with `count` small round dips (or bumps) of `depth`."""
    field = np.zeros(shape, np.float32)
    field[tuple(rng.integers(0, n, 4 * count) for n in shape)] = 1
    field = degradation.blur(field, rng.uniform(0.2, 0.625) / spacing_mm)
    return np.clip(1 - depth * rng.choice([1, 1, -1]) * field / max(float(field.max()), 1e-6), 0.02, None)


def _acquire(image: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return `image` as a scanner would give it: bias, ghosts, resolution, noise, and at times inverted."""
    image = degradation.bias_field(image, rng.uniform(0, 0.35), rng)
    if rng.random() < 0.12:
        image = degradation.drop_out(image, rng)
    if rng.random() < 0.15:
        image = degradation.ghosts(image, rng.uniform(0.02, 0.15), rng)
    # A coarse grid is for coarse images, and for fine ones that were averaged.
    finest, coarsest = (limit * np.sqrt(spacing_mm / SPACING_MM) for limit in FINEST_TO_COARSEST_MM)
    coarse_mm = float(np.exp(rng.uniform(np.log(finest), np.log(coarsest))))
    image = degradation.lower_resolution(image, spacing_mm, coarse_mm, rng, noise=rng.uniform(0, 0.12) * (rng.random() < 0.85))
    if rng.random() < 0.1:
        image = image.max() - image
    return image.astype(np.float32)
