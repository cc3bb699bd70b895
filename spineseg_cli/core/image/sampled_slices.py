"""A scan of fewer slices, which tells at a part of the cost what to expect of all."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from spineseg_cli.core.image.stored import LazyVoxels
from spineseg_cli.core.image.volume import Volume


def with_every_nth_slice(scan: Volume, step: int) -> Volume:
    """Return a scan of every `step`-th slice along the third axis, from the first one on, without a copy of the voxels."""
    affine = scan.affine @ np.diag([1.0, 1.0, step, 1.0])
    lazy = isinstance(scan.data, LazyVoxels)
    return Volume(cast(np.ndarray, SampledSlices(scan.data, step)) if lazy else scan.data[:, :, ::step], affine, scan.meta)


class SampledSlices(LazyVoxels):
    """Every `step`-th slice of an image whose voxels are computed when they are accessed.

    They can be indexed along all three axes, by whole numbers along the third or by slices.
    """

    def __init__(self, voxels: np.ndarray | LazyVoxels, step: int):
        self._voxels, self._slices = voxels, np.arange(0, voxels.shape[2], step)
        super().__init__((*voxels.shape[:2], len(self._slices)))

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return the values of some voxels."""
        x, y, z = key if isinstance(key, tuple) else (key, slice(None), slice(None))
        wanted = self._slices[z]
        if wanted.ndim == 0:
            return self._voxels[x, y, int(wanted)]
        if not len(wanted):
            return self._voxels[x, y, :0]
        return np.stack([self._voxels[x, y, k] for k in wanted.tolist()], axis=-1)
