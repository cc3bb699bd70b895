"""Slabs of slices, and what is kept of them."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.image.packed import PackedMasks
from spineseg_cli.core.image.slabs import PART_SLICES, SLICES, SliceCache, prefetched, slabs


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

    with SliceCache(make, n, at_once=at_once) as cache:
        for first, end in slabs(n):
            low, high = max(first - reach, 0), min(end + reach, n)
            assert cache.range(low, high) == [10 * k for k in range(low, high)]
    assert sorted(sum(made, [])) == list(range(n))
    assert at_once == (len(made) == 1) or n <= PART_SLICES


def test_an_error_in_what_is_prefetched_is_raised_where_it_is_asked_for():
    def make(slices):
        if slices[0] >= PART_SLICES:
            raise ValueError("of the second part")
        return list(slices)

    with SliceCache(make, 3 * PART_SLICES) as cache:
        cache.range(0, PART_SLICES)
        with pytest.raises(ValueError, match="of the second part"):
            cache.range(PART_SLICES, PART_SLICES + 1)


@pytest.mark.parametrize("threads", [1, 2])
def test_of_what_is_prefetched_two_are_computed_or_used_at_a_time(threads):
    begun = []
    for item in prefetched(lambda item: begun.append(item) or item, range(5), threads):
        time.sleep(0.01)  # in which another would begin
        assert max(begun) <= item + 1


@given(st.integers(1, 5), st.integers(1, 20), st.integers(1, 20))
def test_packed_masks_are_those_that_were_put_in(n, height, width):
    masks, packed = np.random.default_rng(n).random((2 * n, height, width)) > 0.5, PackedMasks()
    packed.extend(masks[:n])
    packed.extend(masks[n:])
    assert len(packed) == 2 * n
    np.testing.assert_array_equal(list(packed), masks)
