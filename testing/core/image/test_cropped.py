"""Parts of an image, and the whole again."""

import numpy as np

from spineseg_cli.core.image.cropped import Block, CroppedVolume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume


def test_the_whole_has_the_box_where_it_was_in_every_storage_order(orientations, stored_as):
    scan = Volume(np.zeros((4, 5, 6), np.float32), np.diag([-1.0, 1.0, 2.0, 1.0]))
    part = np.arange(1, 13, dtype=np.uint8).reshape(2, 3, 2)
    expected = np.zeros(scan.shape, np.uint8)
    expected[1:3, 2:5, 3:5] = part
    for codes in orientations:
        blocks = [Block(part[:, :, :1], (1, 2, 3)), Block(part[:, :, 1:], (1, 2, 4))]
        cropped = CroppedVolume(blocks, stored_as(scan, codes), np.uint8)
        whole = cropped.whole()
        n = whole.shape[2]
        planes = [cropped.planes(first, min(first + 2, n)) for first in range(0, n, 2)]
        np.testing.assert_array_equal(np.concatenate(planes, axis=2), whole.data, err_msg=codes)
        assert whole.data.dtype == np.uint8
        np.testing.assert_array_equal(to_rpi(whole).data, expected, err_msg=codes)
        np.testing.assert_array_equal(cropped.filled_slices, expected.any(axis=(0, 1)), err_msg=codes)


def test_an_empty_box_is_an_image_of_zeros():
    scan = Volume(np.ones((2, 3, 4), np.float32), np.eye(4))
    nothing = CroppedVolume([Block(np.zeros((0, 0, 0), np.uint8), (0, 0, 0))], scan, np.uint8)
    assert not nothing.whole().data.any()
    assert not nothing.planes(1, 3).any()
    assert not nothing.any()
    np.testing.assert_array_equal(nothing.filled_slices, [False] * 4)


def test_the_smallest_box_and_what_it_held():
    data = np.arange(120, dtype=np.float32).reshape(4, 5, 6)
    kept = np.zeros(data.shape, bool)
    kept[1, 3, 4] = kept[2, 3, 0] = True
    block = Block(data, (10, 20, 30)).around(kept)
    assert block.box == (slice(11, 13), slice(23, 24), slice(30, 36))
    np.testing.assert_array_equal(block.data, data[1:3, 3:4])
    wider = Block(data, (10, 20, 30)).around(kept, (1, 9))
    assert wider.box == (slice(10, 14), slice(20, 25), slice(30, 36))
    np.testing.assert_array_equal(wider.within((slice(9, 11), slice(20, 21), slice(31, 32)))[..., 0], [[0], [data[0, 0, 1]]])
    assert Block(data, (0, 0, 0)).around(kept & False, (1, 1)).data.size == 0
