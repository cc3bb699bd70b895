"""Windows around the cord: what they hold, where they lie, and the way back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.image.slice_windows import windows_around
from spineseg_cli.core.image.volume import Volume

RNG = np.random.default_rng(0)


def image(shape=(30, 24, 5), spacing_mm=(0.5, 0.5, 4.0)):
    return Volume(RNG.random(shape).astype(np.float32), np.diag([-spacing_mm[0], *spacing_mm[1:], 1.0]))


@given(st.integers(-5, 35), st.integers(-5, 30), st.integers(1, 40))
def test_back_is_the_identity_inside_the_window_and_zero_outside(x, y, size):
    """At the native spacing, also for windows that reach beyond the image or miss it."""
    scan = image()
    windows = windows_around(scan, np.full((5, 2), (x, y)), 0.5, size)
    crops = windows.extract(scan.data, range(5))
    assert crops.shape == (5, size, size)
    seen = windows.restore(np.ones_like(crops), range(5)) > 0
    np.testing.assert_array_equal(windows.restore(crops, range(5)), np.where(seen, scan.data, 0))
    starts = [center - (size - 1) // 2 for center in (x, y)]
    inside = [len(set(range(n)) & set(range(start, start + size))) for n, start in zip((30, 24), starts, strict=True)]
    assert windows.inside(range(5)).sum(axis=(1, 2)).tolist() == [inside[0] * inside[1]] * 5


def test_samples_beyond_the_image_repeat_its_edge_and_are_marked():
    scan = image()
    windows = windows_around(scan, np.zeros((5, 2)), 0.5, 9)
    (crop,), (inside,) = windows.extract(scan.data, range(2, 3)), windows.inside(range(2, 3))
    np.testing.assert_array_equal(inside, np.pad(np.ones((5, 5), bool), ((4, 0), (4, 0))))
    np.testing.assert_array_equal(crop, np.pad(scan.data[:5, :5, 2], ((4, 0), (4, 0)), mode="edge"))


@pytest.mark.parametrize("spacing_mm", [0.25, 0.5, 0.8])
def test_windows_follow_a_curved_cord(spacing_mm):
    """A blob that moves from slice to slice stays in the middle of its windows, to half a sample."""
    centers = np.array([[8.0, 10.0], [11.3, 12.1], [15, 14], [18.7, 12], [21, 9]])
    x, y = np.meshgrid(np.arange(30), np.arange(24), indexing="ij")
    data = np.stack([np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 4) for cx, cy in centers], axis=-1)
    windows = windows_around(image().with_data(data), centers, spacing_mm, 13)
    for crop in windows.extract(data, range(5)):
        crop = crop - crop.min()
        peak = [np.average(np.arange(13), weights=crop.sum(axis=1 - axis) ** 4) for axis in (0, 1)]
        np.testing.assert_allclose(peak, 6, atol=0.6)


def test_a_probability_of_one_comes_back_as_one_inside():
    scan = image(spacing_mm=(0.6, 0.35, 4.0))
    windows = windows_around(scan, None, 0.25, 40)
    back = windows.restore(np.ones((5, 40, 40), np.float32), range(5))
    (x0, x1), (y0, y1), _ = windows.native_box(range(5))
    np.testing.assert_allclose(back[x0 + 1 : x1 - 1, y0 + 1 : y1 - 1], 1, atol=1e-5)
    outside = np.ones(scan.shape, bool)
    outside[x0:x1, y0:y1] = False
    assert not back[outside].any()
    assert back.max() <= 1 + 1e-5


def test_without_padding_the_window_is_moved_inside_or_is_the_image():
    scan = image()
    moved = windows_around(scan, np.zeros((5, 2)), 0.5, 9, pad=False)
    assert moved.inside(range(5)).all()
    np.testing.assert_array_equal(moved.extract(scan.data, range(5))[1], scan.data[:9, :9, 1])
    whole = windows_around(scan, np.zeros((5, 2)), 0.5, 24, pad=False)
    np.testing.assert_array_equal(whole.extract(scan.data, range(5))[1], scan.data[:, :, 1])


@pytest.mark.parametrize("spacing_mm", [(0.2, 0.5, 1.0), (1.0, 0.6, 1.0)])
def test_what_part_of_the_windows_bears_on_is_named_in_full(spacing_mm):
    scan = image((30, 24, 3), spacing_mm=spacing_mm)
    windows = windows_around(scan, np.array([[3.0, 10.0], [5.0, 12.0], [20.0, 14.0]]), 0.25, 20)
    part = slice(4, 9), slice(0, 15)
    bears = np.zeros((3, 20, 20), np.float32)
    bears[:, part[0], part[1]] = 1
    x, y = windows.voxels_of(part, range(3))
    outside = windows.restore(bears, range(3))
    inside = windows.restore(bears[:, part[0], part[1]], range(3), (x, y), part)
    np.testing.assert_allclose(inside, outside[x, y], atol=1e-6)
    assert outside.any()
    outside[x, y] = 0
    assert not outside.any()
    assert windows.voxels_of((slice(0, 0), slice(0, 0)), range(3)) == (slice(0, 0), slice(0, 0))
