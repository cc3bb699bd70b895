"""The slices of a scan without the empty ones at its ends, which must not change what is found in the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from spineseg_cli.core.image.cropped import Block, CroppedVolume
from spineseg_cli.core.image.orientation import box_from_rpi, to_rpi
from spineseg_cli.core.image.stored import StoredVoxels
from spineseg_cli.core.image.volume import Volume


@dataclass(frozen=True)
class SignalPart:
    """The axial slices of an image from the first to the last one with signal; all of them if none has signal.

    A slice is without signal if all of its voxels are equal, as where scans were brought to one field of view.
    """

    image: Volume  # the whole image, stored in any orientation
    below: int  # the number of slices of the image below the part
    above: int  # the number of those above it

    @classmethod
    def of(cls, image: Volume) -> SignalPart:
        """Return the part of an image; from either end, no slice beyond the first with signal is read."""
        return cls(image, *image.cached("empty ends", lambda: _empty_ends(to_rpi(image, copy=False).data)))

    @cached_property
    def whole(self) -> Volume:
        """The whole image in RPI, a view of it."""
        return to_rpi(self.image, copy=False)

    def cut(self, volume: Volume) -> Volume:
        """Return the slices of the part of an RPI volume on the grid of the whole image, as a view; the volume if it is all."""
        if not (self.below or self.above):
            return volume
        key = (slice(None), slice(None), slice(self.below, volume.shape[2] - self.above))
        data = volume.data.part(key) if isinstance(volume.data, StoredVoxels) else volume.data[key]
        shift = np.eye(4)
        shift[2, 3] = self.below
        return Volume(data, volume.affine @ shift)

    def on_image(self, blocks: Sequence[Block], dtype: type | np.dtype) -> CroppedVolume:
        """Return blocks, whose corners are voxels of the part in RPI, as a volume on the grid of the image."""
        moved = [replace(block, corner=(*block.corner[:2], block.corner[2] + self.below)) for block in blocks]
        return CroppedVolume(moved, self.image, dtype)

    def box_on_image(self, box: list[list[int]]) -> list[list[int]]:
        """Return a box of voxels of the part in RPI, [first, last + 1] along each axis, as one along the image's stored axes."""
        return box_from_rpi([*box[:2], [k + self.below for k in box[2]]], self.image)


def _empty_ends(voxels: np.ndarray | StoredVoxels) -> tuple[int, int]:
    """Return the numbers of slices without signal below and above all others, of RPI voxels; 0 if no slice has signal."""
    n = voxels.shape[2]
    below = next((k for k in range(n) if _has_signal(voxels, k)), None)
    return (0, 0) if below is None else (below, next(k for k in range(n) if _has_signal(voxels, n - 1 - k)))


def _has_signal(voxels: np.ndarray | StoredVoxels, k: int) -> bool:
    """Return whether a slice has different values; its middle line is read first, since most scans have signal there."""
    line = voxels[len(voxels) // 2, :, k]
    return bool((line != line[0]).any() or (voxels[:, :, k] != line[0]).any())
