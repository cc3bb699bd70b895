"""Features of each slice of a segmentation that are related to its quality.

They are computed in slices about 2 mm apart, since closer ones show nearly the same section, and interpolated between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np
from scipy import ndimage

from spineseg_cli.core.confidence.correlation import neighbor_correlation
from spineseg_cli.core.log_odds import log_odds

# A function from a slice to the scan, the network's probability and the mask (bool) in it, each of shape (nx, ny).
Planes = Callable[[int], tuple[np.ndarray, np.ndarray, np.ndarray]]

# Least distance of slices in which features are computed.
SAMPLE_MM = 2.0

# Distance within which slices are compared with their neighbors; in thick slices, at least two neighbors on either side.
NEIGHBORS_MM = 25.0
LEAST_NEIGHBOR_SLICES = 2.5

# Width of the ring around the outline from which the contrast is computed, and of the part next to the outline, whose contrast is
# lower at a blurred edge.
RING_MM = 2.5
BESIDE_MM = 0.8

# Masks whose core has fewer voxels than this are compared with their surroundings as a whole.
LEAST_CORE_VX = 5

# Largest radius of a disc with which erosion is faster than by distances.
SMALL_DISC_VX = 4

# Number of slices whose features are computed at a time.
SLICES_AT_A_TIME = 8

# The network's probability decays to 0 within this distance of the mask.
MARGIN_MM = 4.0


def sampled_slices(filled: np.ndarray, distance_mm: float) -> np.ndarray:
    """Return indices of slices with a mask, at least `SAMPLE_MM` apart, with the first and last of each run; int, increasing.

    `filled`, bool, shape (n,), says which slices have a mask; neighboring slices are `distance_mm` apart.
    """
    step = max(1, int(SAMPLE_MM / distance_mm))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], filled, [False]]).astype(int)))
    firsts, lasts = edges[::2], edges[1::2] - 1
    runs = [np.append(np.arange(first, last, step), last) for first, last in zip(firsts, lasts, strict=True)]
    return np.unique(np.concatenate(runs)).astype(int) if runs else np.empty(0, int)


def mask_features(
    planes: Planes,
    spacing_mm: tuple[float, float, float],
    slices: np.ndarray,
    centers_vx: np.ndarray | None = None,
    *,
    correlated: bool = True,
) -> dict[str, np.ndarray]:
    """Return features of some slices of a mask by name, each of shape (len(slices),).

    `slices` are increasing indices, none of which is empty; `centers_vx`, shape (n, 2), are centers of the structure by a search
    that is independent of the mask; `correlated` says whether `planes` may be called for their neighbors, too. The features are:

    ==============  ================================================================================================
    expected_dice   log-odds of the Dice coefficient that the mask would have if the probabilities were right
    vague_mm        mean width of the band in which the network is unsure, in log(mm)
    sharpness       fraction of the intensity difference across the outline that lies next to it, -0.5 to 1.5
    area            logarithm of the area in mm2
    area_change     difference of the logarithm of the area from the neighbors' median
    shape_change    the same of the logarithms of both axes
    raggedness      deviation of the outline from an ellipse
    correlation     correlation of the intensities in and around the mask with those of the adjacent slices, -1 to 1
    jump_mm         distance of the center from the line between its neighbors, as log(1 + mm)
    off_path_mm     distance of the center from the search's, as log(1 + mm); 0 without a search
    ==============  ================================================================================================
    """
    if not len(slices):
        return {}
    values = _features_by_slice(planes, spacing_mm, slices, correlated=correlated)
    axes = np.stack([values.pop("long_axis"), values.pop("short_axis")])
    center_mm = np.stack([values.pop("x_mm"), values.pop("y_mm")], axis=1)
    off_path_mm = np.zeros(len(slices))
    if centers_vx is not None:
        off_path_mm = np.hypot(*(center_mm - centers_vx[slices] * spacing_mm[:2]).T)
    return (
        values
        | _changes_along(values["area"], axes, center_mm, slices * spacing_mm[2], spacing_mm[2])
        | {"off_path_mm": np.log1p(off_path_mm)}
    )


def _features_by_slice(
    planes: Planes, spacing_mm: tuple[float, float, float], slices: np.ndarray, *, correlated: bool
) -> dict[str, np.ndarray]:
    """Return the features of slices that do not depend on the masks of others, by name, each of shape (len(slices),).

    For the parameters see `mask_features`. The axes and the center of each mask are among the features, too.
    """
    inner = range(slices[0], slices[-1] + 1) if correlated else range(0)
    by_part = []
    for part in np.split(slices, range(SLICES_AT_A_TIME, len(slices), SLICES_AT_A_TIME)):
        adjacent = [[planes(int(other))[0] for other in (k - 1, k + 1) if other in inner] for k in part]
        by_part.append(_sections([planes(int(k)) for k in part], adjacent, spacing_mm))
    return {name: np.concatenate([part[name] for part in by_part], dtype=float) for name in by_part[0]}


def _changes_along(
    area: np.ndarray, axes: np.ndarray, center_mm: np.ndarray, height_mm: np.ndarray, distance_mm: float
) -> dict[str, np.ndarray]:
    """Return how much the mask of each of n slices differs from those of its neighbors, by name, each of shape (n,).

    `area`, shape (n,), and `axes`, shape (2, n), are logarithms of sizes; `center_mm`, shape (n, 2), and `height_mm`, shape (n,),
    say where the masks are; adjacent slices of the scan are `distance_mm` apart.
    """
    near = np.abs(height_mm[:, None] - height_mm) <= max(NEIGHBORS_MM, LEAST_NEIGHBOR_SLICES * distance_mm)
    others = near & ~np.eye(len(height_mm), dtype=bool)
    return {
        "area_change": np.abs(area - _median_of(area, others)),
        "shape_change": sum(np.abs(axis - _median_of(axis, others)) for axis in axes),
        "jump_mm": np.log1p(_jumps_mm(center_mm, height_mm)),
    }


def _sections(
    planes: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    adjacent: Sequence[Sequence[np.ndarray]],
    spacing_mm: tuple[float, ...],
) -> dict[str, np.ndarray]:
    """Return the features of n slices that do not depend on the masks of their neighbors, each of shape (n,).

    `planes` holds the scan, the network's probability and the mask of each slice, `adjacent` the scan in the slices below
    and above.
    """
    in_plane_mm = np.array(spacing_mm[:2])
    points_vx = [np.argwhere(mask) for _, _, mask in planes]
    boxes = [_box_around(points, mask.shape, in_plane_mm) for points, (_, _, mask) in zip(points_vx, planes, strict=True)]
    images, probabilities, masks = (
        [plane[box] for plane, box in zip(of_slices, boxes, strict=True)] for of_slices in zip(*planes, strict=True)
    )
    counts = np.array([len(points) for points in points_vx])
    around = [[image[box] for image in of_slice] for of_slice, box in zip(adjacent, boxes, strict=True)]
    return (
        _certainty(probabilities, masks, counts, float(np.prod(in_plane_mm)))
        | {"sharpness": _sharpness(images, masks, in_plane_mm), "correlation": neighbor_correlation(images, around)}
        | _shapes(points_vx, counts, in_plane_mm)
    )


def _box_around(points_vx: np.ndarray, shape: tuple[int, ...], in_plane_mm: np.ndarray) -> tuple[slice, slice]:
    """Return the box around the voxels of a mask, shape (n, 2), with a margin of `MARGIN_MM`, in an image of this shape."""
    margin = np.ceil(MARGIN_MM / in_plane_mm).astype(int)
    first, end = np.maximum(points_vx.min(axis=0) - margin, 0), np.minimum(points_vx.max(axis=0) + margin + 1, shape)
    return slice(first[0], end[0]), slice(first[1], end[1])


def _certainty(
    probabilities: Sequence[np.ndarray], masks: Sequence[np.ndarray], counts: np.ndarray, pixel_mm2: float
) -> dict[str, np.ndarray]:
    """Return how certain the network is of each mask, from its probabilities in the same box; `counts` are the masks' voxels."""
    inside = np.array([probability[mask].sum() for probability, mask in zip(probabilities, masks, strict=True)])
    total = np.array([probability.sum() for probability in probabilities])
    unsure = np.array([(probability * (1 - probability)).sum() for probability in probabilities])
    circumference_mm = 2 * np.sqrt(np.pi * (counts * pixel_mm2))  # that of a disc of the same area
    return {
        "expected_dice": log_odds(2 * inside / (counts.astype(np.float32) + total + 1e-6)),
        "vague_mm": np.log(4 * unsure * pixel_mm2 / circumference_mm + 0.05),
    }


