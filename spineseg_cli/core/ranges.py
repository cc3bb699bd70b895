"""Lists in messages: counts with their nouns, names, and slices as ranges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

# The largest number of ranges in a message.
MOST_RANGES = 6


def counted(count: int, noun: str) -> str:
    """Return a number with a noun: "1 row", "2 rows"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def listed_names(names: Sequence[str], most: int = 5) -> str:
    """Return names as a list, the first `most` of them: "a, b and 3 more"."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def listed_ranges(numbers: Sequence[int]) -> str:
    """Return increasing numbers as ranges, such as "3-7, 12, 20-22"; after `MOST_RANGES` of them, "..." follows."""
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in ranges_of(numbers)]
    if len(texts) > MOST_RANGES:
        texts[MOST_RANGES:] = ["..."]
    return ", ".join(texts)


def ranges_of(numbers: Iterable[int]) -> list[list[int]]:
    """Return the first and the last of each run of successive numbers; the numbers increase."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges
