"""The cord's position in each axial slice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spineseg_cli.core.image.grid import check_same_grid
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.slabs import slabs
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import InputError

# More values than the labels of any atlas: an image with so many is not a mask. With fewer, but more than a spine atlas has,
# it is one if its labels are regions: of a scan stored in 8 bits, most neighbors differ, and most voxels are above 0.
MOST_LABELS = 256
MANY_LABELS = 64
MIN_FRACTION_OF_SCAN = 0.1

# Label images saved as float, or with a scale factor, miss their whole numbers by rounding; interpolated ones by far more.
LABEL_TOLERANCE = 1e-3


def check_is_mask(volume: Volume, name: str) -> None:
    """Raise InputError, which calls it `name`, for a scan where a mask, a label image or a probability belongs."""
    most = volume.data.max()
    if most > 2 and _is_scan(volume.data):  # resampled masks may go a little beyond 1
        raise InputError(f"expected a mask; {name} has gray values up to {most:g}, as scans have: give the mask instead")


def _is_scan(data: np.ndarray) -> bool:
    values = len(np.unique(data))
    if values <= MANY_LABELS or values > MOST_LABELS:
        return values > MOST_LABELS
    above = data > 0
    alike = (data[1:] == data[:-1]) & above[1:]
    return above.mean() > MIN_FRACTION_OF_SCAN and alike.sum() < above[1:].sum() / 2


def mask_on_grid(mask: Volume, scan: Volume, name: str) -> Volume:
    """Return `mask` turned to RPI.

    Raises InputError, which calls it `name`, if it is a scan, and GridMismatchError if it is not on the grid of the RPI `scan`.
    """
    check_is_mask(mask, name)
    turned = to_rpi(mask)
    check_same_grid(scan, turned, "the image", name)
    return turned


def centers_from_mask(mask: Volume) -> tuple[np.ndarray, range]:
    """Return the center of mass of each axial slice of an RPI mask (of the cord, or of its centerline).

    A mask of whole numbers counts where it is above 0, whatever its labels. One of fractions, blurred or resampled, weighs where
    it has half of its highest value or more: its faint ends are not cord. Slices without mask between others are interpolated.
    Beyond the first and the last slice with mask there is no cord: nothing is extrapolated.

    Returns
    -------
    centers_vx : ndarray, shape (nz, 2), float
        Native voxel coordinates along x and y.
    slices : range
        From the first to the last slice with mask.

    Raises
    ------
    InputError
        If the mask is empty.
    """
    most = mask.data.max()
    whole = most >= 0.5 and all(np.abs(part - np.round(part)).max() < LABEL_TOLERANCE for part in _parts(mask.data))
    parts = [_sums(part, most, whole) for part in _parts(mask.data)]
    mass, along_x, along_y = (np.concatenate(sums) for sums in zip(*parts, strict=True))
    filled = np.flatnonzero(mass > 0)
    if len(filled) == 0:
        raise InputError("the centerline is empty: expected at least one voxel above 0 in a centerline or a cord mask")
    x, y = along_x @ np.arange(mask.shape[0]), along_y @ np.arange(mask.shape[1])
    slices = np.arange(mask.shape[2])
    centers = np.stack([np.interp(slices, filled, axis[filled] / mass[filled]) for axis in (x, y)], axis=-1)
    return centers, range(int(filled[0]), int(filled[-1]) + 1)


def _parts(data: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the slices of a volume, some at a time."""
    return (np.ascontiguousarray(data[:, :, first:end]) for first, end in slabs(data.shape[2]))


def _sums(mask: np.ndarray, most: float, whole: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the sums of the weights in each of n slices, shape (n,), and along its lines, shapes (n, nx) and (n, ny)."""
    inside = mask >= (0.5 if whole else most / 2)
    weights = np.where(inside, 1 if whole else np.clip(mask, 0, None), 0).astype(float)
    return weights.sum(axis=(0, 1)), weights.sum(axis=1).T, weights.sum(axis=0).T
