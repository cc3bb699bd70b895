"""Preparation of scans: outliers, padding and units."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.image.intensity import clip_outliers, in_usual_units, without_padding
from spineseg_cli.core.image.volume import Volume

STACK = np.random.default_rng(0).gamma(2, 100, size=(3, 9, 7)).astype(np.float32)


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e6), st.integers(0, 99))
def test_spikes_are_taken_off_and_nothing_else_changes(offset, gain, seed):
    """Not the brightest fat beside a surface coil either, nor a scan of which nearly all is masked."""
    rng = np.random.default_rng(seed)
    data = (rng.gamma(2, 1, (30, 30, 20)) * gain + offset).astype(np.float32)
    data[:20] *= rng.random() < 0.5
    data[-1, -1, -1] *= 4
    scan = Volume(data, np.eye(4))
    assert clip_outliers(scan) is scan
    size = np.abs(data).max()
    spiked = data.copy()
    spiked[25, 10, [3, 4]] = -1e3 * size, 1e3 * size
    mended = clip_outliers(scan.with_data(spiked)).data
    others = spiked == data
    np.testing.assert_array_equal(mended[others], data[others])
    assert np.abs(mended).max() <= size


def test_one_dark_slice_does_not_make_spikes_of_the_others():
    """448 x 448 x 15: an even stride through a matrix of a power of two would meet the dark slice alone."""
    data = np.random.default_rng(0).gamma(2, 100, (448, 448, 15)).astype(np.float32)
    data[:, :, 0] *= 0.005
    scan = Volume(data, np.eye(4))
    assert clip_outliers(scan) is scan
    data[200, 200, 7] = 1e7
    assert clip_outliers(scan.with_data(data)).data.max() < 1e5


@pytest.mark.parametrize("value", [-32768.0, 65535.0])
@pytest.mark.parametrize("where", ["planes", "columns", "slice", "border", "slanted"])
def test_padding_is_filled_as_if_it_had_not_been_there(value, where):
    rng = np.random.default_rng(0)
    data = rng.gamma(4, 25, (40, 44, 10)).astype(np.float32)
    padded = np.zeros(data.shape, bool)
    if where == "planes":
        padded[12], padded[:, 20], padded[..., 5] = True, True, True
    elif where == "columns":
        padded[rng.random(40) < 0.08] = True
        padded[7] = True
    elif where == "slice":
        padded[..., 3] = True
    elif where == "slanted":
        padded = np.abs(np.subtract.outer(np.arange(40), np.arange(44)) - 3)[..., None] + np.zeros(10) < 2
    else:
        padded[:9] = True
    scan = Volume(np.where(padded, np.float32(value), data), np.eye(4))
    filled = without_padding(scan).data
    np.testing.assert_array_equal(filled[~padded], data[~padded])
    assert data.min() <= filled.min() <= filled.max() <= data.max()


@pytest.mark.parametrize("is_float", [False, True])
def test_negative_numbers_stored_as_unsigned_are_padding(is_float):
    """And noise of another unit; the scan is between both."""
    rng = np.random.default_rng(0)
    data = rng.normal(200, 120, (40, 44, 10)).round().astype(np.float32)
    stored = data.astype(np.int16).astype(np.uint16).astype(np.float32)
    if is_float:
        stored[:8] = rng.normal(-9e4, 30, stored[:8].shape)
    filled = without_padding(Volume(stored, np.eye(4))).data
    known = (data >= 0) & ((np.arange(40) >= 8) | (not is_float))[:, None, None]
    np.testing.assert_array_equal(filled[known], data[known])
    assert filled.min() >= 0
    assert filled.max() <= data.max()


def test_the_noise_around_a_bright_specimen_is_not_padding():
    rng = np.random.default_rng(0)
    data = rng.gamma(2, 5, (40, 44, 1)).astype(np.float32)
    data[15:24, 20:29] += 100
    scan = Volume(data, np.eye(4))
    assert without_padding(scan) is scan


def test_a_spike_does_not_hide_padding():
    data = np.random.default_rng(0).uniform(0, 99, (30, 30, 6)).astype(np.float32)
    data[:4], data[20, 20, 3] = -1e4, 1e6
    assert without_padding(Volume(data, np.eye(4))).data.min() >= 0


def test_what_is_not_padding_stays():
    data = np.random.default_rng(0).gamma(4, 25, (20, 20, 6)).astype(np.float32)
    data[:5] = 0  # air, masked
    data[10, 10, 3] = 1e6  # a spike
    scan = Volume(data, np.eye(4))
    assert without_padding(scan) is scan
    flat = Volume(np.full((4, 4, 2), 7, np.float32), np.eye(4))
    assert without_padding(flat) is flat


@pytest.mark.parametrize(("factor", "changed"), [(1e-12, True), (3e30, True), (1e-6, False), (1.0, False)])
def test_intensities_far_from_1_are_brought_near_it_without_rounding(factor, changed):
    """As those of a map of diffusivity in m2/s: what is added to a spread, so that none is 0, would matter."""
    scan = Volume((STACK * factor).astype(np.float32), np.eye(4))
    usual = in_usual_units(scan)
    if not changed:
        assert usual is scan
        return
    assert 0.5 <= usual.data.max() < 1
    np.testing.assert_array_equal(np.frexp(usual.data)[0], np.frexp(scan.data)[0])
