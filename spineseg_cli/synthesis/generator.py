"""A generator of MR images of any contrast from label maps of cord and gray matter.

This is domain randomization (Billot et al., SynthSeg, Medical Image Analysis 86:102789, 2023): a network that is trained on all
contrasts does not depend on a particular one. The real contrasts of the cord are drawn more often, since scans have these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from spineseg_cli.synthesis import degradation
from spineseg_cli.synthesis.deformation import DeformationRange, random_coordinates, sample, smooth_field
from spineseg_cli.synthesis.dorsal_horns import extended_horns
from spineseg_cli.synthesis.painting import background, branch, paint

SPACING_MM = 0.25

# Range of the in-plane resolution of images on a grid of 0.25 mm.
FINEST_TO_COARSEST_MM = (0.28, 1.3)

# Fraction of images without any cord, from which the network learns to predict nothing.
EMPTY_PROB = 0.04

# Fraction of images whose dorsal horns are extended to the surface of the cord: see `synthesis.dorsal_horns`.
LONG_HORNS_PROB = 0.7

# Largest shift of an image that is shifted far: most of the way to the edge of surroundings of 80 mm.
FAR_SHIFT_MM = 27.5


@dataclass(frozen=True)
class LabelSlice:
    """An axial slice of tissue fractions, 0 to 1, each of shape (n, n), centered on the cord."""

    # Fractions of cord and of gray matter.
    cord: np.ndarray
    gray: np.ndarray
    canal: np.ndarray | None = None  # fraction of cord and CSF together, if it is known
    surroundings: np.ndarray | None = None  # the `scanner.Tissue` of each sample outside the canal, if it is known
    # False if the "cord" only looks like one, such as the brainstem. It is then drawn in the image, but not in the target.
    is_cord: bool = True
    spacing_mm: float = SPACING_MM


def synthesize(
    labels: LabelSlice,
    size: int,
    rng: np.random.Generator,
    limits: DeformationRange | None = None,
    far_shift_prob: float = 0.0,
    far_shift_mm: float = FAR_SHIFT_MM,
    contrasts: Mapping[str, float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return an image of a random contrast of randomly deformed labels, and the deformed labels.

    The image has shape (size, size) and the voxel size of `labels`; the labels, shape (size, size, 2), are fractions of gray
    matter and of cord; both are float32. Of the images of slices with surroundings, the fraction `far_shift_prob` is shifted,
    by at most `far_shift_mm`, so far that the cord may lie at the edge or outside. `contrasts` are their relative
    frequencies: see `painting.paint`.
    """
    # Scales of 0.6 to 1.4 cover the cords of children, and sections at C1 or in the lumbar enlargement of tall adults.
    limits = limits or DeformationRange(log_scale=0.35, log_aspect=0.3, elastic_mm=1.25)
    spacing_mm = labels.spacing_mm
    if rng.random() < EMPTY_PROB:
        nothing = np.zeros((size, size), np.float32)
        image = background(nothing, rng.uniform(0.2, 1), spacing_mm, rng)
        return _acquire(image, spacing_mm, rng), np.stack([nothing, nothing], axis=-1)
    if not labels.is_cord:  # a brainstem that is scaled to the size of a cord would look exactly like one
        limits = replace(limits, log_scale=0.1)
    if labels.surroundings is not None and rng.random() < far_shift_prob:
        limits = replace(limits, shift_mm=far_shift_mm)
    coordinates = random_coordinates(labels.cord.shape, (size, size), limits, rng, spacing_mm)
    levels = _through_slice(coordinates, spacing_mm, rng)
    cord = _mean_fraction(labels.cord, levels)
    gray = _thinned_or_thickened(_mean_fraction(labels.gray, levels), spacing_mm, rng)
    horns_rng = branch(rng)
    if horns_rng.random() < LONG_HORNS_PROB and labels.is_cord:
        gray = np.maximum(gray, _mean_fraction(extended_horns(labels.gray, labels.cord, spacing_mm, horns_rng), levels))
    gray = np.minimum(gray, cord)
    own_canal = rng.random() < 0.7 or not labels.is_cord or not cord.any()
    growth = branch(rng)
    if labels.canal is not None and own_canal:
        canal = np.maximum(_mean_fraction(labels.canal, levels), cord)
    else:
        canal = _grown_canal(cord, spacing_mm, growth)
    image = paint(cord, gray, canal, _sampled_labels(labels.surroundings, coordinates), spacing_mm, rng, contrasts)
    return _acquire(image, spacing_mm, rng), np.stack([gray, cord], axis=-1) * np.float32(labels.is_cord)


def _sampled_labels(surroundings: np.ndarray | None, coordinates: np.ndarray) -> np.ndarray | None:
    if surroundings is None:
        return None
    return ndimage.map_coordinates(surroundings, coordinates, order=0, mode="nearest")


def _through_slice(coordinates: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the coordinates of one or three levels of a slice; a thick slice averages sections that shift and change in size."""
    if rng.random() < 0.65:
        return [coordinates]
    center = coordinates.mean(axis=(1, 2), keepdims=True)
    drift = rng.normal(0, 0.375, size=(2, 1, 1)) / spacing_mm
    growth = rng.normal(0, 0.04)
    return [(coordinates - center) * (1 + growth * t) + center + drift * t for t in (-1, 0, 1)]


def _mean_fraction(fraction: np.ndarray, levels: list[np.ndarray]) -> np.ndarray:
    return np.clip(sum(sample(fraction, level, "constant") for level in levels) / len(levels), 0, 1)


def _thinned_or_thickened(gray: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return gray matter with thinner or thicker horns, as people and levels differ: blurred, then thresholded differently."""
    if rng.random() < 0.4:
        return gray
    return np.clip((ndimage.gaussian_filter(gray, rng.uniform(0.25, 0.5) / spacing_mm) - rng.uniform(0.32, 0.62)) * 4 + 0.5, 0, 1)


def _grown_canal(cord: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return the cord with a layer of CSF of varying width around it, which may be absent where the cord touches the canal."""
    distance = ndimage.distance_transform_edt(cord < 0.5).astype(np.float32)
    width = rng.uniform(0, 3.5) / spacing_mm * (1 + 0.6 * smooth_field((1, *cord.shape), 2, rng)[0])
    return np.maximum(np.clip(width - distance + 0.5, 0, 1), cord)


def _acquire(image: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return the image with the degradations of a scanner: bias field, ghosts, low resolution, noise; some are inverted."""
    image = degradation.bias_field(image, rng.uniform(0, 0.35), rng)
    if rng.random() < 0.12:
        image = degradation.drop_out(image, rng)
    if rng.random() < 0.15:
        image = degradation.ghosts(image, rng.uniform(0.02, 0.15), rng)
    # On a coarser grid, images are coarser too, but less than in proportion: fine scans are also read on coarse grids.
    finest, coarsest = (limit * np.sqrt(spacing_mm / SPACING_MM) for limit in FINEST_TO_COARSEST_MM)
    coarse_mm = float(rng.uniform(finest, coarsest))
    image = degradation.lower_resolution(image, spacing_mm, coarse_mm, rng, noise=rng.uniform(0, 0.12) * (rng.random() < 0.85))
    if rng.random() < 0.1:
        image = image.max() - image
    return image.astype(np.float32)
