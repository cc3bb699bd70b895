"""Synthetic stacks: slices that belong together, and targets that follow the labels."""

import numpy as np
import pytest

from spineseg_cli.synthesis.generator import LabelSlice
from spineseg_cli.training.stacks import synthesise_stack

SPACING_MM = 0.5
x, y = np.meshgrid(*[np.arange(100) - 49.5] * 2, indexing="ij")


def label(radius_mm, along_mm=0.0):
    """A round cord with round gray matter, shifted sideways by `along_mm`."""
    distance_mm = np.hypot(x * SPACING_MM - along_mm, y * SPACING_MM)
    return LabelSlice(*((distance_mm < r).astype(np.float32) for r in (radius_mm, radius_mm / 2)), spacing_mm=SPACING_MM)


# A cord that moves sideways by 0.1 mm a slice, and tapers off.
SOURCE = [label(6 - 0.1 * k, 0.1 * k - 2) for k in range(40)]


def stack_of(source=SOURCE, size=48, depth=16, seed=0, **options):
    return synthesise_stack(source, size, depth, np.random.default_rng(seed), **options)


def test_shapes_and_seeds():
    image, target = stack_of()
    assert image.shape == (48, 48, 16)
    assert target.shape == (48, 48, 16, 2)
    assert image.dtype == target.dtype == np.float32
    assert np.isfinite(image).all()
    assert 0 <= target.min() <= target.max() <= 1
    assert (target[..., 0] <= target[..., 1] + 1e-5).all(), "gray matter lies in the cord"
    again, other = stack_of(), stack_of(seed=1)
    np.testing.assert_array_equal(again[0], image)
    np.testing.assert_array_equal(again[1], target)
    assert not np.array_equal(other[0], image)


@pytest.mark.parametrize("seed", range(4))
def test_neighbouring_slices_are_alike(seed):
    """One contrast, one deformation and one blur for all slices: only the cord changes, and the noise."""
    image, _ = stack_of(seed=seed)
    neighbours = [np.corrcoef(image[..., k].ravel(), image[..., k + 1].ravel())[0, 1] for k in range(15)]
    assert min(neighbours) > 0.9


def test_targets_follow_the_labels():
    size = stack_of()[1][..., 1].sum(axis=(0, 1))
    assert (np.diff(size) < 0).all(), "the cord tapers off"
    assert size[-1] > 0
    size = stack_of([label(6)] * 8 + [label(0)] * 8)[1][..., 1].sum(axis=(0, 1))
    assert (size[:8] == size[0]).all(), "equal labels, deformed alike"
    assert size[0] > 0
    assert not size[8:].any()


def test_a_short_source_is_filled_up_with_its_last_slice():
    _, target = stack_of([label(6), label(5), label(4)])
    assert (target[..., 3:, :] == target[..., 2:3, :]).all()
    assert target[..., 0, 1].sum() > target[..., 2, 1].sum() > 0


def test_a_long_source_is_cut_anywhere():
    sizes = {float(stack_of(seed=seed)[1][..., 0, 1].sum()) for seed in range(6)}
    assert len(sizes) == 6
