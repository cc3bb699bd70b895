"""The cord's position from a mask."""

import numpy as np
import pytest

from spineseg_cli.core.centerline import centres_from_mask
from spineseg_cli.core.volume import Volume
from spineseg_cli.errors import InputError


def mask_of(points, shape=(20, 16, 8)):
    data = np.zeros(shape, np.float32)
    for point in points:
        data[point] = 1
    return Volume(data, np.eye(4))


def test_centre_of_mass_and_gaps():
    centres, slices = centres_from_mask(mask_of([(4, 4, 2), (6, 4, 2), (9, 10, 5)]))
    assert slices == range(2, 6), "no slice beyond the ends"
    np.testing.assert_allclose(centres[2:6], [(5, 4), (19 / 3, 6), (23 / 3, 8), (9, 10)])


def test_soft_masks_weigh_their_voxels_and_negative_values_do_not_count():
    mask = mask_of([(4, 4, 0)])
    data = mask.data.copy()
    data[8, 4, 0] = 3
    data[0, 0, :] = -5
    centres, slices = centres_from_mask(mask.with_data(data))
    assert slices == range(1)
    np.testing.assert_allclose(centres[0], (7, 4))


def test_an_empty_mask_is_refused():
    with pytest.raises(InputError, match="the centerline is empty: expected at least one voxel above 0"):
        centres_from_mask(mask_of([]))
