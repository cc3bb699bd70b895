"""A procedural phantom of the whole cord: an MRI-like image with exact masks and centerline, from a seed.

The anatomy is written down in `morphometry` from published measurements; no data set is involved. Fine tissues are
supersampled slice by slice, so that a voxel holds its true share of each tissue (partial volume) and memory stays small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.volume import Volume
from spineseg_cli.errors import InputError
from spineseg_cli.synthesis.canal import canal_slice, fill_canal
from spineseg_cli.synthesis.contrast import CONTRASTS, CORD_TISSUES, Scanner, Tissue
from spineseg_cli.synthesis.curve import Curve, make_curve
from spineseg_cli.synthesis.morphometry import CONUS_TIP_MM, level_mm
from spineseg_cli.synthesis.subject import Subject, draw_subject
from spineseg_cli.synthesis.surroundings import surrounding_tissue

REGIONS_MM = {  # arc length below the top of C1, adult
    "cervical": (level_mm("C1", 0.0), level_mm("C7", 1.0)),
    "thoracic": (level_mm("T1", 0.0), level_mm("T12", 1.0)),
    "lumbar": (level_mm("T10", 0.0), level_mm("L2", 1.0)),
    "whole": (level_mm("C1", 0.0), level_mm("L2", 1.0)),
}
_FINE_MM, _COARSE_MM = 0.25, 0.5
_WINDOW_MM = 18.0  # around the cord: holds every canal
_CORD = list(CORD_TISSUES)


@dataclass(frozen=True)
class Phantom:
    """A synthetic scan and its truth, all on one grid in RPI (nibabel's LAS).

    Attributes
    ----------
    image : Volume
        Intensities, float32, white matter about 100.
    cord, gray_matter : Volume
        uint8 masks: 1 where more than half of the voxel is cord (gray matter); gray matter lies within the cord.
    labels : Volume
        uint8 map of `contrast.Tissue`: the commonest tissue of each voxel, consistent with the masks.
    centerline_mm : ndarray, shape (n, 3)
        World coordinates of the cord's centre from the top to the bottom of the image or the tip of the conus, whichever
        comes first, at most 1 mm apart; shape (0, 3) if the image lies below the conus.
    """

    image: Volume
    cord: Volume
    gray_matter: Volume
    labels: Volume
    centerline_mm: np.ndarray


@dataclass(frozen=True)
class _Grid:
    """Voxel centres in world mm along each axis, and the voxel size."""

    x_mm: np.ndarray
    y_mm: np.ndarray
    z_mm: np.ndarray
    spacing_mm: tuple[float, float, float]

    @property
    def affine(self) -> np.ndarray:
        affine = np.diag([-self.spacing_mm[0], self.spacing_mm[1], self.spacing_mm[2], 1.0])
        affine[:3, 3] = self.x_mm[0], self.y_mm[0], self.z_mm[0]
        return affine


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

    Areas of cord and gray matter refer to the section perpendicular to the cord; an axial slice through a cord tilted by an
    angle t shows them divided by cos(t), at most 8 % more at `curvature` 1.

    Parameters
    ----------
    contrast : {"t2s", "t2", "t1"}
        T2*w (gray brighter than white matter, bright CSF), T2w (CSF brightest), T1w (CSF dark, white brighter than gray).
    region : str or (float, float)
        "cervical" (C1 to C7), "thoracic" (T1 to T12), "lumbar" (T10 to L2, with the conus at L1), "whole" (C1 to L2), or
        the vertical range in mm below the top of C1 of this subject.
    spacing_mm : (float, float, float)
        Voxel size: right-left, posterior-anterior, inferior-superior.
    fov_mm : (float, float)
        In-plane size of the image, rounded to whole voxels.
    size_scale : float
        Size of the subject over that of the average adult: 0.6 for a child, 1.3 for a tall adult.
    noise : float
        Standard deviation of the Rician noise over the signal of white matter.
    bias : float
        Strength of the bias field; 0 for none.
    curvature : float
        Factor of the spine's bends; 0 for a straight spine.
    offset_mm : (float, float)
        Mean position of the cord, to the right and anterior of the centre of the field of view.
    seed : int
        The same arguments and seed give the same phantom, bit for bit. Anatomy depends on the seed alone.

    Raises
    ------
    InputError
        If an argument is out of its range.
    """
    _check(contrast, region, spacing_mm, fov_mm, size_scale, noise, bias, curvature, offset_mm, seed)
    subject = draw_subject(np.random.default_rng([seed, 0]))
    curve = make_curve(subject, size_scale, curvature)
    grid = _make_grid(curve, region, spacing_mm, fov_mm, size_scale, offset_mm)
    scanner = Scanner(contrast, noise, bias, np.random.default_rng([seed, 1]))

    shape = (grid.x_mm.size, grid.y_mm.size, grid.z_mm.size)
    image = np.empty(shape, np.float32)
    cord, gray, labels = (np.zeros(shape, np.uint8) for _ in range(3))
    centre = grid.x_mm.mean(), grid.y_mm.mean()
    for k, z in enumerate(grid.z_mm):
        shares = _tissue_shares(grid, float(z), curve, subject, size_scale)
        image[..., k] = scanner.acquire(shares, grid.x_mm - centre[0], grid.y_mm - centre[1], float(z))
        cord[..., k] = shares[..., _CORD].sum(axis=-1) > 0.5
        gray[..., k] = shares[..., Tissue.GRAY_MATTER] > 0.5
        labels[..., k] = _commonest(shares, cord[..., k] > 0, gray[..., k] > 0)
    affine = grid.affine
    volumes = (Volume(data, affine) for data in (image, cord, gray, labels))
    return Phantom(*volumes, centerline_mm=_cord_centerline(curve, grid, size_scale))


def _check(contrast, region, spacing_mm, fov_mm, size_scale, noise, bias, curvature, offset_mm, seed) -> None:
    if contrast not in CONTRASTS:
        raise InputError(f"a phantom's contrast is one of {', '.join(CONTRASTS)}; got {contrast!r}: choose one of these")
    if isinstance(region, str):
        if region not in REGIONS_MM:
            raise InputError(
                f"a phantom's region is {', '.join(REGIONS_MM)} or (start, stop) in mm; got {region!r}: choose one of these"
            )
    elif len(region) != 2 or not 0 <= region[0] < region[1] <= 700:
        raise InputError(f"a phantom's region is 0 <= start < stop <= 700 mm below C1's top; got {region!r}: give a pair")
    for name, values, length, low, high in (
        ("spacing_mm", spacing_mm, 3, 0.05, 20.0), ("fov_mm", fov_mm, 2, 5.0, 600.0),
        ("offset_mm", offset_mm, 2, -300.0, 300.0), ("size_scale", (size_scale,), 1, 0.3, 2.0),
        ("noise", (noise,), 1, 0.0, 2.0), ("bias", (bias,), 1, 0.0, 2.0), ("curvature", (curvature,), 1, 0.0, 2.0),
        ("seed", (seed,), 1, 0, 2**63),
    ):
        if len(values) != length or not all(low <= value <= high for value in values):
            raise InputError(f"a phantom's {name} is {length} number(s) from {low:g} to {high:g}; got {values!r}: change it")


def _make_grid(curve: Curve, region, spacing_mm, fov_mm, size_scale, offset_mm) -> _Grid:
    if isinstance(region, str):
        region = tuple(curve.depth_of_arc(edge * size_scale) for edge in REGIONS_MM[region])
    spacing = tuple(float(s) for s in spacing_mm)
    counts = [max(1, round(length / s)) for length, s in zip((*fov_mm, region[1] - region[0]), spacing, strict=True)]
    cord, *_ = curve.at(np.linspace(*region, 64))
    centre = (*(cord.mean(axis=0) - np.asarray(offset_mm)), -0.5 * (region[0] + region[1]))
    steps = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(counts, spacing, strict=True)]
    return _Grid(centre[0] - steps[0], centre[1] + steps[1], centre[2] + steps[2], spacing)


