"""Degradations of an image: they remove detail, but do not move the content."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spineseg_cli.synthesis import degradation


def _center_of_mass(image: np.ndarray) -> np.ndarray:
    grid = np.meshgrid(*map(np.arange, image.shape), indexing="ij")
    return np.array([(image * axis).sum() / image.sum() for axis in grid])


@settings(max_examples=60, deadline=None)
@given(st.integers(80, 130), st.integers(80, 130), st.floats(0.2, 1.2), st.integers(0, 10**6))
def test_lower_resolution_leaves_everything_where_it_is(height, width, coarse_mm, seed):
    """Labels are not degraded, so that an image that moved by part of a voxel would have wrong contours."""
    x, y = np.meshgrid(np.arange(height) - 0.45 * height, np.arange(width) - 0.52 * width, indexing="ij")
    spot = np.exp(-(x**2 + y**2) / (2 * 8.0**2)).astype(np.float32)
    coarse = degradation.lower_resolution(spot, 0.25, coarse_mm, np.random.default_rng(seed))
    np.testing.assert_allclose(_center_of_mass(coarse), _center_of_mass(spot), atol=0.1)


def test_lower_resolution_keeps_the_mean_and_loses_detail():
    rng = np.random.default_rng(0)
    image = 1 + 0.2 * rng.random((96, 96)).astype(np.float32)
    coarse = degradation.lower_resolution(image, 0.25, 1.0, rng)
    assert coarse.mean() == pytest.approx(image.mean(), rel=0.01)
    assert coarse.std() < 0.5 * image.std()


@settings(max_examples=60, deadline=None)
@given(st.integers(60, 130), st.floats(1.5, 5), st.integers(0, 10**6))
def test_sagittal_slices_are_thick_from_right_to_left_alone_and_leave_everything_where_it_is(size, thick_mm, seed):
    x, y = np.meshgrid(np.arange(size) - 0.45 * size, np.arange(size) - 0.52 * size, indexing="ij")
    spot = np.exp(-(x**2 + y**2) / (2 * 8.0**2)).astype(np.float32)
    rng = np.random.default_rng(seed)
    np.testing.assert_allclose(
        _center_of_mass(degradation.thick_sagittal(spot, 0.5, thick_mm, rng)), _center_of_mass(spot), atol=0.1
    )
    fine = np.broadcast_to(rng.standard_normal(size).astype(np.float32), (size, size))
    np.testing.assert_allclose(degradation.thick_sagittal(fine, 0.5, thick_mm, rng), fine, atol=1e-5)
    assert degradation.thick_sagittal(fine.T, 0.5, thick_mm, rng).std() < fine.std()


def test_band_limited_resampling_keeps_what_both_grids_hold():
    there, back = degradation.band_limited_matrix(60, 40), degradation.band_limited_matrix(40, 60)
    np.testing.assert_allclose(there.sum(axis=1), 1, atol=1e-5)
    wave = np.cos(np.pi * (np.arange(60) + 0.5) / 60 * 12)
    np.testing.assert_allclose(back @ (there @ wave), wave, atol=1e-4)
    too_fine = np.cos(np.pi * (np.arange(60) + 0.5) / 60 * 50)
    np.testing.assert_allclose(there @ too_fine, 0, atol=1e-4)


def test_echo_planar_distortion_moves_labels_with_the_image_and_keeps_the_signal():
    x = np.arange(96) - 47.5
    section = np.clip(16 - np.hypot(x[:, None], x[None]), 0, 1).astype(np.float32)
    moved = 0
    for seed in range(10):
        image, labels = degradation.echo_planar(100 * section, section[..., None], 0.5, 1.5, np.random.default_rng(seed))
        inside = labels[..., 0] > 0.5
        assert image[inside].min() > 15
        assert image[labels[..., 0] == 0].max() == 0
        assert image.sum() == pytest.approx(100 * section.sum(), rel=0.05), "what is squeezed adds up"
        moved += not np.array_equal(inside, section > 0.5)
    assert moved == 10


def test_a_spike_in_k_space_is_one_wave():
    stripes = (
        degradation.spike(np.full((96, 96), 10, np.float32) + np.eye(96, dtype=np.float32), 2.0, np.random.default_rng(3)) - 10
    )
    spectrum = np.abs(np.fft.rfft2(stripes * np.outer(np.hanning(96), np.hanning(96))))
    brightest = np.sort(spectrum.ravel())[::-1]
    assert brightest[:12].sum() > 0.5 * spectrum.sum()


def test_what_wraps_around_comes_from_the_far_side_and_reaches_the_middle_at_most():
    image = np.random.default_rng(0).uniform(1, 2, (60, 80)).astype(np.float32)
    for seed in range(6):
        added = degradation.aliased(image, 1.0, np.random.default_rng(seed)) - image
        rows, columns = np.flatnonzero(added.any(axis=1)), np.flatnonzero(added.any(axis=0))
        axis = int(len(rows) == 60)
        changed, n = (rows, columns)[axis], image.shape[axis]
        assert len(changed) <= n / 2
        from_far = changed + (n - len(changed) if changed[0] == 0 else len(changed) - n)
        np.testing.assert_allclose(np.take(added, changed, axis), np.take(image, from_far, axis), rtol=1e-5)
