"""Parts of an image, and the whole again."""

import numpy as np

from spineseg_cli.core.image.cropped import CroppedVolume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume


def test_the_whole_has_the_box_where_it_was_in_every_storage_order(orientations, stored_as):
    scan = Volume(np.zeros((4, 5, 6), np.float32), np.diag([-1.0, 1.0, 2.0, 1.0]))
    part = np.arange(1, 13, dtype=np.uint8).reshape(2, 3, 2)
    expected = np.zeros(scan.shape, np.uint8)
    expected[1:3, 2:5, 3:5] = part
    for codes in orientations:
        whole = CroppedVolume(part, (1, 2, 3), stored_as(scan, codes)).whole()
        assert whole.data.dtype == np.uint8
        np.testing.assert_array_equal(to_rpi(whole).data, expected, err_msg=codes)


def test_an_empty_box_is_an_image_of_zeros():
    scan = Volume(np.ones((2, 3, 4), np.float32), np.eye(4))
    assert not CroppedVolume(np.zeros((0, 0, 0), np.uint8), (0, 0, 0), scan).whole().data.any()
