"""What a segmentation pipeline finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.volume import Volume


@dataclass(frozen=True, kw_only=True)
class Segmentation:
    """A structure's mask and probability, on the grid of the image.

    Parameters
    ----------
    mask : Volume
        uint8.
    probability : Volume
        float32 in [0, 1]; 0 where the structure cannot be.
    threshold : float
        Probability above which `mask` is 1.
    crop_box_vx : list
        [first, last + 1] of the voxels that the network saw, right to left and posterior to anterior.
    runtime : str
        What ran the network: equal bytes are promised for equal runtimes.
    """

    mask: Volume
    probability: Volume
    threshold: float
    crop_box_vx: list[list[int]]
    runtime: str

    def soft(self, threshold: float = 0.0) -> Volume:
        """Probability where it exceeds `threshold`, 0 elsewhere; float32."""
        data = self.probability.data
        return self.probability.with_data(np.where(data > threshold, data, np.float32(0)))
