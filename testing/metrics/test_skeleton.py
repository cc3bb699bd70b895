"""In-plane skeletons."""

import numpy as np
from hypothesis import given
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.morphology import skeletonize

from spineseg_cli.metrics.skeleton import skeleton_voxels


@given(hnp.arrays(bool, (7, 6, 2)))
def test_is_that_of_scikit_image_and_keeps_every_part(mask):
    skeleton = skeleton_voxels(mask)
    assert not (skeleton & ~mask).any()
    for k in range(mask.shape[2]):
        np.testing.assert_array_equal(skeleton[:, :, k], skeletonize(mask[:, :, k]))
        parts, count = ndimage.label(mask[:, :, k], np.ones((3, 3)))
        assert set(parts[skeleton[:, :, k]]) == set(range(1, count + 1))
