"""In-plane skeletons."""

import numpy as np
from hypothesis import given
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.morphology import skeletonize

from spineseg_cli.metrics.skeleton import skeleton_voxels


def test_a_bar_becomes_its_middle_line():
    bar = np.zeros((21, 9, 1), bool)
    bar[1:20, 3:6] = True
    x, y, _ = np.nonzero(skeleton_voxels(bar))
    assert set(y) == {4}
    assert x.size >= 15


def test_slices_do_not_see_each_other():
    """A tube along the cord is the same in each of its slices, not one line of a 3-D skeleton with its ends eaten away."""
    tube = np.zeros((9, 9, 4), bool)
    tube[3:6, 3:6, :3] = True
    expected = skeletonize(tube[:, :, 0])
    assert 0 < expected.sum() < 9
    for k in range(3):
        np.testing.assert_array_equal(skeleton_voxels(tube)[:, :, k], expected)


@given(hnp.arrays(bool, (7, 6, 2)))
def test_is_that_of_scikit_image_and_keeps_every_part(mask):
    skeleton = skeleton_voxels(mask)
    assert not (skeleton & ~mask).any()
    for k in range(mask.shape[2]):
        np.testing.assert_array_equal(skeleton[:, :, k], skeletonize(mask[:, :, k]))
        parts, count = ndimage.label(mask[:, :, k], np.ones((3, 3)))
        assert set(parts[skeleton[:, :, k]]) == set(range(1, count + 1))
