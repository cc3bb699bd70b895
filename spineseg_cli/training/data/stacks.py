"""Stacks of neighboring slices, synthetic or of a scan, for 3-D networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spineseg_cli.core.image.resampling import resampled_length, resampling_matrix
from spineseg_cli.core.inference.patching import PatchGrid, stride_for
from spineseg_cli.synthesis.degradation import rician_noise
from spineseg_cli.synthesis.generator import LabelSlice, synthesize
from spineseg_cli.training.data.labeled_slices import ScanSlice

# Half of the stacks that are resampled are acquired in slices of up to this thickness, and interpolated.
THICKEST_MM = 5.0

# Stacks of own slices take every slice of a source, or one of up to so many.
LARGEST_STEP = 10

# So often, each of their slices lies beside its neighbors, as of a subject who moved; by this standard deviation.
MOVED_PROB, MOVED_MM = 0.3, 0.5


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


def patches_of(scan: Sequence[ScanSlice], depth: int, overlap: float, resampled: bool = True) -> list[StackPatch]:
    """Return patches of `depth` slices that cover a scan.

    Parameters
    ----------
    scan : sequence of ScanSlice
        In any order. Where a slice is missing between others, the scan is cut in two.
    overlap : float
        Of neighboring patches, as a fraction of `depth`.
    resampled : bool
        Whether the slices of a patch are as far apart as its samples, or the scan's own.
    """
    return [patch for run in _runs(scan) for patch in _patches_of_run(*run, depth, overlap, resampled)]


def thicker_scans(scan: Sequence[ScanSlice]) -> list[list[ScanSlice]]:
    """Return a scan, and the same in slices twice, four times, ... as thick, up to 5 mm: the means of neighbors."""
    scans, count = [list(scan)], 2
    runs = _runs(scan)
    distance_mm = min(distance for _, distance in runs)
    while count * distance_mm <= THICKEST_MM:
        blocks = [run[k : k + count] for run, _ in runs for k in range(0, len(run) - count + 1, count)]
        if blocks:
            scans.append([_mean_slice(block) for block in blocks])
        count *= 2
    return scans


def synthesize_stack(
    source: Sequence[LabelSlice], size: int, depth: int, rng: np.random.Generator, resampled: bool = True, **options
) -> tuple[np.ndarray, np.ndarray]:
    """Return a random image of `depth` neighboring slices of a source, and its tissue fractions.

    All slices are deformed, painted and acquired alike: each is made from the same seed.

    Parameters
    ----------
    source : sequence of LabelSlice
        As far apart as their samples, if they are `resampled`; a shorter one is filled up with its last slice.
    size, depth : int
        Samples a side, and slices.
    resampled : bool
        Whether slices are as far apart as samples, those of thick ones interpolated; or the scan's own, at any distance, and
        some beside their neighbors.
    **options
        Of `synthesis.generator.synthesize`.

    Returns
    -------
    image : ndarray, shape (size, size, depth), float32
    target : ndarray, shape (size, size, depth, 2), float32
        Fractions of gray matter and of cord.
    """
    step = 1 if resampled else _random_step(len(source) // depth, rng)
    first = int(rng.integers(max(len(source) - step * depth, 0) + 1))
    labels = [source[min(first + step * offset, len(source) - 1)] for offset in range(depth)]
    seed = int(rng.integers(2**32))
    images, targets = zip(*(synthesize(part, size, np.random.default_rng(seed), **options) for part in labels), strict=True)
    image, target = np.stack(images, axis=2), np.stack(targets, axis=2)
    spacing_mm = labels[0].spacing_mm
    if not resampled:
        image, target = _moved(image, target, spacing_mm, rng)
    elif rng.random() < 0.5:
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


def _mean_slice(block: list[ScanSlice]) -> ScanSlice:
    """Return one slice of the thickness of neighbors together."""

    def mean(parts):
        return None if parts[0] is None else np.mean(parts, axis=0, dtype=np.float32)

    return replace(
        block[0],
        image=mean([part.image for part in block]),
        structure=tuple(mean(drawn) for drawn in zip(*(part.structure for part in block), strict=False)),
        cord=mean([part.cord for part in block]),
        height_mm=float(np.mean([part.height_mm for part in block])),
    )


def _random_step(largest: int, rng: np.random.Generator) -> int:
    """Return a number from 1 to `largest`, and to `LARGEST_STEP`; each doubling is as likely."""
    return int(np.exp(rng.uniform(0, np.log(min(max(largest, 1), LARGEST_STEP) + 1))))


def _moved(image: np.ndarray, target: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a stack, shape (size, size, depth, ...), at times with each slice moved in its plane, by whole samples."""
    if rng.random() >= MOVED_PROB:
        return image, target
    size, depth = image.shape[0], image.shape[2]
    steps = np.round(rng.normal(0, MOVED_MM / spacing_mm, (depth, 2))).astype(int)
    x, y = (np.clip(np.arange(size)[:, None] + steps[:, axis], 0, size - 1) for axis in (0, 1))
    at = (x[:, None], y[None], np.arange(depth))
    return image[at], target[at]


def _patches_of_run(run: list[ScanSlice], distance_mm: float, depth: int, overlap: float, resampled: bool) -> list[StackPatch]:
    spacing_mm = run[0].spacing_mm if resampled else distance_mm
    fine = resampled_length(len(run), distance_mm, spacing_mm)
    matrix = resampling_matrix(len(run), distance_mm, fine, spacing_mm)
    size = (1, 1, depth)
    patches = []
    for *_, start in PatchGrid((1, 1, fine), size, stride_for(size, (0, 0, int(overlap * depth)))).starts:
        rows = matrix[np.clip(np.arange(start, start + depth), 0, fine - 1)]
        used = np.flatnonzero(rows.any(axis=0))
        patches.append(StackPatch([run[index] for index in used], rows[:, used]))
    return patches
