"""A centerline against a mask: hand-computed distances, and slices that are missed."""

import math

import numpy as np
import pytest

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.metrics.path import PATH_METRICS, path_agreement

# RPI is LAS: the first axis runs from right to left.
AFFINE = np.array([[-0.5, 0, 0, 10], [0, 2.0, 0, -5], [0, 0, 3.0, 7], [0, 0, 0, 1]])


@pytest.fixture
def cord():
    """Squares of 3x3 voxels about (5, 5) in slices 1 to 4 of 6."""
    data = np.zeros((12, 11, 6), np.uint8)
    data[4:7, 4:7, 1:5] = 1
    return Volume(data, AFFINE)


def world(*voxels):
    return np.array([AFFINE[:3, :3] @ v + AFFINE[:3, 3] for v in np.array(voxels, float)])


def test_by_hand(cord):
    points = world((5, 5, 0), (5, 5, 1), (7, 5, 2), (5, 6.4, 3))
    found = path_agreement([0, 1, 2, 3], points, cord)
    # Slice 0 shows no cord; then 0, 2 x 0.5 = 1 and 1.4 x 2 = 2.8 mm; slice 4 is missed; (7, 5) lies outside.
    assert found == pytest.approx({"median_mm": 1.0, "max_mm": 2.8, "found_pct": 75.0, "inside_pct": 50.0})


def test_any_storage_order_gives_the_same(cord, stored_as, orientations):
    points = world((5, 5, 1), (4.6, 5.2, 3))
    expected = path_agreement([1, 3], points, cord)
    for codes in orientations:
        assert path_agreement([1, 3], points, stored_as(cord, codes)) == pytest.approx(expected), codes


def test_nothing_found_and_nothing_to_find(cord):
    none = path_agreement([], np.empty((0, 3)), cord)
    assert (none["found_pct"], none["inside_pct"]) == (0, 0)
    assert math.isnan(none["median_mm"])
    assert math.isnan(none["max_mm"])
    empty = path_agreement([1], world((5, 5, 1)), cord.with_data(np.zeros(cord.shape, np.uint8)))
    assert list(empty) == list(PATH_METRICS)
    assert all(math.isnan(value) for value in empty.values())
    far = path_agreement([1], world((5000, 5, 1)), cord)
    assert (far["found_pct"], far["inside_pct"]) == (25, 0)