def _sharpness(images: Sequence[np.ndarray], masks: Sequence[np.ndarray], in_plane_mm: np.ndarray) -> np.ndarray:
    """Return the fraction of the intensity difference across each mask's outline that lies next to it, -0.5 to 1.5."""
    levels, is_surrounded = [], []
    for image, (inside, core, near, wide) in zip(images, _regions(masks, in_plane_mm), strict=True):
        rim, around = inside & ~core if core.any() else inside, wide & ~near
        core = core if core.sum() >= LEAST_CORE_VX else inside
        pixels = image.astype(float)
        levels.append([_median(pixels[where]) if where.any() else 0.0 for where in (core, rim, near & ~inside, around)])
        is_surrounded.append(around.any())
    in_core, in_rim, beside, beyond = np.array(levels).T
    step = np.where(is_surrounded, np.abs(beyond - in_core), 0.0)
    local = (beside - in_rim) * np.sign(beyond - in_core)
    return np.clip(local / (step + 1e-12), -0.5, 1.5)


def _shapes(points_vx: Sequence[np.ndarray], counts: np.ndarray, in_plane_mm: np.ndarray) -> dict[str, np.ndarray]:
    """Return the size, the shape and the center of each mask, from its `counts` voxels, by name, each of shape (n,)."""
    spreads = []
    for points in points_vx:
        points_mm = (points * in_plane_mm).T
        beside_center_mm = points_mm - points_mm.mean(axis=1, keepdims=True)
        spreads.append(beside_center_mm @ beside_center_mm.T / len(points))
    # The variance of a voxel's own extent is added to that of the voxels' centers.
    variances = np.linalg.eigvalsh(np.array(spreads) + np.diag(in_plane_mm**2 / 12))
    short, long = np.sqrt(np.maximum(variances, 1e-6)).T
    area_mm2 = counts * float(np.prod(in_plane_mm))
    center_vx = np.array([points.mean(axis=0) for points in points_vx])
    return {
        "area": np.log(area_mm2),
        "raggedness": np.maximum(0.0, -np.log(area_mm2 / (4 * np.pi * short * long))),
        "long_axis": np.log(long),
        "short_axis": np.log(short),
        "x_mm": center_vx[:, 0] * in_plane_mm[0],
        "y_mm": center_vx[:, 1] * in_plane_mm[1],
    }


