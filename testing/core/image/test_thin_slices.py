"""Thin slices averaged along the cord: less noise, the same scan otherwise, and computed for the voxels in question alone."""

import numpy as np
import pytest

from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.stored import StoredVoxels
from spineseg_cli.core.image.thin_slices import averaged_thin_slices
from spineseg_cli.core.image.volume import Volume


def scan_of(data, distance_mm):
    return Volume(data, np.diag([-0.7, 0.7, distance_mm, 1.0]))


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(100, 10, (24, 20, 40)).astype(np.float32)


@pytest.mark.parametrize("distance_mm", [0.1, 0.5, 1.0])
def test_noise_of_thin_slices_is_averaged_away(noise, distance_mm):
    averaged = np.asarray(averaged_thin_slices(scan_of(noise, distance_mm)).data)
    assert averaged.mean() == pytest.approx(noise.mean(), abs=0.1)
    assert averaged.std() < 0.6 * noise.std()


def test_thick_slices_stay_as_they_are(noise):
    scan = scan_of(noise, 4.0)
    assert averaged_thin_slices(scan) is scan


@pytest.mark.parametrize("distance_mm", [0.1, 0.5, 1.0])
def test_what_does_not_change_along_the_cord_stays(noise, distance_mm):
    same = np.repeat(noise[:, :, :1], 30, axis=2)
    np.testing.assert_allclose(averaged_thin_slices(scan_of(same, distance_mm)).data, same, rtol=1e-5)


def test_slices_without_signal_and_bright_ones_have_no_part_in_the_others(noise):
    same = np.repeat(noise[:, :, :1], 30, axis=2)
    same[:, :, 10:13] = 0
    same[:, :, 13] *= 5
    same[:, :, 20::2] *= 0.4
    np.testing.assert_allclose(averaged_thin_slices(scan_of(same, 0.5)).data, same, rtol=1e-5)


@pytest.mark.parametrize("key", [np.s_[2:9, 3:, 7], np.s_[::4, ::4, 0], np.s_[:, 5:6, 30:], np.s_[::3, ::2, 3::5]])
@pytest.mark.parametrize("stored", [np.asarray, StoredVoxels])
def test_parts_are_those_of_the_whole(noise, key, stored):
    averaged = averaged_thin_slices(scan_of(stored(noise), 0.5)).data
    np.testing.assert_allclose(averaged[key], np.asarray(averaged)[key], rtol=1e-5)
    assert averaged[key].dtype == np.float32


def test_a_scan_of_the_other_end_first_is_averaged_alike(noise):
    there, back = (np.asarray(averaged_thin_slices(scan_of(data, 0.5)).data) for data in (noise, noise[:, :, ::-1]))
    np.testing.assert_allclose(there, back[:, :, ::-1], rtol=1e-5)


def test_a_scan_that_is_turned_stays_averaged(noise):
    averaged = averaged_thin_slices(scan_of(noise, 0.5))
    mirrored = Volume(averaged.data, averaged.affine @ np.diag([-1.0, 1, 1, 1]))
    np.testing.assert_array_equal(to_rpi(mirrored).data, np.asarray(averaged.data)[::-1])
