"""Which slices hold cord, from the evidence of each."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.localization.extent import CHANGE_PENALTIES, INDEPENDENT_MM, slices_of_cord


@given(st.lists(st.floats(-4, 4), min_size=1, max_size=9), st.floats(0.3, 20), st.tuples(st.floats(0, 6), st.floats(0, 6)))
def test_no_other_sequence_is_worth_more(evidence, spacing_mm, penalties):
    weight = min(1, spacing_mm / INDEPENDENT_MM)

    def worth(states):
        states = np.array(states)
        changes = np.diff(states.astype(int))
        return (states * evidence).sum() * weight - penalties[0] * (changes > 0).sum() - penalties[1] * (changes < 0).sum()

    best = max(worth(states) for states in itertools.product([False, True], repeat=len(evidence)))
    assert worth(slices_of_cord(np.array(evidence), spacing_mm, penalties)) == pytest.approx(best)


def evidence_of(text):
    """`#` is a slice that surely holds cord, `.` one that surely does not, `?` one that cannot be told."""
    return np.array([{"#": 10.0, ".": -10.0, "?": 0.0}[sign] for sign in text])


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        ("##...", "##..."),  # a short piece at the edge of the view
        ("..#..", "....."),  # as short a piece amid nothing
        ("..####...####..", "..####...####.."),  # a gap, whatever lies beyond it
        ("###.###", "#######"),  # a moment of doubt
        ("##????##", "########"),  # signal lost
        ("##??..", "##??..".replace("?", ".")),
        ("....", "...."),
        ("#", "#"),
    ],
)
def test_pieces_and_gaps(seen, found):
    np.testing.assert_array_equal(slices_of_cord(evidence_of(seen), 6.0), evidence_of(found) > 0)


def test_thin_slices_share_their_evidence():
    """Ten slices of 0.5 mm tell as much as one of 5 mm, not ten times as much."""
    evidence = np.array([-10.0] * 40 + [10.0] * 10 + [-10.0] * 40)
    assert not slices_of_cord(evidence, 0.5).any()
    assert slices_of_cord(evidence, 5.0).sum() == 10
    assert 2 * sum(CHANGE_PENALTIES) > 10.0
