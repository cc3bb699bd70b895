"""Pictures of a scan with the outlines of its masks, each drawn twice: with and without them.

Pixels are square and interpolate the scan linearly; outlines follow the edges of the masks' voxels (to a pixel, where pixels
are larger). Sides are as in radiology: on axial slices the patient's right is on the left and anterior is up; on sagittal
ones anterior is on the left and superior is up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import nibabel as nib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from spineseg_cli.core.image.grid import check_same_grid
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.centers import centers_from_mask
from spineseg_cli.reports.sampling import is_within, linear, linear_curtain, nearest, nearest_index
from spineseg_cli.tasks.registry import TASKS

COLORS = {task.display_name: task.color for task in TASKS.values()}
OTHER_COLOR = (90, 230, 90)

MAX_TILES = 40
BEYOND = 0.15  # of the masks' length, above and below them: whether a cord goes on there can be seen
COLUMNS = 6
TILE_PX = 192
MARGIN_MM = 5.0
LEAST_SIDE_MM = 30.0  # the cord and its canal
EMPTY_SIDE_MM = 80.0  # wide enough to see where a cord was missed

SAGITTAL_MARGIN_MM = 35.0
SAGITTAL_PX = 900


def axial_mosaic(image: Volume, masks: Mapping[str, Volume]) -> tuple[np.ndarray, np.ndarray]:
    """Return axial slices side by side, each a square around the masks, or around the image's center if they are empty.

    The squares have one size and hold every voxel of the masks. At most `MAX_TILES` slices are shown, evenly chosen
    from those of the masks and some above and below, the most inferior first. Each bears its number counted from below (0: the
    most inferior one), as sentences name slices, and where the image is stored from top to bottom, its index there.

    Parameters
    ----------
    image : Volume
        Shape (nx, ny, nz), in any orientation.
    masks : mapping of str to Volume
        Masks on the grid of `image`, above 0.5 inside, possibly empty. Each is outlined in its color of `COLORS`; where
        outlines meet, the later covers the earlier.

    Returns
    -------
    outlined, plain : ndarray, shape (rows * TILE_PX, columns * TILE_PX, 3), uint8

    Raises
    ------
    GridMismatchError
        If a mask is on another grid.
    """
    scan, inside = _to_rpi(image, masks)
    centers, side_mm = _squares(scan, inside)
    pixel_mm = side_mm / TILE_PX
    inside = _thickened(inside, pixel_mm, (*scan.spacing_mm[:2], math.inf))
    slices = np.unique(np.linspace(*_extent(scan.shape[2], inside), MAX_TILES).round().astype(int))
    offsets_mm = (np.arange(TILE_PX) - TILE_PX // 2) * pixel_mm
    columns = min(COLUMNS, len(slices))
    sheets = np.zeros((2, -(-len(slices) // columns) * TILE_PX, columns * TILE_PX, 3), np.uint8)
    labels = _slice_labels(image)
    for index, k in enumerate(slices):
        x, y = (centers[k, axis] + offsets_mm / scan.spacing_mm[axis] for axis in (0, 1))
        top, left = (TILE_PX * step for step in divmod(index, columns))
        covered = is_within(scan.shape[1], y)[:, None] & is_within(scan.shape[0], x)
        values = linear(linear(scan.data[:, :, k], x).T, y)
        cut = {name: nearest(nearest(mask[:, :, k], x).T, y) for name, mask in inside.items()}
        tiles = _painted(values, covered, cut, labels[k])
        sheets[:, top : top + TILE_PX, left : left + TILE_PX] = tiles
    return sheets[0], sheets[1]


def sagittal_picture(image: Volume, masks: Mapping[str, Volume]) -> tuple[np.ndarray, np.ndarray]:
    """Return the scan cut along the cord, seen from the left and straightened: a row is at the cord's x in its slice.

    The cut follows the last mask that is not empty (the center of mass of each slice, straight on beyond its ends), or
    the image's middle; it is cropped from front to back, not from top to bottom. Parameters and errors are those of
    `axial_mosaic`.

    Returns
    -------
    outlined, plain : ndarray, shape (rows, columns, 3), uint8
        The longer side has `SAGITTAL_PX` pixels.
    """
    scan, inside = _to_rpi(image, masks)
    _, ny, nz = scan.shape
    _, sy_mm, sz_mm = scan.spacing_mm
    followed = next((mask for mask in reversed(inside.values()) if mask.any()), None)
    centers = _centers(scan, followed)
    reach_vx = SAGITTAL_MARGIN_MM / sy_mm
    first = max(-0.5, centers[:, 1].min() - reach_vx)
    last = min(ny - 0.5, centers[:, 1].max() + reach_vx)
    pixel_mm = max((last - first) * sy_mm, nz * sz_mm) / SAGITTAL_PX
    inside = _thickened(inside, pixel_mm, (math.inf, sy_mm, sz_mm))
    width, height = (max(1, round(mm / pixel_mm)) for mm in ((last - first) * sy_mm, nz * sz_mm))
    y = last - (np.arange(width) + 0.5) * pixel_mm / sy_mm
    z = (np.arange(height) + 0.5) * pixel_mm / sz_mm - 0.5
    x = np.interp(z, np.arange(nz), centers[:, 0])
    covered = (is_within(scan.shape[0], x) & is_within(nz, z))[:, None] & is_within(ny, y)
    values = linear(linear_curtain(scan.data, x, z).T, y).T
    at_x, at_z = nearest_index(scan.shape[0], x), nearest_index(nz, z)
    cut = {name: nearest(mask[at_x, :, at_z].T, y).T for name, mask in inside.items()}
    return _painted(values, covered, cut)


def _to_rpi(image: Volume, masks: Mapping[str, Volume]) -> tuple[Volume, dict[str, np.ndarray]]:
    """Return the image, and which voxels are inside each mask (uint8), in RPI."""
    scan = to_rpi(image)
    inside = {}
    for name, mask in masks.items():
        turned = to_rpi(mask)
        check_same_grid(scan, turned, "the image", f"the mask of the {name}")
        inside[name] = (turned.data > 0.5).astype(np.uint8)
    return scan, inside


def _centers(scan: Volume, mask: np.ndarray | None) -> np.ndarray:
    """Return the center of `mask` in each slice, shape (nz, 2), or the image's if there is none."""
    if mask is None or not mask.any():
        return np.tile((np.array(scan.shape[:2]) - 1) / 2, (scan.shape[2], 1))
    return centers_from_mask(Volume(mask, scan.affine))[0]


