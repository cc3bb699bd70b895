"""Filling of missing values: lines of one value, and many voxels of one dark value, between others."""

import numpy as np
import pytest
from scipy import ndimage

from spineseg_cli.core.image.missing_values import with_missing_filled
from spineseg_cli.core.image.volume import Volume

SHAPE = (48, 60, 7)


@pytest.fixture
def scan():
    """Tissue without sharp edges, in air."""
    rng = np.random.default_rng(0)
    data = 100 + 400 * ndimage.gaussian_filter(rng.standard_normal(SHAPE), (3, 3, 1))
    data[:, :10] = rng.uniform(0, 4, data[:, :10].shape)
    return Volume(data.astype(np.float32), np.eye(4))


def lines(*axes):
    """Which voxels lie on lines: single ones, neighbors and crossing ones."""
    missing = np.zeros(SHAPE, bool)
    if 0 in axes:
        missing[20], missing[30:32] = True, True
    if 1 in axes:
        missing[:, 25], missing[:, 40:44, 3] = True, True
    return missing


MISSING = {
    "lines along y": (lines(0), 0.0),
    "lines along x": (lines(1), 0.0),
    "lines that cross": (lines(0, 1), -7.0),
    "bright lines": (lines(0, 1), 130.0),
    "every other row": ((np.arange(SHAPE[1]) % 2 == 0)[:, None] & np.ones(SHAPE, bool), 0.0),
    "every tenth voxel": (np.random.default_rng(1).random(SHAPE) < 0.1, 0.0),
    "a grid": (np.logical_and.outer(np.arange(48) % 4 < 2, np.arange(60) % 4 < 2)[..., None] & np.ones(7, bool), 0.0),
}


@pytest.mark.parametrize("kind", MISSING)
def test_they_are_filled_from_what_is_beside_them_and_nothing_else_changes(scan, kind):
    missing, value = MISSING[kind]
    damaged = np.where(missing, np.float32(value), scan.data)
    before = damaged.copy()
    filled = with_missing_filled(scan.with_data(damaged)).data
    np.testing.assert_array_equal(damaged, before)
    np.testing.assert_array_equal(filled[~missing], scan.data[~missing])
    tissue = missing[:, 14:]
    errors = np.abs(filled - scan.data)[:, 14:][tissue]
    assert np.mean(errors) < 6
    assert np.mean(errors) < 0.2 * np.mean(np.abs(damaged - scan.data)[:, 14:][tissue])


def test_what_is_not_missing_stays(scan):
    dark = scan.data.copy()
    dark[20:22, 30] = 0  # a vessel
    dark[:15], dark[40:] = 0, 0  # masked
    dark[:, 12:14] = dark.max()  # saturated fat, as bright as what is beside it
    dark[:, 11:15:3] = np.where(np.arange(SHAPE[0]) % 3, dark.max(), 150)[:, None, None]
    masked = scan.with_data(dark)
    assert with_missing_filled(masked) is masked
    assert with_missing_filled(scan) is scan


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 40, 1), (40, 3, 2), (5, 5, 300)])
def test_any_shape_and_flat_images(shape):
    for data in (np.zeros(shape, np.float32), np.random.default_rng(0).random(shape).astype(np.float32)):
        scan = Volume(data, np.eye(4))
        assert with_missing_filled(scan) is scan
