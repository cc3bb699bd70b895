"""Nerve roots around the conus."""

import numpy as np
from scipy import ndimage

from spineseg_cli.synthesis.roots import REACH_MM, STRAY_MM, roots_about

SPACING_MM = 0.5


def disc(radius_mm):
    x, y = (np.mgrid[:80, :80] - 40) * SPACING_MM
    return np.hypot(x, y) <= radius_mm


def test_they_lie_against_the_cord_on_both_sides_and_never_in_it():
    cord = disc(3.0)
    distance_mm = ndimage.distance_transform_edt(~cord) * SPACING_MM
    sides = []
    for seed in range(40):
        roots = roots_about(cord, SPACING_MM, np.random.default_rng(seed))
        assert not (roots & cord).any()
        reach_mm = distance_mm[roots]
        assert reach_mm.min() <= 1.5
        assert reach_mm.max() < REACH_MM[1] + 5 * STRAY_MM + 2
        sides.append([roots[:40].sum(), roots[41:].sum()])
    left, right = np.array(sides).T
    assert np.minimum(left, right).min() > 0
    assert 0.8 < left.sum() / right.sum() < 1.25


def test_they_come_from_the_seed_and_need_a_cord():
    cord = disc(2.0)
    twice = [roots_about(cord, SPACING_MM, np.random.default_rng(7)) for _ in range(2)]
    np.testing.assert_array_equal(*twice)
    assert not roots_about(disc(-1.0), SPACING_MM, np.random.default_rng(7)).any()
