"""Stacks of synthetic slices, for 3-D networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spineseg_cli.core.resampling import resampled_length, resampling_matrix
from spineseg_cli.synthesis.degradation import rician_noise
from spineseg_cli.synthesis.generator import LabelSlice, synthesise

# Half of the stacks are acquired in slices of up to this thickness, and interpolated.
THICKEST_MM = 5.0


def synthesise_stack(
    source: Sequence[LabelSlice], size: int, depth: int, rng: np.random.Generator, **options
) -> tuple[np.ndarray, np.ndarray]:
    """Return a random image of `depth` neighbouring slices of a source, and its tissue fractions.

    All slices are deformed, painted and acquired alike: each is made from the same seed.

    Parameters
    ----------
    source : sequence of LabelSlice
        As far apart as their samples; a shorter one is filled up with its last slice.
    size, depth : int
        Samples a side, and slices.
    rng : numpy Generator
    **options
        Of `synthesis.generator.synthesise`.

    Returns
    -------
    image : ndarray, shape (size, size, depth), float32
    target : ndarray, shape (size, size, depth, 2), float32
        Fractions of gray matter and of cord.
    """
    first = int(rng.integers(max(len(source) - depth, 0) + 1))
    labels = [source[min(first + place, len(source) - 1)] for place in range(depth)]
    seed = int(rng.integers(2**32))
    images, targets = zip(*(synthesise(part, size, np.random.default_rng(seed), **options) for part in labels), strict=True)
    image, target = np.stack(images, axis=2), np.stack(targets, axis=2)
    spacing_mm = labels[0].spacing_mm
    if rng.random() < 0.5:
        thick_mm = rng.uniform(spacing_mm, THICKEST_MM)
        slices = resampled_length(depth, spacing_mm, thick_mm)
        there = resampling_matrix(depth, spacing_mm, slices, thick_mm)
        back = resampling_matrix(slices, thick_mm, depth, spacing_mm)
        image = image @ (back @ there).T
    return rician_noise(image, rng.uniform(0, 0.1), rng), target
