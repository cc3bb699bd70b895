"""Division of a volume into overlapping 3-D patches, and exact blending of patches into a volume, slab by slab."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np


@dataclass(frozen=True)
class PatchGrid:
    """The positions of the patches of a volume, which cover it and are ordered along the slice axis.

    The last patch of an axis is shifted to end with the volume. A patch that is longer than the volume is centered on it; its
    samples outside repeat the volume's edge, and are ignored when patches are blended.

    Raises ValueError if a number is below 1, or patches would leave gaps.
    """

    shape: tuple[int, int, int]  # voxels of the volume along x, y and z
    size: tuple[int, int, int]  # samples of a patch
    stride: tuple[int, int, int]  # the distance between neighboring patches, at most `size`; see `stride_for`

    def __post_init__(self) -> None:
        if min(*self.shape, *self.size, *self.stride) < 1:
            raise ValueError(f"shape, size and stride must be at least 1; got {self.shape}, {self.size}, {self.stride}")
        if any(step > length for step, length in zip(self.stride, self.size, strict=True)):
            raise ValueError(f"patches of {self.size} every {self.stride} leave gaps: take a stride of the size at most")

    @property
    def starts(self) -> list[tuple[int, int, int]]:
        """The first sample of each patch, negative if it begins outside the volume; z varies slowest."""
        x, y, z = (_starts(*axis) for axis in zip(self.shape, self.size, self.stride, strict=True))
        return [(i, j, k) for k, i, j in product(z, x, y)]

    def extract(self, volume: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the patches of `volume`, shape (nx, ny, nz, ...), as (*size, ...), in the order of `starts`.

        Raises ValueError if the volume has another shape.
        """
        if volume.shape[:3] != self.shape:
            raise ValueError(f"expected a volume of shape {self.shape}; got {volume.shape}")
        for start in self.starts:
            samples = [np.arange(first, first + length) for first, length in zip(start, self.size, strict=True)]
            inside = [np.clip(axis, 0, n - 1) for axis, n in zip(samples, self.shape, strict=True)]
            yield volume[np.ix_(*inside)]

    def blend(self, patches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Blend `patches` into a volume, and yield its slices in slabs, each as soon as no later patch overlaps it.

        Each voxel is the mean of the patches that contain it, weighted by a window that decreases linearly from a patch's center
        to its faces. The mean is updated patch by patch::

            mean += weight / (sum of weights so far) * (value - mean)

        so that equal values stay exactly equal: the patches of a volume give that volume, bit for bit. Only as many slices as a
        patch has are held in memory.

        `patches`, each of shape (*size, ...), are one for each of `starts`, in that order; axes after the third are channels.
        Slabs have shape (nx, ny, slices, ...), float32, and nz slices together. Raises ValueError if there are fewer or more
        patches than `starts`, or one has another shape.
        """
        weights = _window(self.size)
        mean: np.ndarray = np.empty(0)
        total: np.ndarray | None = None
        first = 0  # index of the first slice of `mean`
        for start, patch in zip(self.starts, patches, strict=True):
            if patch.shape[:3] != self.size:
                raise ValueError(f"expected patches of shape {self.size}; got {patch.shape}")
            if total is None:
                held = (*self.shape[:2], min(self.size[2], self.shape[2]))
                mean, total = np.zeros((*held, *patch.shape[3:]), np.float32), np.zeros(held, np.float32)
            done = max(start[2], 0) - first
            if done:
                yield mean[:, :, :done].copy()
                mean, total = _advance(mean, done), _advance(total, done)
                first += done
            at, of = zip(*map(_overlap, start, self.size, self.shape), strict=True)
            at = (*at[:2], slice(at[2].start - first, at[2].stop - first))
            _update(mean[at], total[at], patch[of].astype(np.float32), weights[of])
        yield mean

    def reconstruct(self, patches: Iterable[np.ndarray]) -> np.ndarray:
        """Return the volume blended from `patches`, shape (nx, ny, nz, ...), float32; see `blend`."""
        return np.concatenate(list(self.blend(patches)), axis=2)


def stride_for(size: tuple[int, int, int], overlap: int | tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the stride of patches of `size` that overlap by `overlap` samples, one number for all axes or one for each.

    Raises ValueError unless each overlap is at least 0 and below the size.
    """
    overlaps = tuple(np.broadcast_to(overlap, 3).tolist())
    if not all(0 <= shared < length for shared, length in zip(overlaps, size, strict=True)):
        raise ValueError(f"patches of {size} can share from 0 to {tuple(n - 1 for n in size)} samples; got {overlap}")
    return tuple(length - shared for shared, length in zip(overlaps, size, strict=True))


def _starts(n: int, size: int, stride: int) -> list[int]:
    """Return the first sample of each patch along an axis of n voxels."""
    if n <= size:
        return [(n - size) // 2]
    return [*range(0, n - size, stride), n - size]


def _overlap(start: int, size: int, n: int) -> tuple[slice, slice]:
    """Return the overlap of a patch and the volume along an axis, as samples of the volume and as samples of the patch."""
    low, high = max(start, 0), min(start + size, n)
    return slice(low, high), slice(low - start, high - start)


def _window(size: tuple[int, int, int]) -> np.ndarray:
    """Return the weights of a patch's samples, the product of 1, 2, ..., 2, 1 along each axis."""
    x, y, z = (np.minimum(np.arange(1, n + 1), np.arange(n, 0, -1)).astype(np.float32) for n in size)
    return x[:, None, None] * y[:, None] * z


def _advance(held: np.ndarray, slices: int) -> np.ndarray:
    """Return `held` without its first slices, and with as many slices of 0 appended."""
    return np.concatenate([held[:, :, slices:], np.zeros_like(held[:, :, :slices])], axis=2)


def _update(mean: np.ndarray, total: np.ndarray, patch: np.ndarray, weight: np.ndarray) -> None:
    """Add `patch` to the weighted mean, in place."""
    new = total == 0
    mean[new] = patch[new]
    total += weight
    fraction = np.broadcast_to((weight / total).reshape(weight.shape + (1,) * (patch.ndim - 3)), patch.shape)
    other = mean != patch
    mean[other] += fraction[other] * (patch[other] - mean[other])
