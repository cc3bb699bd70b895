"""Post-processing of probabilities and masks. Volumes are in RPI: the third axis runs from inferior to superior."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.bounds import true_range

# Objects without a voxel this close to the path are not the cord.
ON_PATH_MM = 8.0

# A topmost slice with less than this fraction of the area of the slice below is partial.
MIN_AREA_FRACTION = 0.5

# The probability at which objects are separated, and the fraction of the largest one's size below which an object is removed.
OBJECT_LEVEL = 0.25
MIN_SIZE_FRACTION = 0.2

# Structuring element with which voxels that touch at a corner are one object.
EIGHT_NEIGHBORS = np.ones((3, 3), bool)


def on_path(mask: np.ndarray, centers_vx: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Return a mask, shape (nx, ny, nz), with only the object on the cord's path in each axial slice.

    That is the object at the path's point, or else the one with the most voxels within 8 mm of it.

    `centers_vx`, shape (nz, 2), holds the voxel coordinates of the path along x and y.
    """
    # Most slices have a single object with the path inside, and need no labeling.
    kept = mask & (in_one_piece(mask) & _holds(mask, centers_vx))
    for k, x, y in _filled_boxes(mask & ~kept.any(axis=(0, 1))):
        part = mask[x, y, k]
        labels, count = ndimage.label(part, structure=EIGHT_NEIGHBORS)
        away_x, away_y = (
            ((np.arange(side.start, side.stop) - center) * spacing) ** 2
            for side, center, spacing in zip((x, y), centers_vx[k], spacing_mm, strict=False)
        )
        near = away_x[:, None] + away_y[None, :] <= ON_PATH_MM**2
        if count == 1:
            kept[x, y, k] = part if (part & near).any() else False
            continue
        sizes = np.bincount(labels[near], minlength=count + 1)[1:]
        if sizes.any():
            kept[x, y, k] = labels == 1 + sizes.argmax()
    return kept


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """Return a mask, shape (nx, ny, nz), with the holes of each axial slice filled."""
    filled = mask.astype(bool)
    # A slice in which each line along x holds at most one piece has no holes.
    interrupted = (_pieces(filled) > 1).any(axis=0)
    for k, x, y in _filled_boxes(filled & interrupted):
        background, _ = ndimage.label(np.pad(~filled[x, y, k], 1, constant_values=True))
        filled[x, y, k] = background[1:-1, 1:-1] != background[0, 0]
    return filled


def in_one_piece(mask: np.ndarray) -> np.ndarray:
    """Return which axial slices of a mask, shape (nx, ny, nz), bool, certainly hold at most one object, bool, shape (nz,).

    In these slices, each line along x holds at most one piece, which touches that of the previous line.
    """
    pieces = _pieces(mask)
    touching = (mask[:, 1:] & mask[:, :-1]).any(axis=0)
    return (pieces <= 1).all(axis=0) & ((pieces > 0).sum(axis=0) <= touching.sum(axis=0) + 1)


def _pieces(mask: np.ndarray) -> np.ndarray:
    """Return the number of connected pieces of a mask in each line along x, shape (ny, nz)."""
    return mask[:1].sum(axis=0) + (mask[1:] & ~mask[:-1]).sum(axis=0)


def _holds(mask: np.ndarray, centers_vx: np.ndarray) -> np.ndarray:
    """Return whether the mask contains the point of each slice, bool, shape (nz,)."""
    x, y = np.round(centers_vx).astype(int).T
    inside = (x >= 0) & (x < mask.shape[0]) & (y >= 0) & (y < mask.shape[1])
    return inside & mask[np.where(inside, x, 0), np.where(inside, y, 0), np.arange(mask.shape[2])]


def eroded(mask: np.ndarray, times: int = 1) -> np.ndarray:
    """Return a mask, shape (nx, ny, nz), bool, eroded in each slice (four neighbors) the given number of `times`.

    Voxels beyond the image count as outside the mask. `scipy.ndimage.binary_erosion` takes a hundred times as long on a stack.
    """
    for _ in range(times):
        inner, mask = mask, np.zeros_like(mask)
        beside = inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:]
        mask[1:-1, 1:-1] = inner[1:-1, 1:-1] & beside
    return mask


def _filled_boxes(mask: np.ndarray) -> Iterator[tuple[int, slice, slice]]:
    """Yield the index of each axial slice that is not empty, with the bounding box of its mask along x and y."""
    along_x, along_y = np.asarray(mask.any(axis=1)), np.asarray(mask.any(axis=0))
    for k in np.flatnonzero(along_x.any(axis=0)):
        yield int(k), true_range(along_x[:, k]), true_range(along_y[:, k])


def fullest(fraction: np.ndarray) -> np.ndarray:
    """Return a mask, shape (nx, ny, n), of the fullest voxels of each axial slice, as many as the sum of its fractions.

    If voxels are about as large as the structure, those at its border may all be slightly less, or all slightly more, than half
    full; the area of the voxels that are more than half full may then be wrong by a quarter.
    """
    nx, ny, n = fraction.shape
    emptiest_first = np.sort(fraction.reshape(nx * ny, n), axis=0)
    ordered = np.concatenate([emptiest_first[::-1], np.full((1, n), -1)])
    counts = np.rint(fraction.sum(axis=(0, 1))).astype(int)
    return fraction > ordered[counts, np.arange(n)]


def whole_slices(areas: np.ndarray) -> int:
    """Return how many of the lowest slices remain of a cord without topmost slices that have less than half the area below.

    Toward the brain, the cord only grows: such a slice shows the brainstem, which the network segments only in part.

    `areas`, shape (n,), are those of the cord in each slice, in any unit.
    """
    filled = np.flatnonzero(areas)
    if len(filled) == 0:
        return len(areas)
    top = filled[-1]
    while top > filled[0] and areas[top] < MIN_AREA_FRACTION * areas[top - 1]:
        top -= 1
    return int(top) + 1


def keep_inside(values: np.ndarray, cord: np.ndarray) -> np.ndarray:
    """Return `values` (a mask or probabilities) inside the cord, and 0 elsewhere."""
    return np.where(cord, values, np.zeros((), values.dtype))


def remove_small_components(probability: np.ndarray) -> np.ndarray:
    """Return probabilities, shape (nx, ny, nz), without objects much smaller than the largest one of their axial slice.

    Each slice keeps one object, or a few of similar size, such as the halves of gray matter whose commissure is too thin to
    be seen. Objects are separated at `OBJECT_LEVEL`, not at the threshold of a mask, so that a higher threshold never keeps more.
    """
    kept = probability.copy(order="K")
    for k, x, y in _filled_boxes(probability > OBJECT_LEVEL):
        part = kept[x, y, k]
        labels, count = ndimage.label(part > OBJECT_LEVEL, structure=EIGHT_NEIGHBORS)
        if count == 1:
            continue
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        small = sizes < MIN_SIZE_FRACTION * sizes[1:].max()
        small[0] = False
        part[small[labels]] = 0
    return kept
