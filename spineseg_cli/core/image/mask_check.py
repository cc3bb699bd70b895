"""The check that an image is a mask, a label image or a probability, and not a scan."""

from __future__ import annotations

import numpy as np

from spineseg_cli.core.image.grid import check_same_grid
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import InputError

# An image with more distinct values than any atlas has labels is not a mask. With fewer, but more than a spine atlas has, it is
# a mask if its values form regions: in a scan stored in 8 bits, most neighbors differ, and many voxels are above 0.
MOST_LABELS = 256
MANY_LABELS = 64
MIN_FRACTION_OF_SCAN = 0.1

# Label images saved as float, or with a scale factor, deviate from integers by rounding only; interpolated ones by far more.
LABEL_TOLERANCE = 1e-3


def check_is_mask(volume: Volume, name: str) -> None:
    """Raise InputError, with `name` in its message, if a volume is a scan instead of a mask, a label image or a probability."""
    highest = volume.data.max()
    if highest > 2 and _is_scan(volume.data):  # resampled masks may slightly exceed 1
        raise InputError(f"expected a mask; {name} has gray values up to {highest:g}, as scans have: give the mask instead")


def _is_scan(data: np.ndarray) -> bool:
    """Return whether the number and the arrangement of the values are those of a scan, not of a label image."""
    values = len(np.unique(data))
    if values <= MANY_LABELS or values > MOST_LABELS:
        return values > MOST_LABELS
    positive = data > 0
    same_as_neighbor = (data[1:] == data[:-1]) & positive[1:]
    return positive.mean() > MIN_FRACTION_OF_SCAN and same_as_neighbor.sum() < positive[1:].sum() / 2


def mask_on_grid(mask: Volume, scan: Volume, name: str) -> Volume:
    """Return `mask` reoriented to RPI; errors call it `name`.

    Raises InputError if it is a scan, and GridMismatchError if it is not on the grid of the RPI `scan`.
    """
    check_is_mask(mask, name)
    turned = to_rpi(mask)
    check_same_grid(scan, turned, "the image", name)
    return turned
