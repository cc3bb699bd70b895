"""Tests for `core.image.sampled_slices`."""

from __future__ import annotations

import numpy as np
import pytest

from spineseg_cli.core.image.sampled_slices import with_every_nth_slice
from spineseg_cli.core.image.stored import StoredVoxels
from spineseg_cli.core.image.volume import Volume


@pytest.mark.parametrize("lazy", [False, True])
def test_every_third_slice_is_where_it_was(lazy):
    data = np.random.default_rng(0).random((4, 5, 11)).astype(np.float32)
    scan = Volume(StoredVoxels(data) if lazy else data, np.diag([-1.0, 1, 2, 1]))
    sampled = with_every_nth_slice(scan, 3)
    assert sampled.shape == (4, 5, 4)
    assert sampled.spacing_mm == (1, 1, 6)
    np.testing.assert_array_equal(sampled.affine @ [1, 2, 3, 1], scan.affine @ [1, 2, 9, 1])
    for key in (np.s_[:, :, :], np.s_[1:3, ::2, 1:], np.s_[:, 2, :], np.s_[:, :, 3:3], np.s_[:, :, -1], np.s_[0]):
        np.testing.assert_array_equal(sampled.data[key], data[:, :, ::3][key])
