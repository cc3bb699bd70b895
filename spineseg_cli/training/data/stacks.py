"""Stacks of neighboring slices for 3-D networks, from scans and synthetic."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spineseg_cli.core.image.resampling import resampled_length, resampling_matrix
from spineseg_cli.core.inference.patching import PatchGrid, stride_for
from spineseg_cli.synthesis.degradation import rician_noise
from spineseg_cli.synthesis.generator import LabelSlice, synthesize
from spineseg_cli.training.data.labeled_slices import ScanSlice

# Half of the synthetic stacks with resampled slices simulate an acquisition in slices of up to this thickness.
THICKEST_MM = 5.0

# In synthetic stacks of original slices, the distance of slices is up to this multiple of the distance in the source.
LARGEST_STEP = 10

# In such stacks, the probability that each slice is shifted independently, as by motion, and the standard deviation of the
# shifts.
MOVED_PROB, MOVED_MM = 0.3, 0.5


@dataclass(frozen=True)
class StackPatch:
    """A part of a scan as a 3-D network reads it. `core.inference.stack` cuts and resamples scans in the same way."""

    slices: list[ScanSlice]  # neighboring slices, from inferior to superior
    weights: np.ndarray  # shape (depth, len(slices)): the weight of each slice of the scan in each slice of the patch

    def resample(self, stack: np.ndarray) -> np.ndarray:
        """Resample a stack of slices of the scan, shape (len(slices), n, n, ...), to the patch, shape (n, n, depth, ...)."""
        return np.einsum("kz,zxy...->xyk...", self.weights, stack, optimize=True).astype(np.float32)


def patches_of(scan: Sequence[ScanSlice], depth: int, overlap: float, resampled: bool = True) -> list[StackPatch]:
    """Return patches of `depth` slices that cover a scan.

    The slices of the scan may be in any order; it is divided where one is missing. Neighboring patches overlap by the
    fraction `overlap` of `depth`. Slices are `resampled` to the in-plane voxel size; otherwise patches have the original
    slices of the scan.
    """
    return [patch for run in _runs(scan) for patch in _patches_of_run(*run, depth, overlap, resampled)]


def thicker_scans(scan: Sequence[ScanSlice]) -> list[list[ScanSlice]]:
    """Return a scan, and versions of it in slices that are 2, 4, 8, ... times as thick, up to `THICKEST_MM`."""
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

    All slices are synthesized from the same seed, so that they have the same deformation, contrast and degradation. If the source
    has fewer slices than needed, the last one is repeated. If slices are `resampled`, their distance is the in-plane voxel size,
    and half of the stacks simulate interpolated thick slices; otherwise slices have a random distance, and some are shifted.
    `options` are those of `synthesis.generator.synthesize`.

    The image has shape (size, size, depth), and the fractions (size, size, depth, 2), those of gray matter and of cord; float32.
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
    """Return the runs of slices without a gap, from inferior to superior, each with the distance of its slices in mm."""
    ordered = sorted(scan, key=lambda part: part.height_mm)
    gaps = np.diff([part.height_mm for part in ordered])
    distance = float(gaps.min()) if len(gaps) else ordered[0].spacing_mm
    cuts = [0, *(np.flatnonzero(gaps > 1.5 * distance) + 1).tolist(), len(ordered)]
    return [(ordered[first:last], distance) for first, last in itertools.pairwise(cuts)]


def _mean_slice(block: list[ScanSlice]) -> ScanSlice:
    """Return the mean of neighboring slices as one thick slice."""

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
    """Return a random number from 1 to `largest`, at most `LARGEST_STEP`, uniform on a logarithmic scale."""
    return int(np.exp(rng.uniform(0, np.log(min(max(largest, 1), LARGEST_STEP) + 1))))


def _moved(image: np.ndarray, target: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a stack, shape (size, size, depth, ...), in some cases with each slice shifted in its plane by whole samples."""
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