def _regions(masks: Sequence[np.ndarray], in_plane_mm: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield, for each mask, the mask, its core, and the mask with a narrow and with a wide ring around it, all of its shape.

    The regions of all masks are computed at once, one beside the other in an image, and too far apart to touch each other.
    """
    ring, beside = (np.maximum(np.round(mm / in_plane_mm), 1).astype(int) for mm in (RING_MM, BESIDE_MM))
    nx, ny = np.max([mask.shape for mask in masks], axis=0)
    tiles = np.zeros((len(masks), nx + ring[0] + 1, ny), bool)
    boxes = [(slice(0, mask.shape[0]), slice(0, mask.shape[1])) for mask in masks]
    for tile, box, mask in zip(tiles, boxes, masks, strict=True):
        tile[box] = mask
    image = tiles.reshape(-1, ny)
    regions = (_eroded(image, beside), *_dilated(image, beside, ring))
    for mask, box, *parts in zip(masks, boxes, *(region.reshape(tiles.shape) for region in regions), strict=True):
        yield mask, *(part[box] for part in parts)


def _dilated(mask: np.ndarray, *radii_vx: np.ndarray) -> list[np.ndarray]:
    """Return a non-empty mask dilated by each of several discs, computed from distances, in a time independent of the radius."""
    if all(x == y for x, y in radii_vx):
        distance = ndimage.distance_transform_edt(~mask)
        return [distance <= x + 0.5 for x, _ in radii_vx]
    return [ndimage.distance_transform_edt(~mask, sampling=1 / (radius + 0.5)) <= 1 for radius in radii_vx]


def _eroded(mask: np.ndarray, radius_vx: np.ndarray) -> np.ndarray:
    """Return a mask eroded by a disc; voxels beyond the image are outside the mask."""
    x, y = radius_vx
    if max(x, y) <= SMALL_DISC_VX:
        return ndimage.binary_erosion(mask, _disc(int(x), int(y)))
    outside = np.pad(~mask, ((x, x), (y, y)), constant_values=True)
    (dilated,) = _dilated(outside, radius_vx)
    return ~dilated[x:-x, y:-y]


@cache
def _disc(x: int, y: int) -> np.ndarray:
    """Return a disc of these radii, shape (2x + 1, 2y + 1), bool."""
    return np.hypot(np.arange(-x, x + 1)[:, None] / (x + 0.5), np.arange(-y, y + 1) / (y + 0.5)) <= 1


def _median(values: np.ndarray) -> float:
    """Return the median of one or more values without NaN; for few values, this takes a fifth of NumPy's time."""
    ordered, count = np.sort(values, axis=None), values.size
    return float((ordered[(count - 1) // 2] + ordered[count // 2]) / 2)


def _median_of(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the median of the values selected by each row of `others`, or the value itself if none is selected."""
    return np.array([_median(values[row]) if row.any() else value for value, row in zip(values, others, strict=True)])


def _jumps_mm(center_mm: np.ndarray, height_mm: np.ndarray) -> np.ndarray:
    """Return the distance of each center from the straight line through its neighbors, shape (n,); 0 at the ends."""
    jumps = np.zeros(len(height_mm))
    if len(height_mm) > 2:
        share = ((height_mm[1:-1] - height_mm[:-2]) / (height_mm[2:] - height_mm[:-2]))[:, None]
        jumps[1:-1] = np.hypot(*(center_mm[1:-1] - (1 - share) * center_mm[:-2] - share * center_mm[2:]).T)
    return jumps
