"""Numbers of slices in messages, as ranges."""

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