def _tissue_shares(grid: _Grid, z: float, curve: Curve, subject: Subject, scale: float) -> np.ndarray:
    """Share of each tissue in each voxel of a slice, float32 (nx, ny, len(Tissue)).

    The window around the cord is sampled more finely than the rest, in the plane and through the slice.
    """
    every = (slice(0, grid.x_mm.size), slice(0, grid.y_mm.size))
    shares = _sampled_shares(grid, every, z, curve, subject, scale, _COARSE_MM, levels=1)
    (cx, cy), *_ = curve.at(-z)
    reach = _WINDOW_MM * scale
    inside_x, inside_y = (np.flatnonzero(np.abs(a - c) <= reach + s) for a, c, s in
                          ((grid.x_mm, cx, grid.spacing_mm[0]), (grid.y_mm, cy, grid.spacing_mm[1])))
    if inside_x.size and inside_y.size:
        window = (slice(inside_x[0], inside_x[-1] + 1), slice(inside_y[0], inside_y[-1] + 1))
        levels = int(np.clip(np.ceil(grid.spacing_mm[2]), 1, 7))
        shares[window] = _sampled_shares(grid, window, z, curve, subject, scale, _FINE_MM, levels, canal=True)
    return shares


def _sampled_shares(grid: _Grid, window, z, curve, subject, scale, step_mm, levels, canal=False) -> np.ndarray:
    thickness = grid.spacing_mm[2]
    x = _subsample(grid.x_mm[window[0]], grid.spacing_mm[0], step_mm)
    y = _subsample(grid.y_mm[window[1]], grid.spacing_mm[1], step_mm)
    nx, ny = (part.stop - part.start for part in window)
    per_x, per_y = x.size // nx, y.size // ny
    voxel = (np.arange(x.size) // per_x)[:, None] * ny + (np.arange(y.size) // per_y)
    # Points of one voxel lie at different heights, for a smooth partial volume of discs with few levels.
    stagger = ((np.arange(x.size) % 2)[:, None] * 2 + np.arange(y.size) % 2 - 1.5) * thickness / (4 * levels)
    counts = np.zeros(nx * ny * len(Tissue), np.int64)
    for height in z + ((np.arange(levels) + 0.5) / levels - 0.5) * thickness:
        tissue = _tissue_at(x, y, height, curve, subject, scale, stagger, canal)
        counts += np.bincount((voxel * len(Tissue) + tissue).ravel(), minlength=counts.size)
    return (counts / (per_x * per_y * levels)).astype(np.float32).reshape(nx, ny, len(Tissue))


def _subsample(centres: np.ndarray, spacing: float, step_mm: float) -> np.ndarray:
    """Positions within each voxel, at most `step_mm` apart and at least two of them."""
    n = int(np.clip(np.ceil(spacing / step_mm), 2, 20))
    direction = spacing if centres.size < 2 or centres[1] > centres[0] else -spacing
    return (centres[:, None] + ((np.arange(n) + 0.5) / n - 0.5) * direction).ravel()


def _tissue_at(x, y, z: float, curve: Curve, subject: Subject, scale: float, stagger: np.ndarray, canal: bool) -> np.ndarray:
    """Tissue at the world points x (nx,) by y (ny,) of one height: uint8 (nx, ny); the cord and its canal only if asked."""
    (cx, cy), (sx, sy), arc, roll = curve.at(-z)
    dx, dy = ((x - cx) / scale).astype(np.float32)[:, None], ((y - cy) / scale).astype(np.float32)[None, :]
    # Project on the section perpendicular to the cord: first order in the distance over the radius of curvature.
    tx, ty = float(sx / np.hypot(1, np.hypot(sx, sy))), float(sy / np.hypot(1, np.hypot(sx, sy)))
    s = float(arc / scale) + dx * tx + dy * ty + (stagger / scale).astype(np.float32)
    p, q = dx * float(np.sqrt(1 - tx * tx)), dy * float(np.sqrt(1 - ty * ty))
    cos, sin = float(np.cos(roll)), float(np.sin(roll))
    u, v = cos * p + sin * q, cos * q - sin * p
    here = canal_slice(float(arc / scale), subject)
    tissue = surrounding_tissue(u, v, s, here, subject)
    return fill_canal(tissue, u, v, here, subject) if canal else tissue


def _commonest(shares: np.ndarray, cord: np.ndarray, gray: np.ndarray) -> np.ndarray:
    """The commonest tissue of each voxel, among those of the cord in its mask and among the others outside it."""
    around = shares.copy()
    around[..., _CORD] = -1
    labels = around.argmax(axis=-1).astype(np.uint8)
    labels[cord] = np.where(shares[cord][:, Tissue.FISSURE] > 0.5, Tissue.FISSURE, Tissue.WHITE_MATTER)
    labels[gray] = Tissue.GRAY_MATTER
    return labels


def _cord_centerline(curve: Curve, grid: _Grid, scale: float) -> np.ndarray:
    half = grid.spacing_mm[2] / 2
    top = -(grid.z_mm[-1] + half)
    bottom = min(-(grid.z_mm[0] - half), curve.depth_of_arc(CONUS_TIP_MM * scale))
    if bottom <= top:
        return np.empty((0, 3))
    depth = np.linspace(top, bottom, int(np.ceil((bottom - top) / 0.5)) + 1)
    return np.column_stack([curve.at(depth)[0], -depth])
