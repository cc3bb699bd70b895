"""The check that two volumes have the same voxel grid."""

from __future__ import annotations

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import GridMismatchError

# Two grids are the same if no voxel differs in position by more than this fraction of the smallest voxel size. Tools that write
# only one of qform and sform round the other's rotation: over a 170 mm field of view, that is up to 0.15 voxel in real data.
GRID_TOLERANCE_VX = 0.25


def check_same_grid(first: Volume, second: Volume, first_name: str, second_name: str) -> None:
    """Raise GridMismatchError unless both volumes have the same shape and voxel positions, to a quarter of a voxel."""
    if first.shape != second.shape:
        raise GridMismatchError(
            f"{first_name} and {second_name} must be on one voxel grid; their shapes are {first.shape} and {second.shape}: "
            f"resample one to the other first"
        )
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) * [*first.shape, 1]
    shift_mm = np.linalg.norm((corners @ (first.affine - second.affine).T)[:, :3], axis=1).max()
    if shift_mm > GRID_TOLERANCE_VX * min(first.spacing_mm):
        raise GridMismatchError(
            f"{first_name} and {second_name} must be on one voxel grid; their headers place the same voxel up to "
            f"{shift_mm:.2g} mm apart: resample one to the other first"
        )
