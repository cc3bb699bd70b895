"""In-plane resampling between millimeter grids, by one small matrix per axis.

A resampled line is `W @ line`, and a resampled slice `Wx @ slice @ Wy.T`. Matrices make resampling and its reversal explicit, let
a caller compute only the rows of a crop (so that nothing is upsampled only to be discarded), and run at the speed of the linear
algebra library.

There are two alignments:

- "edges": the outer edge of the first voxel keeps its position (half-voxel-correct). Every network of this project uses it.
- "centers": the center of the first voxel keeps its position. It is only for parity with published models.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from spineseg_cli.core.image.volume import Volume


def resampled_length(n: int, spacing_mm: float, new_spacing_mm: float) -> int:
    """Return the number of samples (at least 1) that cover `n` voxels of `spacing_mm` at `new_spacing_mm`."""
    return max(1, round(n * spacing_mm / new_spacing_mm))


@lru_cache(maxsize=16)
def resampling_matrix(
    n_in: int, spacing_in_mm: float, n_out: int, spacing_out_mm: float, align: str = "edges", reduce: str = "mean"
) -> np.ndarray:
    """Return the matrix that resamples a line of `n_in` samples to `n_out` samples.

    Refining interpolates linearly, repeating the edge. Coarsening with `reduce="mean"` averages over the new sample's
    extent, so that a probability stays a probability of the whole voxel; with `reduce="linear"` it interpolates too.

    Parameters
    ----------
    n_in, n_out : int
        Number of input and of output samples.
    spacing_in_mm, spacing_out_mm : float
        Input and output sample spacing, mm.
    align : {"edges", "centers"}
        The points of the two grids that coincide at the line's start.
    reduce : {"mean", "linear"}
        The method of coarsening.

    Returns
    -------
    ndarray, shape (n_out, n_in), float32
        The matrix, read-only, as it is cached; its rows sum to 1.
    """
    matrix = _make_matrix(n_in, n_out, spacing_out_mm / spacing_in_mm, align, reduce)
    matrix.flags.writeable = False
    return matrix


def _make_matrix(n_in: int, n_out: int, ratio: float, align: str, reduce: str) -> np.ndarray:
    """Return the matrix of `resampling_matrix`; `ratio` is the output spacing over the input spacing."""
    if ratio > 1 and reduce == "mean" and align == "edges":
        return _mean_matrix(n_in, n_out, ratio)  # else linear interpolation
    shift = 0.5 if align == "edges" else 0.0
    position = np.clip((np.arange(n_out) + shift) * ratio - shift, 0, n_in - 1)
    lower = np.minimum(np.floor(position).astype(int), max(n_in - 2, 0))
    weight = position - lower
    matrix = np.zeros((n_out, n_in), np.float32)
    rows = np.arange(n_out)
    matrix[rows, lower] = 1 - weight
    matrix[rows, np.minimum(lower + 1, n_in - 1)] += weight
    return matrix


def _mean_matrix(n_in: int, n_out: int, ratio: float) -> np.ndarray:
    """Return the matrix that averages the input samples over the extent of each output sample."""
    start = np.arange(n_out)[:, None] * ratio
    cell = np.arange(n_in)[None, :]
    overlap = np.clip(np.minimum(start + ratio, cell + 1) - np.maximum(start, cell), 0, None)
    empty = overlap.sum(axis=1) == 0  # beyond the last input sample: repeat the edge
    overlap[empty, -1] = 1
    return (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)


def resample_inplane(volume: Volume, spacing_mm: float | tuple[float, float]) -> Volume:
    """Return `volume`, shape (nx, ny, nz), resampled along its first two axes to `spacing_mm`, but not along the third.

    The affine follows the center of the first voxel, so that every point keeps its world position.
    """
    wanted = (spacing_mm, spacing_mm) if isinstance(spacing_mm, (int, float)) else spacing_mm
    along_x, along_y = (
        resampling_matrix(n, here, resampled_length(n, here, there), there)
        for n, here, there in zip(volume.shape[:2], volume.spacing_mm[:2], wanted, strict=True)
    )
    ratio = np.array([there / here for here, there in zip(volume.spacing_mm[:2], wanted, strict=True)] + [1.0])
    step = np.diag([*ratio, 1.0])
    step[:3, 3] = (ratio - 1) / 2
    return Volume(np.einsum("ax,xyz,by->abz", along_x, volume.data, along_y, optimize=True), volume.affine @ step)
