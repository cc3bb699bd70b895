"""Phrases for messages about slices that should be looked at."""

from __future__ import annotations

from collections.abc import Sequence


def listed_ranges(numbers: Sequence[int], most: int = 6) -> str:
    """Return increasing numbers as ranges, such as "3-7, 12, 20-22"; after `most` ranges, "..." follows."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
    return ", ".join(texts[:most] + ["..."] * (len(texts) > most))


def what_to_look_at(slices: Sequence[int], total: int, reason: str) -> str:
    """Return a sentence that lists the slices to look at, counted from below, of `total` with a mask, and the reason."""
    return f"look at {len(slices)} of {total} axial slices ({listed_ranges(slices)} from below): {reason}"
