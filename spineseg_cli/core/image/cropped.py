"""A part of an image: what is found takes little room in most scans, and memory should follow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.image.orientation import view_in_rpi
from spineseg_cli.core.image.volume import Volume


@dataclass(frozen=True)
class CroppedVolume:
    """The voxels in a box of an image's RPI axes; the image is 0 outside of it.

    Parameters
    ----------
    data : ndarray, shape (bx, by, bz)
        The voxels of the box, in RPI.
    corner : sequence of int
        The first voxel of the box along each axis of RPI.
    image : Volume
        The image whose grid it lies on, stored in any orientation.
    """

    data: np.ndarray
    corner: Sequence[int]
    image: Volume

    def whole(self) -> Volume:
        """Return the image in its stored orientation, of the type of `data`."""
        stored = np.zeros(self.image.shape, self.data.dtype)
        box = tuple(slice(first, first + n) for first, n in zip(self.corner, self.data.shape, strict=True))
        view_in_rpi(stored, self.image)[box] = self.data
        return self.image.with_data(stored)
