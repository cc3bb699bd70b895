"""Voxels that are thick from side to side, split into parts and put together again."""

import numpy as np
import pytest

from spineseg_cli.core.image.slice_windows import windows_around
from spineseg_cli.core.image.split_voxels import SplitVoxels
from spineseg_cli.core.image.volume import Volume

THICK_MM = (4.0, 0.8, 0.8)


@pytest.mark.parametrize(
    ("spacing_mm", "counts"),
    [((0.5, 0.5, 5.0), (1, 1)), ((1.25, 1.0, 1.0), (1, 1)), (THICK_MM, (4, 1)), ((3.0, 2.0, 1.0), (3, 2))],
)
def test_parts_are_at_most_a_millimeter_and_a_quarter(spacing_mm, counts):
    parts = SplitVoxels.of(spacing_mm)
    assert parts.counts == counts
    assert max(parts.spacing_mm(spacing_mm)[:2]) <= 1.25


def test_what_is_brought_back_to_parts_has_the_mean_that_is_brought_back_to_voxels():
    scan = Volume(np.zeros((12, 40, 3), np.float32), np.diag([-4.0, 0.8, 0.8, 1.0]))
    windows = windows_around(scan, np.tile((5.5, 19.5), (3, 1)), 0.5, 64)
    inside = np.random.default_rng(0).random((3, 64, 64)).astype(np.float32)
    parts = SplitVoxels.of(THICK_MM)
    fine = parts.windows(windows, THICK_MM, 0.5).restore(inside, range(3), parts.box((slice(0, 12), slice(0, 40))))
    assert fine.shape == (48, 40, 3)
    np.testing.assert_allclose(parts.mean(fine), windows.restore(inside, range(3)), atol=1e-6)


def test_intensities_and_points_of_parts_lie_where_the_voxels_do():
    parts = SplitVoxels((4, 1))
    ramp = np.arange(10.0)[:, None, None] * np.ones((1, 3, 2))
    fine = parts.image(ramp)
    k = np.arange(2, 38)
    np.testing.assert_allclose(parts.points(np.stack([fine[k, 0, 0], 0 * k], axis=1))[:, 0], k, atol=1e-5)
