"""Stacks of neighboring slices, synthetic or of a scan, for 3-D networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.image.resampling import resampled_length, resampling_matrix
from spineseg_cli.core.inference.patching import PatchGrid, stride_for
from spineseg_cli.synthesis.degradation import rician_noise
from spineseg_cli.synthesis.generator import LabelSlice, synthesize
from spineseg_cli.training.data.labeled_slices import ScanSlice

# Half of the stacks are acquired in slices of up to this thickness, and interpolated.
THICKEST_MM = 5.0


@dataclass(frozen=True)
class StackPatch:
    """A piece of a scan, as a 3-D network reads it: `core.inference.stack` cuts and resamples in the same way.

    Parameters
    ----------
    slices : list of ScanSlice
        Neighboring slices, from inferior to superior.
    weights : ndarray, shape (depth, len(slices))
        How much each of them has in each slice of the patch.
    """

    slices: list[ScanSlice]
    weights: np.ndarray

    def resample(self, stack: np.ndarray) -> np.ndarray:
        """Return a stack of the scan's slices, shape (len(slices), n, n, ...), as the patch's, shape (n, n, depth, ...)."""
        return np.einsum("kz,zxy...->xyk...", self.weights, stack, optimize=True).astype(np.float32)


def patches_of(scan: Sequence[ScanSlice], depth: int, overlap: float) -> list[StackPatch]:
    """Return patches of `depth` slices that cover a scan, as far apart as its samples.

    Parameters
    ----------
    scan : sequence of ScanSlice
        In any order. Where a slice is missing between others, the scan is cut in two.
    depth : int
    overlap : float
        Of neighboring patches, as a fraction of `depth`.
    """
    return [patch for run in _runs(scan) for patch in _patches_of_run(*run, depth, overlap)]


def synthesize_stack(
    source: Sequence[LabelSlice], size: int, depth: int, rng: np.random.Generator, **options
) -> tuple[np.ndarray, np.ndarray]:
    """Return a random image of `depth` neighboring slices of a source, and its tissue fractions.

    All slices are deformed, painted and acquired alike: each is made from the same seed.

    Parameters
    ----------
    source : sequence of LabelSlice
        As far apart as their samples; a shorter one is filled up with its last slice.
    size, depth : int
        Samples a side, and slices.
    rng : numpy Generator
    **options
        Of `synthesis.generator.synthesize`.

    Returns
    -------
    image : ndarray, shape (size, size, depth), float32
    target : ndarray, shape (size, size, depth, 2), float32
        Fractions of gray matter and of cord.
    """
    first = int(rng.integers(max(len(source) - depth, 0) + 1))
    labels = [source[min(first + offset, len(source) - 1)] for offset in range(depth)]
    seed = int(rng.integers(2**32))
    images, targets = zip(*(synthesize(part, size, np.random.default_rng(seed), **options) for part in labels), strict=True)
    image, target = np.stack(images, axis=2), np.stack(targets, axis=2)
    spacing_mm = labels[0].spacing_mm
    if rng.random() < 0.5:
        thick_mm = rng.uniform(spacing_mm, THICKEST_MM)
        slices = resampled_length(depth, spacing_mm, thick_mm)
        there = resampling_matrix(depth, spacing_mm, slices, thick_mm)
        back = resampling_matrix(slices, thick_mm, depth, spacing_mm)
        image = image @ (back @ there).T
    return rician_noise(image, rng.uniform(0, 0.1), rng), target


def _runs(scan: Sequence[ScanSlice]) -> list[tuple[list[ScanSlice], float]]:
    """Return slices without a gap, from inferior to superior, and their distance, mm."""
    ordered = sorted(scan, key=lambda part: part.height_mm)
    gaps = np.diff([part.height_mm for part in ordered])
    distance = float(gaps.min()) if len(gaps) else ordered[0].spacing_mm
    cuts = [0, *(np.flatnonzero(gaps > 1.5 * distance) + 1).tolist(), len(ordered)]
    return [(ordered[first:last], distance) for first, last in zip(cuts, cuts[1:], strict=False)]


def _patches_of_run(run: list[ScanSlice], distance_mm: float, depth: int, overlap: float) -> list[StackPatch]:
    spacing_mm = run[0].spacing_mm
    fine = resampled_length(len(run), distance_mm, spacing_mm)
    matrix = resampling_matrix(len(run), distance_mm, fine, spacing_mm)
    size = (1, 1, depth)
    patches = []
    for *_, start in PatchGrid((1, 1, fine), size, stride_for(size, (0, 0, int(overlap * depth)))).starts:
        rows = matrix[np.clip(np.arange(start, start + depth), 0, fine - 1)]
        used = np.flatnonzero(rows.any(axis=0))
        patches.append(StackPatch([run[index] for index in used], rows[:, used]))
    return patches
