"""Augmentation of labeled scans: profiles that draw and combine the transforms of `training.data.transforms`.

A profile takes (image, spacing_mm, size, rng, mirror) and returns the augmented crop, and the coordinates at which the labels are
read for it. If `mirror` is False, it does not mirror the crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from spineseg_cli.synthesis import degradation
from spineseg_cli.synthesis.deformation import DeformationRange, random_coordinates
from spineseg_cli.synthesis.generator import SPACING_MM
from spineseg_cli.training.choices import AUGMENTATIONS
from spineseg_cli.training.data import transforms
from spineseg_cli.training.data.labeled_slices import ScanSlice
from spineseg_cli.training.data.stacks import StackPatch

GEOMETRY = DeformationRange(rotation_deg=20, log_scale=0.25, log_aspect=0.15, shear=0.1, shift_mm=5, elastic_mm=1)
# Fraction of crops of the default profile that are shifted anywhere in the slice, so that the cord may lie at the edge or
# outside.
FAR_SHIFT_PROB = 0.2
# Fraction of crops of the recolored profile in which the order of brightness of the tissues changes.
RECOLORED_PROB = 0.25

# Typical wavelength of the error of a simulated centerline.
ERROR_WAVE_MM = 40.0


def augment(
    scan: ScanSlice,
    size: int,
    rng: np.random.Generator,
    profile: str = "default",
    outputs: Sequence[str] = ("gray_matter", "cord"),
    mirror: bool | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a randomly deformed and degraded crop of a slice, and its labels with the same deformation.

    If the slice has masks of several raters, one of them is drawn. `profile` is a name in `training.choices.AUGMENTATIONS`;
    `outputs` are the channels of the target in order, "cord" and the structure of which the slice has labels; `mirror` says
    whether half of the crops are mirrored from left to right, or none; by default the profile decides.

    The image has shape (size, size), and the target (size, size, len(outputs)); both are float32. The target holds fractions,
    which are between 0 and 1 at outlines.
    """
    rater = int(rng.integers(len(scan.structure))) if len(scan.structure) > 1 else 0
    image, coordinates = AUGMENTATIONS.load(profile)(scan.image, scan.spacing_mm, size, rng, mirror is not False)
    if mirror and not AUGMENTATIONS[profile].facts.get("mirrors") and rng.random() < 0.5:
        image, coordinates = image[::-1], coordinates[:, ::-1]
    labels = (scan.label(output, rater) for output in outputs)
    target = np.stack([transforms.read(label, coordinates, "constant") for label in labels], axis=-1)
    return image.astype(np.float32), target


