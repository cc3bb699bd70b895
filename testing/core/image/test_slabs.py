"""Slabs of slices, and what is kept of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.image.packed import PackedMasks
from spineseg_cli.core.image.slabs import SLICES, SliceCache, slabs


@given(st.integers(0, 10 * SLICES))
def test_slabs_cover_all_slices_once(n):
    assert [k for first, end in slabs(n) for k in range(first, end)] == list(range(n))
    assert all(min(n, SLICES // 2) <= end - first <= SLICES for first, end in slabs(n))


@given(st.integers(1, 4 * SLICES), st.integers(0, 9), st.booleans())
def test_each_slice_is_made_once_and_forgotten_below_the_slab(n, reach, at_once):
    made = []

    def make(slices):
        made.append(slices.tolist())
        return [10 * k for k in slices]

    cache = SliceCache(make, n, at_once=at_once)
    for first, end in slabs(n):
        low, high = max(first - reach, 0), min(end + reach, n)
        assert cache.range(low, high) == [10 * k for k in range(low, high)]
    assert sorted(sum(made, [])) == list(range(n))
    assert at_once == (len(made) == 1) or n <= SLICES


@given(st.integers(1, 5), st.integers(1, 20), st.integers(1, 20))
def test_packed_masks_are_those_that_were_put_in(n, height, width):
    masks, packed = np.random.default_rng(n).random((2 * n, height, width)) > 0.5, PackedMasks()
    packed.extend(masks[:n])
    packed.extend(masks[n:])
    assert len(packed) == 2 * n
    np.testing.assert_array_equal(list(packed), masks)