def _extent(n: int, inside: Mapping[str, np.ndarray]) -> tuple[int, int]:
    """Return the first and the last of n slices to be shown: of all without a mask, else those of the masks and some beyond."""
    filled = np.flatnonzero(np.logical_or.reduce([mask.any(axis=(0, 1)) for mask in inside.values()] or [np.zeros(n, bool)]))
    if not len(filled):
        return 0, n - 1
    beyond = math.ceil(BEYOND * (filled[-1] - filled[0] + 1))
    return max(0, int(filled[0]) - beyond), min(n - 1, int(filled[-1]) + beyond)


def _squares(scan: Volume, inside: Mapping[str, np.ndarray]) -> tuple[np.ndarray, float]:
    """Return the center of each slice's square, shape (nz, 2), voxels, and the side that they have in common, mm."""
    anywhere = np.zeros(scan.shape, np.uint8)
    for mask in inside.values():
        anywhere |= mask
    centers = _centers(scan, anywhere)
    spacing_mm = np.array(scan.spacing_mm[:2])
    voxels = np.argwhere(anywhere)
    least_mm = LEAST_SIDE_MM if len(voxels) else EMPTY_SIDE_MM
    offsets_mm = np.abs(voxels[:, :2] - centers[voxels[:, 2]]) * spacing_mm
    reach_mm = 2 * (offsets_mm.max(initial=0) + MARGIN_MM)
    return centers, max(reach_mm, min(least_mm, (np.array(scan.shape[:2]) * spacing_mm).max()))


def _thickened(inside: Mapping[str, np.ndarray], pixel_mm: float, spacing_mm: tuple[float, ...]) -> dict[str, np.ndarray]:
    """Return the masks, grown along axes with voxels smaller than a pixel just enough that none falls between two pixels."""
    size = [math.ceil(pixel_mm / spacing) or 1 for spacing in spacing_mm]
    return dict(inside) if max(size) == 1 else {name: _grown(mask, size) for name, mask in inside.items()}


def _grown(mask: np.ndarray, size: list[int]) -> np.ndarray:
    """Return a mask whose voxels were made boxes of `size` voxels; only what is around it is looked at."""
    grown = mask.copy()
    if mask.any():
        sides = ndimage.find_objects(mask.astype(np.uint8))[0]
        box = tuple(slice(max(side.start - n, 0), side.stop + n) for side, n in zip(sides, size, strict=True))
        grown[box] = ndimage.maximum_filter(mask[box], size)
    return grown


def _painted(
    values: np.ndarray, covered: np.ndarray, inside: Mapping[str, np.ndarray], label: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture with outlines and one without, and write `label` into a corner.

    Parameters
    ----------
    values, covered : ndarray, shape (rows, columns)
        The scan, from bottom to top, and which points lie in it. What does not is black; gray values go from the 1st to the
        99.5th percentile of the picture.
    inside : mapping of str to ndarray
        Which points lie in the masks, of the same shape.
    """
    low, high = np.percentile(values[covered], (1, 99.5))
    gray = np.where(covered, np.clip((values - low) / ((high - low) or 1), 0, 1) * 255, 0).astype(np.uint8)[::-1]
    plain = np.repeat(gray[..., None], 3, axis=-1)
    if label:
        plain = _with_label(plain, label)
    outlined = plain.copy()
    for name, mask in inside.items():
        drawn = (covered & (mask > 0))[::-1]
        outlined[drawn & ~ndimage.binary_erosion(drawn)] = COLORS.get(name, OTHER_COLOR)
    return outlined, plain


def _slice_labels(image: Volume) -> list[str]:
    """Return what is written on each slice from inferior to superior: "3", or "3 (file: 16)" if the file runs downwards."""
    directions = nib.io_orientation(image.affine)
    axis = int(np.flatnonzero(directions[:, 0] == 2)[0])
    indices = range(image.shape[axis])
    if directions[axis, 1] > 0:
        return [str(index) for index in indices]
    return [f"{number} (file: {index})" for number, index in enumerate(indices[::-1])]


def _with_label(tile: np.ndarray, label: str) -> np.ndarray:
    picture = Image.fromarray(tile)
    font = ImageFont.load_default(size=14)
    ImageDraw.Draw(picture).text((4, 2), label, (255, 255, 255), font, stroke_width=1, stroke_fill=(0, 0, 0))
    return np.asarray(picture)
