"""Distances between two sets of points, in millimeters, and their summary statistics."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree


@dataclass(frozen=True)
class NearestDistances:
    """The distance from every point of each of two sets to the closest point of the other set."""

    # shape (n,), float64: from each point of the first set to the second; +inf throughout if the second is empty.
    forward_mm: np.ndarray
    # shape (m,), float64: from each point of the second set to the first; +inf throughout if the first is empty.
    backward_mm: np.ndarray


def nearest_distances(first_mm: np.ndarray, second_mm: np.ndarray) -> NearestDistances:
    """Measure two point sets, shapes (n, d) and (m, d), mm, against each other; exact, and symmetric in its arguments.

    A k-d tree, not a distance transform: its time and memory follow the surface, not the box that holds both masks, so that
    one stray voxel in a corner does not cost a transform of the whole image.
    """
    return NearestDistances(_directed(first_mm, second_mm), _directed(second_mm, first_mm))


def mean_mm(distances: NearestDistances) -> float:
    """Mean of the distances of both directions together (Heimann et al. 2009, average symmetric surface distance).

    Each point counts once, so the larger set weighs more. +inf if one set is empty, NaN if both are.
    """
    empty = _empty_value(distances)
    return float(np.concatenate([distances.forward_mm, distances.backward_mm]).mean()) if empty is None else empty


def hausdorff_mm(distances: NearestDistances, percentile: float = 100.0) -> float:
    """Hausdorff distance: the larger of the two directed maxima; with a percentile below 100, of the directed percentiles.

    Percentiles are interpolated linearly and every point has the same weight (Huttenlocher et al. 1993, partial distance).
    +inf if one set is empty, NaN if both are.
    """
    empty = _empty_value(distances)
    if empty is not None:
        return empty
    return float(max(np.percentile(directed, percentile) for directed in (distances.forward_mm, distances.backward_mm)))


def median_mm(distances: NearestDistances) -> float:
    """The larger of the two directed medians. +inf if one set is empty, NaN if both are."""
    return hausdorff_mm(distances, 50.0)


def _directed(points_mm: np.ndarray, others_mm: np.ndarray) -> np.ndarray:
    if len(points_mm) == 0 or len(others_mm) == 0:
        return np.full(len(points_mm), math.inf)
    return KDTree(others_mm).query(points_mm)[0]


def _empty_value(distances: NearestDistances) -> float | None:
    sizes = (distances.forward_mm.size, distances.backward_mm.size)
    if sizes == (0, 0):
        return math.nan
    return math.inf if 0 in sizes else None