def augment_stack(
    patch: StackPatch,
    size: int,
    rng: np.random.Generator,
    profile: str = "default",
    outputs: Sequence[str] = ("gray_matter", "cord"),
    mirror: bool | None = None,
    jitter_mm: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the slices of a patch and their labels, all with the same augmentation, along a centerline with random errors.

    Profiles that do not keep the scale of intensities add independent noise to each slice. `jitter_mm` is that of
    `centerline_errors`; the other parameters are those of `augment`.

    The images have shape (len(patch.slices), size, size), and the targets have one axis more, for the outputs; both are float32.
    They are not yet resampled along the cord, since each slice has to be standardized before.
    """
    shifts = centerline_errors([part.height_mm for part in patch.slices], jitter_mm, rng)
    seed = int(rng.integers(2**32))
    crops, targets = [], []
    for part, shift in zip(patch.slices, shifts, strict=True):
        image, target = augment(part.moved(shift), size, np.random.default_rng(seed), profile, outputs, mirror)
        crops.append(image)
        targets.append(target)
    images = np.stack(crops)
    if not AUGMENTATIONS[profile].facts.get("keeps_intensities"):
        strength = rng.uniform(0, 0.05)
        images = np.stack([degradation.rician_noise(image, strength, rng) for image in images])
    return images, np.stack(targets)


def centerline_errors(heights_mm: Sequence[float], jitter_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return the error of a simulated centerline in mm, shape (len(heights_mm), 2).

    It is at most `jitter_mm` along each axis: half of this is a constant shift, half a slow wave along the cord.
    """
    offset = rng.uniform(-1, 1, 2)
    phase, length_mm = rng.uniform(0, 2 * np.pi, 2), ERROR_WAVE_MM * np.exp(rng.uniform(-0.5, 0.5, 2))
    swing = rng.uniform(0, 1, 2)
    waves = swing * np.sin(phase + 2 * np.pi * np.asarray(heights_mm, float)[:, None] / length_mm)
    return jitter_mm * (offset + waves) / 2


def unchanged(
    image: np.ndarray, spacing_mm: float, size: int, rng: np.random.Generator, mirror: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return the central crop unchanged."""
    coordinates = transforms.identity(size)
    return transforms.read(image, coordinates), coordinates


def default(
    image: np.ndarray, spacing_mm: float, size: int, rng: np.random.Generator, mirror: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return a crop for scans of any scanner: strong changes of geometry, contrast, bias field, ghosts, resolution and noise.

    Intensities of the result are between about 0 and 1.5.
    """
    wide_mm = (min(image.shape) - size) / 2 * spacing_mm
    geometry = replace(GEOMETRY, shift_mm=wide_mm) if rng.random() < FAR_SHIFT_PROB else GEOMETRY
    coordinates = _about_center(random_coordinates(image.shape, (size, size), geometry, rng, spacing_mm), image.shape)
    if not mirror and transforms.is_mirrored(coordinates):
        coordinates = coordinates[:, ::-1]
    image = transforms.read(image, coordinates)
    low, high = np.percentile(image, (0.5, 99.5))
    image = np.clip((image - low) / max(float(high - low), 1e-6), 0, 1.5)
    if rng.random() < 0.6:
        image = transforms.remap(image, rng)
    if rng.random() < 0.5:
        image = degradation.bias_field(image, rng.uniform(0, 0.3), rng)
    if rng.random() < 0.1:
        image = degradation.ghosts(image, rng.uniform(0.02, 0.1), rng)
    if rng.random() < 0.5:
        coarse_mm = rng.uniform(0.4, 1.0) * np.sqrt(spacing_mm / SPACING_MM)
        image = degradation.lower_resolution(image, spacing_mm, coarse_mm, rng, noise=rng.uniform(0, 0.08))
    elif rng.random() < 0.5:
        image = degradation.rician_noise(ndimage.gaussian_filter(image, rng.uniform(0, 1.2)), rng.uniform(0, 0.08), rng)
    if rng.random() < 0.2:  # sharpened, as some scanners deliver
        image = image + rng.uniform(0.3, 1.0) * (image - ndimage.gaussian_filter(image, 2.0))
    if rng.random() < 0.1:
        image = image.max() - image
    return image, coordinates


def recolored(
    image: np.ndarray, spacing_mm: float, size: int, rng: np.random.Generator, mirror: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return a crop as `default` does; in a quarter of crops the tissues get a random order of brightness."""
    image, coordinates = default(image, spacing_mm, size, rng, mirror)
    if rng.random() < RECOLORED_PROB:
        image = transforms.recolor(image, rng)
    return image, coordinates


def perone(
    image: np.ndarray, spacing_mm: float, size: int, rng: np.random.Generator, mirror: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return a crop as in Perone et al. 2018: rotation, shift, scaling, channel shift, flip, elastic deformation.

    The channel shift assumes that `image` has mean 0 and standard deviation 1. The transforms are those of the paper; their
    ranges, and the probability of 0.3 of the elastic deformation, are those of the examples of medicaltorch by the same author.
    """
    coordinates = transforms.identity(size)
    if rng.random() < 0.3:
        coordinates = transforms.elastic(coordinates, 30.0, 4.0, rng)
    if rng.random() < 0.5 and mirror:
        coordinates = transforms.flip(coordinates)
    coordinates = transforms.shift(coordinates, tuple(rng.uniform(-0.03, 0.03, 2) * size))
    coordinates = transforms.rotate(coordinates, rng.uniform(-4.6, 4.6))
    coordinates = transforms.scale(coordinates, (rng.uniform(0.98, 1.02),) * 2)
    image = transforms.read(image, coordinates)
    return np.clip(image + rng.uniform(-0.17, 0.17), image.min(), image.max()), coordinates


def kumar(
    image: np.ndarray, spacing_mm: float, size: int, rng: np.random.Generator, mirror: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return a crop as in Kumar 2022, with each transform in half of the crops; intensities keep their scale.

    Crop or pad by 10 %, scale 80 to 110 %, shift by 10 %, rotate by 25 degrees, Gaussian blur 0 to 1.5, local mean 2 to 4,
    sharpen and lighten, Gaussian noise, contrast. The last three have no published range; here they are those of the example in
    the documentation of imgaug, from which the others were taken too, for intensities in [0, 1].
    """
    coordinates = transforms.identity(size)
    if rng.random() < 0.5:
        coordinates = transforms.crop_or_pad(coordinates, tuple(rng.uniform(-0.1, 0.1, 4)))
    if rng.random() < 0.5:
        coordinates = transforms.shift(coordinates, tuple(rng.uniform(-0.1, 0.1, 2) * size))
    if rng.random() < 0.5:
        coordinates = transforms.rotate(coordinates, rng.uniform(-25, 25))
    if rng.random() < 0.5:
        coordinates = transforms.scale(coordinates, tuple(rng.uniform(0.8, 1.1, 2)))
    image = transforms.read(image, coordinates)
    low, span = float(image.min()), max(float(np.ptp(image)), 1e-6)
    image = (image - low) / span
    if rng.random() < 0.5:
        image = ndimage.gaussian_filter(image, rng.uniform(0, 1.5))
    if rng.random() < 0.5:
        image = ndimage.uniform_filter(image, int(rng.integers(2, 5)))
    if rng.random() < 0.5:
        image = transforms.sharpen(image, rng.uniform(0, 1), rng.uniform(0.75, 1.5))
    if rng.random() < 0.5:
        image = image + rng.uniform(0, 0.05) * rng.standard_normal(image.shape, dtype=np.float32)
    if rng.random() < 0.5:
        image = 0.5 + rng.uniform(0.5, 2.0) * (image - 0.5)
    return np.clip(image, 0, 1) * span + low, coordinates


def _about_center(coordinates: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return coordinates of `map_coordinates` in an image of `shape` as coordinates relative to its center."""
    return coordinates - ((np.array(shape, np.float32) - 1) / 2)[:, None, None]
