"""A procedural phantom of the whole cord: an MRI-like image with exact masks and centerline, drawn from a seed.

The anatomy comes from the published measurements in `anatomy`; no data set is involved. Fine tissues are supersampled slice
by slice, so that each voxel holds its true fraction of each tissue (partial volume) and memory stays small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import InputError
from spineseg_cli.synthesis.anatomy import CONUS_TIP_MM, level_mm
from spineseg_cli.synthesis.curve import make_curve
from spineseg_cli.synthesis.sampling import Body, Grid, tissue_fractions
from spineseg_cli.synthesis.scanner import CORD_TISSUES, PHANTOM_CONTRASTS, Scanner, Tissue
from spineseg_cli.synthesis.subject import draw_subject

REGIONS_MM = {  # arc length below the top of C1 in an adult
    "cervical": (level_mm("C1", 0.0), level_mm("C7", 1.0)),
    "thoracic": (level_mm("T1", 0.0), level_mm("T12", 1.0)),
    "lumbar": (level_mm("T10", 0.0), level_mm("L2", 1.0)),
    "whole": (level_mm("C1", 0.0), level_mm("L2", 1.0)),
}

# The number of values of each numeric argument of `make_phantom`, and the range that they must lie in.
RANGES = {
    "spacing_mm": (3, 0.05, 20.0),
    "fov_mm": (2, 5.0, 600.0),
    "offset_mm": (2, -300.0, 300.0),
    "size_scale": (1, 0.3, 2.0),
    "noise": (1, 0.0, 2.0),
    "bias": (1, 0.0, 2.0),
    "curvature": (1, 0.0, 2.0),
    "seed": (1, 0, 2**63),
}
_CORD = list(CORD_TISSUES)


@dataclass(frozen=True)
class Phantom:
    """A synthetic scan and its ground truth, all on one grid in RPI (nibabel's LAS)."""

    image: Volume  # intensities, float32, white matter about 100
    # uint8 masks: 1 where more than half of the voxel is cord or gray matter. Gray matter lies within the cord.
    cord: Volume
    gray_matter: Volume
    labels: Volume  # uint8 map of `scanner.Tissue`: the most frequent tissue of each voxel, consistent with the masks
    # shape (n, 3): world coordinates of the cord's center, at most 1 mm apart, from the top of the image to its bottom or to the
    # tip of the conus, whichever comes first; shape (0, 3) if the image lies below the conus.
    centerline_mm: np.ndarray


def make_phantom(
    *,
    contrast: str = "t2s",
    region: tuple[float, float] | str = "cervical",
    spacing_mm: tuple[float, float, float] = (0.5, 0.5, 5.0),
    fov_mm: tuple[float, float] = (80.0, 80.0),
    size_scale: float = 1.0,
    noise: float = 0.03,
    bias: float = 0.2,
    curvature: float = 1.0,
    offset_mm: tuple[float, float] = (0.0, 0.0),
    seed: int = 0,
) -> Phantom:
    """Make a synthetic scan of the spinal cord with its exact masks and centerline.

    Areas of cord and gray matter are defined on the section perpendicular to the cord. An axial slice through a cord that is
    tilted by an angle t shows the area divided by cos(t), which is at most 4 % more at `curvature` 1.

    Raises InputError if an argument is out of its range.

    Parameters
    ----------
    contrast : {"t2s", "t2", "t1"}
        T2*w (gray matter brighter than white matter, bright CSF), T2w (CSF brightest), or T1w (CSF dark, white matter brighter
        than gray matter).
    region : str or (float, float)
        "cervical" (C1 to C7), "thoracic" (T1 to T12), "lumbar" (T10 to L2, with the conus at L1), "whole" (C1 to L2), or
        a vertical range in mm below the top of this subject's C1.
    spacing_mm : (float, float, float)
        Voxel size: right-left, posterior-anterior, inferior-superior.
    fov_mm : (float, float)
        In-plane size of the image, rounded to whole voxels.
    size_scale : float
        Size of the subject relative to the average adult: 0.6 for a child, 1.3 for a tall adult.
    noise : float
        Standard deviation of the Rician noise, relative to the signal of white matter.
    bias : float
        Strength of the bias field; 0 for none.
    curvature : float
        Factor on the bends of the spine; 0 for a straight spine.
    offset_mm : (float, float)
        Mean position of the cord, to the right and anterior of the center of the field of view.
    seed : int
        The same arguments and seed give the same phantom, bit for bit. The anatomy depends on the seed alone.
    """
    _check_choices(contrast, region)
    _check_ranges(
        spacing_mm=spacing_mm, fov_mm=fov_mm, offset_mm=offset_mm, size_scale=(size_scale,), noise=(noise,), bias=(bias,),
        curvature=(curvature,), seed=(seed,),
    )  # fmt: skip
    subject = draw_subject(np.random.default_rng([seed, 0]))
    body = Body(subject, make_curve(subject, size_scale, curvature), size_scale)
    grid = _make_grid(body, region, spacing_mm, fov_mm, offset_mm)
    scanner = Scanner(contrast, noise, bias, np.random.default_rng([seed, 1]))

    shape = (grid.x_mm.size, grid.y_mm.size, grid.z_mm.size)
    image = np.empty(shape, np.float32)
    cord, gray, labels = (np.zeros(shape, np.uint8) for _ in range(3))
    center = grid.x_mm.mean(), grid.y_mm.mean()
    for k, z in enumerate(grid.z_mm):
        fractions = tissue_fractions(grid, float(z), body)
        image[..., k] = scanner.acquire(fractions, grid.x_mm - center[0], grid.y_mm - center[1], float(z))
        cord[..., k] = fractions[..., _CORD].sum(axis=-1) > 0.5
        gray[..., k] = fractions[..., Tissue.GRAY_MATTER] > 0.5
        labels[..., k] = _most_frequent_tissue(fractions, cord[..., k] > 0, gray[..., k] > 0)
    affine = grid.affine
    scan, cord_mask, gray_mask, label_map = (Volume(data, affine) for data in (image, cord, gray, labels))
    return Phantom(scan, cord_mask, gray_mask, label_map, _cord_centerline(body, grid))


def _check_choices(contrast: str, region: str | tuple[float, float]) -> None:
    if contrast not in PHANTOM_CONTRASTS:
        raise InputError(f"a phantom's contrast is one of {', '.join(PHANTOM_CONTRASTS)}; got {contrast!r}: choose one of these")
    if isinstance(region, str):
        if region not in REGIONS_MM:
            raise InputError(
                f"a phantom's region is {', '.join(REGIONS_MM)} or (start, stop) in mm; got {region!r}: choose one of these"
            )
    elif len(region) != 2 or not 0 <= region[0] < region[1] <= 700:
        raise InputError(f"a phantom's region is 0 <= start < stop <= 700 mm below C1's top; got {region!r}: give a pair")


def _check_ranges(**arguments: tuple[float, ...]) -> None:
    for name, values in arguments.items():
        length, low, high = RANGES[name]
        if len(values) != length or not all(low <= value <= high for value in values):
            raise InputError(f"a phantom's {name} is {length} number(s) from {low:g} to {high:g}; got {values!r}: change it")


def _make_grid(
    body: Body,
    region: str | tuple[float, float],
    spacing_mm: tuple[float, float, float],
    fov_mm: tuple[float, float],
    offset_mm: tuple[float, float],
) -> Grid:
    """Return the grid that shows a region, with the cord at its mean position `offset_mm` from the middle of the image."""
    if isinstance(region, str):
        first, last = (body.curve.depth_of_arc(edge * body.size_scale) for edge in REGIONS_MM[region])
    else:
        first, last = region
    spacing = float(spacing_mm[0]), float(spacing_mm[1]), float(spacing_mm[2])
    counts = [max(1, round(length / s)) for length, s in zip((*fov_mm, last - first), spacing, strict=True)]
    cord, *_ = body.curve.at(np.linspace(first, last, 64))
    center = (*(cord.mean(axis=0) - np.asarray(offset_mm)), -0.5 * (first + last))
    steps = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(counts, spacing, strict=True)]
    return Grid(center[0] - steps[0], center[1] + steps[1], center[2] + steps[2], spacing)


def _most_frequent_tissue(fractions: np.ndarray, cord: np.ndarray, gray: np.ndarray) -> np.ndarray:
    """Return the most frequent tissue of each voxel: a tissue of the cord inside its mask, another tissue outside."""
    without_cord = fractions.copy()
    without_cord[..., _CORD] = -1
    labels = without_cord.argmax(axis=-1).astype(np.uint8)
    labels[cord] = np.where(fractions[cord][:, Tissue.FISSURE] > 0.5, Tissue.FISSURE, Tissue.WHITE_MATTER)
    labels[gray] = Tissue.GRAY_MATTER
    return labels


def _cord_centerline(body: Body, grid: Grid) -> np.ndarray:
    """Return the cord's center in world mm from the top of the grid to its bottom or the tip of the conus, shape (n, 3)."""
    half = grid.spacing_mm[2] / 2
    top = -(grid.z_mm[-1] + half)
    bottom = min(-(grid.z_mm[0] - half), body.curve.depth_of_arc(CONUS_TIP_MM * body.size_scale))
    if bottom <= top:
        return np.empty((0, 3))
    depth = np.linspace(top, bottom, int(np.ceil((bottom - top) / 0.5)) + 1)
    return np.column_stack([body.curve.at(depth)[0], -depth])
