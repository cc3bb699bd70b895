"""The correlation of adjacent slices."""

import numpy as np
import pytest

from spineseg_cli.core.confidence.correlation import neighbor_correlation
from spineseg_cli.core.confidence.features import mask_features

SPACING_MM = (0.5, 0.5, 4.0)


def test_it_is_a_correlation():
    image = np.random.default_rng(0).normal(size=(12, 9))
    found = neighbor_correlation([image] * 5, [[3 * image + 7], [-image, image], [np.ones_like(image)], [], [image, -image]])
    assert found == pytest.approx([1, 0, 0, 1, 0], abs=1e-12)


def test_a_slice_that_is_moved_is_less_like_its_neighbors():
    x, y = np.mgrid[:60, :60] - 29.5
    stack = np.repeat((np.hypot(x, y) < 9)[..., None], 7, axis=2)
    moved = stack.copy()
    moved[..., 3] = np.roll(stack[..., 3], 6, axis=0)  # 3 mm
    alike = mask_features(lambda k: (stack[..., k], stack[..., k], stack[..., k]), SPACING_MM, np.arange(7))["correlation"]
    found = mask_features(lambda k: (moved[..., k], moved[..., k], moved[..., k]), SPACING_MM, np.arange(7))["correlation"]
    np.testing.assert_allclose(alike, 1)
    assert found[3] < 0.6
    assert (found[[2, 4]] < 0.9).all()
    np.testing.assert_allclose(found[[0, 1, 5, 6]], 1)
