"""All metrics together: the empty cases, identity, and what swapping the masks does."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from scipy.spatial import distance
from skimage.morphology import skeletonize

from spineseg_cli.metrics.agreement import METRICS, agreement

SPACING_MM, VOXEL_MM3 = (0.5, 0.5, 4.0), 1.0
NAN, INF = math.nan, math.inf
PAIRS = hnp.array_shapes(min_dims=3, max_dims=3, max_side=5).flatmap(
    lambda shape: st.tuples(hnp.arrays(bool, shape), hnp.arrays(bool, shape))
)

EMPTY = np.zeros((4, 5, 2), bool)
FULL = np.ones((4, 5, 2), bool)
PART = EMPTY.copy()
PART[1:3, 1:3, 0] = True
OTHER = EMPTY.copy()
OTHER[1:3, 1:3, 1] = True
DISTANCES = ("MSD_mm", "HSD_mm", "HD95_mm", "SHD_mm", "SMD_mm")
NOTHING = dict.fromkeys(METRICS[:-2], NAN)
ZERO_OVERLAP = {"DSC": 0, "JI": 0, "TPR_pct": 0, "PPV_pct": 0, "MCC": 0, "CC_pct": -INF}
FAR = dict.fromkeys(DISTANCES, INF)
PERFECT = dict.fromkeys(("DSC", "JI", "MCC"), 1) | dict.fromkeys(("CC_pct", "TPR_pct", "PPV_pct", "ACC_pct"), 100)
PERFECT |= dict.fromkeys((*DISTANCES, "VD_mm3", "VD_pct"), 0)


@pytest.mark.parametrize("slices", [2, 1], ids=["volume", "slice"])
@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        pytest.param(EMPTY, EMPTY, NOTHING, id="both empty"),
        pytest.param(EMPTY, PART, ZERO_OVERLAP | FAR | {"VD_pct": -100, "TNR_pct": 100}, id="missed"),
        pytest.param(PART, EMPTY, ZERO_OVERLAP | FAR | {"VD_pct": INF}, id="invented"),
        pytest.param(FULL, EMPTY, ZERO_OVERLAP | FAR | {"TNR_pct": 0}, id="all invented"),
        pytest.param(FULL, FULL, PERFECT | {"TNR_pct": NAN}, id="no background"),
        pytest.param(PART, PART, PERFECT | {"TNR_pct": 100}, id="equal"),
    ],
)
def test_empty_cases(prediction, reference, expected, slices):
    values = agreement(prediction[:, :, :slices], reference[:, :, :slices], SPACING_MM, VOXEL_MM3)
    assert tuple(values) == METRICS
    assert {name: values[name] for name in expected} == pytest.approx(expected, nan_ok=True)


def test_disjoint_masks_have_finite_distances():
    values = agreement(PART, OTHER, SPACING_MM, VOXEL_MM3)
    for name in ("DSC", "JI", "TPR_pct", "PPV_pct", "CC_pct"):
        assert values[name] == ZERO_OVERLAP[name], name
    assert [values[name] for name in DISTANCES] == [4.0] * 5, "the same square, one slice of 4 mm away"


def test_each_distance_is_of_its_own_points():
    """Blobs with a surface, a skeleton and percentiles that differ, measured by brute force."""
    x, y, z = np.indices((20, 18, 3))
    a = ((x - 9) / 8) ** 2 + ((y - 9) / 4) ** 2 < 1
    b = (((x - 10) / 6) ** 2 + ((y - 7) / 5) ** 2 < 1) & (z < 2)
    surfaces = [mask & ~ndimage.binary_erosion(mask) for mask in (a, b)]
    skeletons = [np.stack([skeletonize(mask[:, :, k]) for k in range(3)], axis=2) for mask in (a, b)]
    surface, skeleton = (distance.cdist(*(np.argwhere(points) * SPACING_MM for points in pair)) for pair in (surfaces, skeletons))
    both = [table.min(axis=axis) for table in (surface, skeleton) for axis in (0, 1)]
    expected = {
        "MSD_mm": np.concatenate(both[:2]).mean(),
        "HSD_mm": max(both[0].max(), both[1].max()),
        "HD95_mm": max(np.percentile(both[0], 95), np.percentile(both[1], 95)),
        "SHD_mm": max(both[2].max(), both[3].max()),
        "SMD_mm": max(np.median(both[2]), np.median(both[3])),
    }
    assert len(set(expected.values())) == 5
    values = agreement(a, b, SPACING_MM, VOXEL_MM3)
    assert {name: values[name] for name in DISTANCES} == pytest.approx(expected)


@given(PAIRS)
def test_swapping_the_masks(pair):
    ab, ba = (agreement(*masks, SPACING_MM, VOXEL_MM3) for masks in (pair, pair[::-1]))
    for name in ("DSC", "JI", "CC_pct", "ACC_pct", "MCC", *DISTANCES):
        assert ab[name] == pytest.approx(ba[name], nan_ok=True), name
    assert ab["TPR_pct"] == pytest.approx(ba["PPV_pct"], nan_ok=True)
    assert ab["VD_mm3"] == pytest.approx(-ba["VD_mm3"], nan_ok=True)


@given(PAIRS)
def test_ranges(pair):
    values = agreement(*pair, SPACING_MM, VOXEL_MM3)
    assert all(isinstance(value, float) for value in values.values())
    if pair[0].any() or pair[1].any():
        assert 0 <= values["MSD_mm"] <= values["HSD_mm"]
        assert 0 <= values["HD95_mm"] <= values["HSD_mm"]
        assert 0 <= values["SMD_mm"] <= values["SHD_mm"]
    assert values["prediction_mm3"] == pair[0].sum() * VOXEL_MM3
