"""Pictures of a scan with and without the outlines of its masks.

Pixels are square, and the scan is interpolated linearly. Outlines follow the edges of the masks' voxels, to the nearest pixel.
Orientations are radiological: on axial slices the patient's right is on the left and anterior is up; on sagittal slices
anterior is on the left and superior is up.
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
from spineseg_cli.reports.pictures.sampling import is_within, linear, linear_curtain, nearest, nearest_index
from spineseg_cli.tasks.registry import TASKS

COLORS = {task.display_name: task.color for task in TASKS.values()}
OTHER_COLOR = (90, 230, 90)

MAX_TILES = 40
BEYOND = 0.15  # fraction of the masks' length that is shown above and below them, to see whether the cord continues there
COLUMNS = 6
TILE_PX = 192
MARGIN_MM = 5.0
LEAST_SIDE_MM = 30.0  # shows the cord and its canal
EMPTY_SIDE_MM = 80.0  # for empty masks, wide enough to see a cord that was missed

SAGITTAL_MARGIN_MM = 35.0
SAGITTAL_PX = 900


def axial_mosaic(image: Volume, masks: Mapping[str, Volume]) -> tuple[np.ndarray, np.ndarray]:
    """Return axial slices side by side, each a square around the masks, or around the center of the image if they are empty.

    All squares have the same size and contain all voxels of the masks. At most `MAX_TILES` slices are shown, evenly spaced from
    some below the masks to some above them, the most inferior first. Each has its number, counted from the most inferior slice
    (0) as in messages, and, if the image is stored from top to bottom, its index in the file.

    Raises GridMismatchError if a mask is on another grid.

    Parameters
    ----------
    image : Volume
        The scan, shape (nx, ny, nz), in any orientation.
    masks : mapping of str to Volume
        Masks on the grid of `image`, above 0.5 inside, possibly empty. Each is outlined in its color of `COLORS`; later outlines
        cover earlier ones.

    Returns
    -------
    outlined, plain : ndarray, shape (rows * TILE_PX, columns * TILE_PX, 3), uint8
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
    """Return a curved sagittal section along the cord: each row is at the lateral position of the cord in its slice.

    The section follows the center of mass of the last mask that is not empty, extended constantly beyond its ends, or the
    middle of the image. It is cropped from front to back, but not from top to bottom. Parameters and errors are those of
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
    """Return the image, and which voxels are inside each mask (uint8), all in RPI."""
    scan = to_rpi(image)
    inside = {}
    for name, mask in masks.items():
        turned = to_rpi(mask)
        check_same_grid(scan, turned, "the image", f"the mask of the {name}")
        inside[name] = (turned.data > 0.5).astype(np.uint8)
    return scan, inside


def _centers(scan: Volume, mask: np.ndarray | None) -> np.ndarray:
    """Return the center of a mask in each slice, shape (nz, 2), or the center of the image if the mask is empty or None."""
    if mask is None or not mask.any():
        return np.tile((np.array(scan.shape[:2]) - 1) / 2, (scan.shape[2], 1))
    return centers_from_mask(Volume(mask, scan.affine))[0]


def _extent(n: int, inside: Mapping[str, np.ndarray]) -> tuple[int, int]:
    """Return the first and the last of n slices to show: all slices for empty masks, otherwise those of the masks and beyond."""
    filled = np.flatnonzero(np.logical_or.reduce([mask.any(axis=(0, 1)) for mask in inside.values()] or [np.zeros(n, bool)]))
    if not len(filled):
        return 0, n - 1
    beyond = math.ceil(BEYOND * (filled[-1] - filled[0] + 1))
    return max(0, int(filled[0]) - beyond), min(n - 1, int(filled[-1]) + beyond)


def _squares(scan: Volume, inside: Mapping[str, np.ndarray]) -> tuple[np.ndarray, float]:
    """Return the center of the square of each slice, shape (nz, 2), in voxels, and the side of all squares in mm."""
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
    """Return the masks, dilated along axes with voxels smaller than a pixel so that no voxel falls between two pixels."""
    size = [math.ceil(pixel_mm / spacing) or 1 for spacing in spacing_mm]
    return dict(inside) if max(size) == 1 else {name: _grown(mask, size) for name, mask in inside.items()}


def _grown(mask: np.ndarray, size: list[int]) -> np.ndarray:
    """Return a mask dilated by a box of `size` voxels; only the surroundings of the mask are computed."""
    grown = mask.copy()
    if mask.any():
        sides = ndimage.find_objects(mask.astype(np.uint8))[0]
        box = tuple(slice(max(side.start - n, 0), side.stop + n) for side, n in zip(sides, size, strict=True))
        grown[box] = ndimage.maximum_filter(mask[box], size)
    return grown


def _painted(
    values: np.ndarray, covered: np.ndarray, inside: Mapping[str, np.ndarray], label: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture with outlines and one without, both with `label` in a corner.

    `values` and `covered`, shape (rows, columns), are the scan, from bottom to top, and which pixels lie in it; others are
    black. Gray values range from the 1st to the 99.5th percentile of the picture. `inside` says which pixels lie in each
    mask.
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
    """Return the label of each slice from inferior to superior: "3", or "3 (file: 16)" if the file is stored top to bottom."""
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
