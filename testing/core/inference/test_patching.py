"""Patches: the way there and back is the identity, whatever the sizes, and needs one patch's thickness of memory."""

import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spineseg_cli.core.inference.patching import PatchGrid, stride_for

sides = st.tuples(*[st.integers(1, 9)] * 3)
values = st.floats(width=32, allow_nan=False)


@st.composite
def grids(draw):
    size = draw(sides)
    return PatchGrid(draw(sides), size, tuple(draw(st.integers(1, n)) for n in size))


def weighted_mean(grid, patches):
    """The definition, in double precision and with the whole volume in memory."""
    window = np.ones(1)
    for n in grid.size:
        window = np.multiply.outer(window, [min(i + 1, n - i) for i in range(n)])
    margin = max(grid.size)
    total = np.zeros([n + 2 * margin for n in grid.shape])
    weights = np.zeros_like(total)
    for start, patch in zip(grid.starts, patches, strict=True):
        at = tuple(slice(margin + s, margin + s + n) for s, n in zip(start, grid.size, strict=True))
        total[at] += window[0] * patch
        weights[at] += window[0]
    inside = tuple(slice(margin, margin + n) for n in grid.shape)
    return total[inside] / weights[inside]


@given(grid=grids(), data=st.data())
def test_unchanged_patches_give_the_volume_bit_for_bit(grid, data):
    volume = data.draw(hnp.arrays(np.float32, grid.shape, elements=values))
    before = volume.tobytes()
    restored = grid.reconstruct(grid.extract(volume))
    assert restored.dtype == np.float32
    assert restored.tobytes() == before == volume.tobytes()


@given(grid=grids(), seed=st.integers(0, 2**32 - 1))
def test_patches_that_differ_are_averaged(grid, seed):
    patches = np.random.default_rng(seed).random((len(grid.starts), *grid.size)).astype(np.float32)
    blended = grid.reconstruct(patches)
    # The mean of up to 729 patches is updated in float32 as often.
    np.testing.assert_allclose(blended, weighted_mean(grid, patches), atol=1e-5)
    assert 0 <= blended.min() <= blended.max() < 1


@given(grid=grids(), seed=st.integers(0, 2**32 - 1))
def test_slabs_are_whole_slices_and_come_as_soon_as_they_can(grid, seed):
    patches = np.random.default_rng(seed).random((len(grid.starts), *grid.size)).astype(np.float32)
    taken = []

    def counted():
        for start, patch in zip(grid.starts, patches, strict=True):
            taken.append(start)
            yield patch

    slabs, ready = [], 0
    for slab in grid.blend(counted()):
        assert slab.shape[:2] == grid.shape[:2]
        assert all(z <= ready for *_, z in taken[:-1]), "the slab could have come before the last patch"
        slabs.append(slab)
        ready += slab.shape[2]
    assert ready == grid.shape[2]
    np.testing.assert_array_equal(np.concatenate(slabs, axis=2), grid.reconstruct(patches))


def test_memory_does_not_grow_with_the_length_of_the_spine():
    def peak_bytes(slices):
        grid = PatchGrid((40, 40, slices), (32, 32, 16), (32, 32, 5))
        patch = np.ones(grid.size, np.float32)
        tracemalloc.start()
        assert sum(slab.shape[2] for slab in grid.blend(patch for _ in grid.starts)) == slices
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    volume_bytes = 40 * 40 * 800 * 4
    assert peak_bytes(800) - peak_bytes(60) < 0.05 * volume_bytes  # the starts of 632 patches
    assert peak_bytes(800) < 0.2 * volume_bytes


def test_channels_are_blended_each_by_itself():
    grid = PatchGrid((6, 5, 11), (4, 5, 4), (2, 5, 3))
    patches = np.random.default_rng(0).random((len(grid.starts), *grid.size, 2)).astype(np.float32)
    blended = grid.reconstruct(patches)
    assert blended.shape == (6, 5, 11, 2)
    for channel in (0, 1):
        np.testing.assert_array_equal(blended[..., channel], grid.reconstruct(patches[..., channel]))


def test_the_last_patch_is_moved_inside():
    assert PatchGrid((4, 4, 10), (4, 4, 4), (4, 4, 3)).starts == [(0, 0, 0), (0, 0, 3), (0, 0, 6)]
    assert PatchGrid((4, 4, 9), (4, 4, 4), (4, 4, 3)).starts == [(0, 0, 0), (0, 0, 3), (0, 0, 5)]
    assert PatchGrid((5, 4, 6), (4, 4, 4), (2, 4, 2)).starts == [(0, 0, 0), (1, 0, 0), (0, 0, 2), (1, 0, 2)]


def test_a_volume_smaller_than_a_patch_is_centered_and_its_edge_repeated():
    grid = PatchGrid((1, 2, 3), (1, 4, 6), (1, 1, 1))
    assert grid.starts == [(0, -1, -2)]
    (patch,) = grid.extract(np.arange(6.0).reshape(1, 2, 3))
    np.testing.assert_array_equal(patch[0], [[0, 0, 0, 1, 2, 2]] * 2 + [[3, 3, 3, 4, 5, 5]] * 2)


def test_stride_from_overlap():
    assert stride_for((64, 64, 48), 24) == (40, 40, 24)
    assert stride_for((64, 64, 48), (0, 0, 45)) == (64, 64, 3)
