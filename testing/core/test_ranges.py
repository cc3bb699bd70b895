"""Counts and slices in messages."""

import pytest

from spineseg_cli.core.ranges import counted, listed_ranges


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([4], "4"), ([3, 4, 5, 7, 20, 21], "3-5, 7, 20-21"), (range(0, 20, 2), "0, 2, 4, 6, 8, 10, ...")],
)
def test_ranges(numbers, text):
    assert listed_ranges(numbers) == text


def test_counts():
    assert [counted(count, "row") for count in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]
