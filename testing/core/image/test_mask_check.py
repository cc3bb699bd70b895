"""What is a mask, and what is a scan."""

import numpy as np
import pytest

from spineseg_cli.core.image.mask_check import mask_on_grid
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import InputError


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_a_scan_is_no_mask(dtype):
    noise = np.random.default_rng(0).gamma(4, 12, (24, 24, 8)).clip(0, 255)
    scan = Volume(noise.astype(dtype), np.diag([-1.0, 1, 1, 1]))
    with pytest.raises(InputError, match="expected a mask; the cord mask has gray values up to"):
        mask_on_grid(scan, scan, "the cord mask")


def test_probabilities_labels_and_masks_of_255_are_masks():
    rng = np.random.default_rng(0)
    shape = (24, 24, 8)
    labels = np.kron(rng.integers(0, 200, (6, 6, 8)), np.ones((4, 4, 1)))
    points = np.zeros(shape)
    points[12, 12:20, :] = np.arange(1, 65).reshape(8, 8)
    for data in (rng.random(shape) * 1.2, labels, points, 255 * rng.integers(0, 2, shape)):
        mask = Volume(data.astype(np.float32), np.diag([-1.0, 1, 1, 1]))
        np.testing.assert_array_equal(mask_on_grid(mask, mask, "labels").data, to_rpi(mask).data)
