"""Dorsal horns that are extended to the surface of the cord."""

import numpy as np

from spineseg_cli.synthesis.dorsal_horns import extended_horns

SPACING_MM = 0.25


def section():
    """Return gray matter whose dorsal horns end 1.5 mm before the surface of a round cord, and that cord."""
    x, y = np.meshgrid(*[np.arange(80) - 39.5] * 2, indexing="ij")
    cord = np.hypot(x, y) < 24
    gray = (np.abs(np.abs(x) - 8) < 2) & (y > -16.5) & (y < 8) | (np.abs(x) < 8) & (np.abs(y) < 2)
    return gray.astype(np.float32), cord.astype(np.float32)


def test_horns_reach_the_surface_behind_and_nothing_else_changes():
    gray, cord = section()
    reached, samples = [], []
    for seed in range(20):
        added = extended_horns(gray, cord, SPACING_MM, np.random.default_rng(seed))
        assert added.shape == gray.shape
        assert 0 <= added.min() <= added.max() <= 1
        assert not added[cord == 0].any()
        new = (added > 0.5) & (gray < 0.5)
        samples.append(new.sum())
        assert not new[:, 30:].any(), "in front of the horns"
        for side in (slice(0, 40), slice(40, 80)):
            x, y = np.nonzero(new[side])
            surface = -np.sqrt(24**2 - (x + side.start - 39.5) ** 2)
            reached.append((y - 39.5 - surface).min() * SPACING_MM)  # mm that are left
    assert np.median(reached) < 0.5
    assert 0 < min(samples) < max(samples) / 2, "wide and narrow ones, long and short ones"


def test_the_same_generator_draws_the_same_horns_and_no_gray_matter_has_none():
    gray, cord = section()
    first, second = (extended_horns(gray, cord, SPACING_MM, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not extended_horns(np.zeros_like(gray), cord, SPACING_MM, np.random.default_rng(0)).any()
    assert not extended_horns(gray, np.zeros_like(cord), SPACING_MM, np.random.default_rng(0)).any()
