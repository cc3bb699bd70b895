"""Surfaces and the distances between them: by hand, by brute force, and against independent libraries."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from scipy.spatial import distance

from spineseg_cli.metrics.distances import hausdorff_mm, mean_mm, median_mm, nearest_distances, points_mm, surface_voxels

SPACINGS_MM = st.sampled_from([(1.0, 1.0, 1.0), (0.5, 0.5, 5.0), (0.25, 0.7, 3.3)])
PAIRS = hnp.array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=7).flatmap(
    lambda shape: st.tuples(hnp.arrays(bool, shape), hnp.arrays(bool, shape))
)
# scipy has moved the functions that surface-distance calls; it still works, with a warning.
ignore_old_scipy_names = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def library():
    pytest.importorskip("scipy.ndimage.filters", reason="surface-distance needs a name that this scipy no longer has")
    return pytest.importorskip("surface_distance")


def surface_distances(a, b, spacing_mm=(1.0, 1.0, 1.0)):
    return nearest_distances(*(points_mm(surface_voxels(mask), spacing_mm) for mask in (a, b)))


def box(shape, low, high):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


def test_surface_of_boxes():
    assert surface_voxels(box((7, 7, 7), (1, 1, 1), (6, 6, 6))).sum() == 5**3 - 3**3
    assert surface_voxels(np.ones((5, 5, 5), bool)).sum() == 5**3 - 3**3, "outside the image is background"
    assert surface_voxels(np.ones((5, 5, 1), bool)).sum() == 16, "a single slice has an outline"
    assert surface_voxels(np.ones((5, 5, 2), bool)).sum() == 50, "each voxel of two slices touches the outside"
    assert not surface_voxels(np.zeros((5, 5, 5), bool)).any()


def test_distances_by_hand():
    a, b = np.zeros((2, 10, 10, 3), bool)
    a[2, 2, 0] = b[2, 2, 0] = True
    b[5, 6, 0] = b[2, 2, 2] = True  # 3 and 4 voxels of 0.5 mm away in the plane; two slices of 5 mm away
    d = surface_distances(a, b, (0.5, 0.5, 5.0))
    assert sorted(d.backward_mm) == [0, 2.5, 10]
    assert mean_mm(d) == (0 + 0 + 2.5 + 10) / 4
    assert hausdorff_mm(d) == 10
    assert median_mm(d) == 2.5
    assert hausdorff_mm(d, 95) == pytest.approx(2.5 + 0.9 * 7.5)


@given(PAIRS, SPACINGS_MM)
def test_agrees_with_brute_force_scipy_and_distance_transform(pair, spacing_mm):
    assume(all(mask.any() for mask in pair))
    surfaces = [mask & ~ndimage.binary_erosion(mask) for mask in pair]
    a, b = (np.argwhere(surface) * spacing_mm for surface in surfaces)
    table = distance.cdist(a, b)
    forward, backward = table.min(axis=1), table.min(axis=0)

    d = surface_distances(*pair, spacing_mm)
    np.testing.assert_allclose(d.forward_mm, forward, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(d.backward_mm, backward, rtol=1e-12, atol=1e-12)
    assert mean_mm(d) == pytest.approx((forward.sum() + backward.sum()) / sum(table.shape))
    assert hausdorff_mm(d) == pytest.approx(max(distance.directed_hausdorff(a, b)[0], distance.directed_hausdorff(b, a)[0]))
    to_b_mm = ndimage.distance_transform_edt(~surfaces[1], sampling=spacing_mm)
    np.testing.assert_allclose(d.forward_mm, to_b_mm[surfaces[0]], rtol=1e-12, atol=1e-12)


@ignore_old_scipy_names
@settings(max_examples=50)
@given(PAIRS, SPACINGS_MM)
def test_agrees_with_surface_distance(library, pair, spacing_mm):
    """Sums over given distances agree exactly; surfaces differ, by at most a voxel diagonal of Hausdorff distance."""
    assume(all(mask.any() for mask in pair))
    d = surface_distances(*pair, spacing_mm)
    forward, backward = np.sort(d.forward_mm), np.sort(d.backward_mm)
    same_points = {
        "distances_gt_to_pred": forward,
        "distances_pred_to_gt": backward,
        "surfel_areas_gt": np.ones(forward.size),
        "surfel_areas_pred": np.ones(backward.size),
    }
    assert hausdorff_mm(d) == library.compute_robust_hausdorff(same_points, 100)
    means = library.compute_average_surface_distance(same_points)
    assert mean_mm(d) == pytest.approx(np.average(means, weights=[forward.size, backward.size]))

    own_points = library.compute_surface_distances(*pair, spacing_mm)
    difference_mm = abs(hausdorff_mm(d) - library.compute_robust_hausdorff(own_points, 100))
    assert difference_mm <= math.hypot(*spacing_mm) + 1e-9


@ignore_old_scipy_names
@pytest.mark.parametrize("low", [(2, 2, 2), (3, 2, 4), (5, 6, 2)])
def test_hausdorff_of_boxes_is_that_of_surface_distance(library, low):
    a, b = box((12, 12, 12), (2, 2, 2), (8, 8, 8)), box((12, 12, 12), low, (11, 10, 9))
    spacing_mm = (0.5, 0.7, 3.0)
    expected = library.compute_robust_hausdorff(library.compute_surface_distances(a, b, spacing_mm), 100)
    assert hausdorff_mm(surface_distances(a, b, spacing_mm)) == pytest.approx(expected)


@given(PAIRS, st.tuples(*[st.integers(0, 3)] * 3))
def test_position_in_the_image_does_not_matter(pair, offset):
    assume(all(mask.any() for mask in pair))
    padded = [np.pad(mask, [(n, 2) for n in offset]) for mask in pair]
    d, moved = surface_distances(*pair), surface_distances(*padded)
    assert mean_mm(moved) == pytest.approx(mean_mm(d))
    assert hausdorff_mm(moved) == pytest.approx(hausdorff_mm(d))


@given(hnp.arrays(bool, (4, 4, 4)), st.tuples(*[st.integers(0, 3)] * 3))
def test_hausdorff_of_a_shifted_mask_is_at_most_the_shift(mask, shift):
    assume(mask.any())
    wide = np.pad(mask, 3)
    d = surface_distances(wide, np.roll(wide, shift, axis=(0, 1, 2)), (0.5, 0.5, 5.0))
    assert hausdorff_mm(d) <= math.hypot(0.5 * shift[0], 0.5 * shift[1], 5 * shift[2]) + 1e-9
