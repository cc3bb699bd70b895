"""Images stored as boxes of voxels, to save memory: in most scans, the result occupies a small part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import nibabel as nib
import numpy as np

from spineseg_cli.core.image.bounds import bounding_box
from spineseg_cli.core.image.orientation import box_from_rpi, turns_from_rpi, view_in_rpi
from spineseg_cli.core.image.volume import Volume

# The range of a box along x, y and z.
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Block:
    """The voxels in a box."""

    data: np.ndarray  # shape (bx, by, bz)
    corner: Sequence[int]  # the index of the first voxel along each axis of the image

    def within(self, box: Box) -> np.ndarray:
        """Return the voxels in another box; 0 outside this block."""
        return _voxels_in(box, [self], self.data.dtype)

    @property
    def box(self) -> Box:
        """The box of the voxels in the image."""
        x, y, z = (slice(int(first), int(first) + n) for first, n in zip(self.corner, self.data.shape, strict=True))
        return x, y, z

    def around(self, kept: np.ndarray, margin: Sequence[int] = (0, 0)) -> Block:
        """Return the block cropped in x and y to the bounding box of `kept`, bool, of its shape, with a margin in voxels."""
        x, y = (
            slice(max(side.start - beyond, 0), side.stop + beyond if side.stop else 0)
            for side, beyond in zip(bounding_box(kept.any(axis=2)), margin, strict=True)
        )
        corner = (int(self.corner[0]) + x.start, int(self.corner[1]) + y.start, int(self.corner[2]))
        return Block(self.data[x, y].copy(), corner)


@dataclass(frozen=True)
class CroppedVolume:
    """An image that is 0 outside of some non-overlapping boxes."""

    blocks: Sequence[Block]  # the voxels in the boxes, in RPI
    image: Volume  # the image that defines the grid, stored in any orientation
    dtype: type | np.dtype  # the type of the voxels

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along each stored axis of the image."""
        return self.image.shape

    @property
    def volume_mm3(self) -> float:
        """Sum of the voxel values times the volume of a voxel, mm3."""
        total = sum(float(block.data.sum(dtype=float)) for block in self.blocks)
        return total * float(abs(np.linalg.det(self.image.affine[:3, :3])))

    @property
    def filled_slices(self) -> np.ndarray:
        """Whether each axial slice, from inferior to superior, has a voxel that is not 0; bool."""
        filled = np.zeros(view_in_rpi(np.broadcast_to(False, self.shape), self.image).shape[2], bool)
        for block in self.blocks:
            filled[block.box[2]] |= block.data.any(axis=(0, 1))
        return filled

    def any(self) -> bool:
        """Return whether any voxel is not 0."""
        return any(block.data.any() for block in self.blocks)

    def map(self, change: Callable[[np.ndarray], np.ndarray]) -> CroppedVolume:
        """Return the image with `change` applied to the voxels of each box; it must map 0 to 0."""
        return replace(self, blocks=[Block(change(block.data), block.corner) for block in self.blocks])

    def within(self, box: Box) -> np.ndarray:
        """Return the voxels in a box of the image's RPI axes."""
        return _voxels_in(box, self.blocks, self.dtype)

    def whole(self) -> Volume:
        """Return the image in its stored orientation."""
        stored = np.zeros(self.shape, self.dtype)
        in_rpi = view_in_rpi(stored, self.image)
        for block in self.blocks:
            in_rpi[block.box] = block.data
        return self.image.with_data(stored)

    def planes(self, first: int, end: int) -> np.ndarray:
        """Return planes across the third axis of the image in its stored orientation, shape (nx, ny, end - first)."""
        box = (slice(0, self.shape[0]), slice(0, self.shape[1]), slice(first, end))
        return _voxels_in(box, self._stored_blocks, self.dtype, order="F")  # the order in files

    @cached_property
    def _stored_blocks(self) -> list[Block]:
        """The blocks in the image's stored orientation, as views."""
        turns = turns_from_rpi(self.image)
        corners = [box_from_rpi([[side.start, side.stop] for side in block.box], self.image) for block in self.blocks]
        return [
            Block(nib.apply_orientation(block.data, turns), [first for first, _ in corner])
            for block, corner in zip(self.blocks, corners, strict=True)
        ]


def _voxels_in(box: Box, blocks: Iterable[Block], dtype: type | np.dtype, order: Literal["C", "F"] = "C") -> np.ndarray:
    """Return the voxels in a box, those of the blocks that overlap it; 0 outside the blocks."""
    part = np.zeros([side.stop - side.start for side in box], dtype, order=order)
    for block in blocks:
        if not (block.corner[2] < box[2].stop and box[2].start < block.corner[2] + block.data.shape[2]):  # a fast test
            continue
        shared = [(max(here.start, there.start), min(here.stop, there.stop)) for here, there in zip(box, block.box, strict=True)]
        if all(first < end for first, end in shared):
            target, source = (
                tuple(slice(first - side.start, end - side.start) for (first, end), side in zip(shared, sides, strict=True))
                for sides in (box, block.box)
            )
            part[target] = block.data[source]
    return part
