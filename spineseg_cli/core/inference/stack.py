"""Prediction with a 3-D network, which reads the windows of adjacent slices as a straightened stack, in overlapping patches."""

from __future__ import annotations

import numpy as np

from spineseg_cli.core.image.resampling import resampled_length, resampling_matrix
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.inference.patching import PatchGrid, stride_for
from spineseg_cli.core.inference.runtime import Runtime


def predict_stack(
    runtime: Runtime, windows: np.ndarray, distance_mm: float, config: InferenceConfig, overlap: float = 0.5
) -> np.ndarray:
    """Return the probabilities of windows of adjacent slices, shape (n, side, side, classes), float32.

    The stack is resampled along the cord to the network's voxel size, and the prediction back, unless the network reads the
    scan's own slices. With `config.mirror`, the result is averaged with the prediction for the left-right mirror image.

    Parameters
    ----------
    runtime : Runtime
        A network that reads stacks of shape (1, side, side, `config.depth`).
    windows : ndarray, shape (n, side, side)
        The standardized windows.
    distance_mm : float
        The distance of neighboring slices.
    config : InferenceConfig
        The configuration of the network.
    overlap : float
        The overlap of neighboring patches, as a fraction of their length, from 0 to below 1.
    """
    n, side = windows.shape[:2]
    along_mm = config.spacing_mm if config.resample_slices else distance_mm
    fine = resampled_length(n, distance_mm, along_mm)
    forward = resampling_matrix(n, distance_mm, fine, along_mm)
    backward = resampling_matrix(fine, along_mm, n, distance_mm)
    stack = np.einsum("kn,nxy->xyk", forward, windows, optimize=True)
    size = (side, side, config.depth)
    grid = PatchGrid(stack.shape, size, stride_for(size, (0, 0, int(overlap * config.depth))))
    patches = (_predict(runtime, patch, config.mirror) for patch in grid.extract(stack))
    return np.einsum("nk,xykc->nxyc", backward, grid.reconstruct(patches), optimize=True).astype(np.float32)


def _predict(runtime: Runtime, patch: np.ndarray, mirror: bool) -> np.ndarray:
    """Return the prediction for a patch, averaged with that for its mirror image if `mirror`."""
    if not mirror:
        return runtime.predict(patch[None])[0]
    direct, mirrored = runtime.predict(np.stack([patch, patch[::-1]]))
    return (direct + mirrored[::-1]) / 2
