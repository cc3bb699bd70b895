"""Where in long voxels the filled part lies."""

import numpy as np
import pytest

from spineseg_cli.morphometry.sections.coarse_voxels import place_parts
from testing.morphometry.shapes import Tube, draw

LONG_VX = 40


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("tube", [Tube(roll_deg=10), Tube(bean_mm=3.0)])
def test_parts_lie_where_the_cord_is(tube, axis):
    """In voxels of 4 mm to 0.04 mm, as counted at 0.1 mm; next to the fuller neighbor, they would be up to 0.8 mm off."""
    data = draw(tube, (0.1, 0.1, 1.0), length_mm=1, shift_mm=(0.7, 0.4, 0)).data
    shape = [size // LONG_VX * LONG_VX if i == axis else size // 8 * 8 for i, size in enumerate(data.shape)]
    sides = [LONG_VX if i == axis else 8 for i in (0, 1)]
    cells = data[: shape[0], : shape[1]].reshape(shape[0] // sides[0], sides[0], shape[1] // sides[1], sides[1], 1)
    fractions = cells.mean(axis=(1, 3))
    place = ((np.arange(LONG_VX) + 0.5) / LONG_VX - 0.5).reshape((1, -1, 1, 1, 1) if axis == 0 else (1, 1, 1, -1, 1))
    lean, variance = place_parts(fractions, axis)
    partly = (fractions > 0.02) & (fractions < 0.98)
    true = (cells * place).mean(axis=(1, 3))[partly] / fractions[partly]
    true_variance = (cells * place**2).mean(axis=(1, 3))[partly] / fractions[partly] - true**2
    np.testing.assert_allclose(lean[partly], true, atol=0.01)
    np.testing.assert_allclose(variance[partly], true_variance, atol=0.005)


def test_parts_of_any_fractions_lie_in_their_voxels():
    rng = np.random.default_rng(0)
    fractions = rng.random((5, 12, 7)) ** 3
    fractions[..., 2] = 0
    for axis in (0, 1):
        lean, variance = place_parts(fractions, axis)
        assert np.abs(lean).max() <= 0.5
        assert variance.min() >= 0
        assert variance.max() <= 0.25
