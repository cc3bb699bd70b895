"""Spinal segments from the cord alone: on simulated subjects, whole and in part."""

import numpy as np
import pytest

from spineseg_cli.morphometry.levels.segments import WIDEST_MM, locate_segments
from testing.morphometry.subjects import simulate_subject


def locate(subject, first, last):
    """The estimate from a part of the cord, and the true boundaries, both from the top of that part."""
    view = subject.in_view(first, last)
    return locate_segments(*view.profile), view.boundaries_mm, view.inside


@pytest.mark.parametrize(("first", "last", "most_mm"), [(0.0, 1.0, 5.0), (0.0, 0.3, 6.0), (0.55, 1.0, 5.0)])
def test_boundaries_are_found_and_their_intervals_hold(first, last, most_mm):
    rng = np.random.default_rng(0)
    errors, held = [], []
    for _ in range(15):
        found, truth, inside = locate(simulate_subject(rng), first, last)
        errors.append(np.abs(found.position_mm - truth)[inside])
        held.append(((truth >= found.low_mm) & (truth <= found.high_mm))[inside])
    assert np.median(np.concatenate(errors)) < most_mm
    assert 0.8 < np.concatenate(held).mean() <= 1


def test_a_piece_of_the_middle_is_not_enough_to_tell():
    rng = np.random.default_rng(0)
    for _ in range(5):
        found, _, inside = locate(simulate_subject(rng), 0.4, 0.6)
        assert (found.high_mm - found.low_mm)[inside].min() > WIDEST_MM
