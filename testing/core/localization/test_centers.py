"""The cord's position from a mask."""

import numpy as np
import pytest
from scipy import ndimage

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.centers import centers_from_mask
from spineseg_cli.errors import InputError


def mask_of(points, shape=(20, 16, 8)):
    data = np.zeros(shape, np.float32)
    for point in points:
        data[point] = 1
    return Volume(data, np.eye(4))


def test_center_of_mass_and_gaps():
    centers, slices = centers_from_mask(mask_of([(4, 4, 2), (6, 4, 2), (9, 10, 5)]))
    assert slices == range(2, 6), "no slice beyond the ends"
    np.testing.assert_allclose(centers[2:6], [(5, 4), (19 / 3, 6), (23 / 3, 8), (9, 10)])


def test_soft_masks_weigh_their_voxels_and_negative_values_do_not_count():
    mask = mask_of([(4, 4, 0)])
    data = mask.data.copy()
    data[8, 4, 0] = 0.6
    data[0, 0, :] = -5
    centers, slices = centers_from_mask(mask.with_data(data))
    assert slices == range(1)
    np.testing.assert_allclose(centers[0], (5.5, 4), atol=1e-6)


@pytest.mark.parametrize("rounding", [0, 2e-7, -2e-7])
def test_labels_do_not_weigh(rounding):
    """The halves of an atlas have other numbers, and a scale factor leaves them a little off."""
    data = mask_of([(4, 4, 0), (4, 4, 3)]).data.copy()
    data[8, 4, :4] = 15
    centers, slices = centers_from_mask(Volume(data * np.float32(1 + rounding), np.eye(4)))
    assert slices == range(4)
    np.testing.assert_allclose(centers[[0, 3]], [(6, 4)] * 2, atol=1e-6)


def test_the_faint_ends_of_a_blurred_mask_do_not_count():
    data = np.zeros((9, 9, 12), np.float32)
    data[3:6, 3:6, 4:8] = 1
    blurred = ndimage.gaussian_filter(data, 0.8)
    assert (blurred > 0).any(axis=(0, 1)).sum() > 8
    centers, slices = centers_from_mask(Volume(blurred, np.eye(4)))
    assert slices == range(4, 8)
    np.testing.assert_allclose(centers[4:8], 4, atol=1e-6)


def test_an_empty_mask_is_refused():
    with pytest.raises(InputError, match="the centerline is empty: expected at least one voxel above 0"):
        centers_from_mask(mask_of([]))
