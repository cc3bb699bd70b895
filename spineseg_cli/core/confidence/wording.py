"""How slices that should be looked at are named to a user."""

from __future__ import annotations

from collections.abc import Sequence


def listed_ranges(numbers: Sequence[int], most: int = 6) -> str:
    """Return "3-7, 12, 20-22" for rising numbers; of more than `most` ranges, the first ones and three dots."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
    return ", ".join(texts[:most] + ["..."] * (len(texts) > most))


def what_to_look_at(slices: Sequence[int], total: int, reason: str) -> str:
    """Return a sentence that names the slices, counted from below, of `total` with a mask, and what speaks against them."""
    return f"look at {len(slices)} of {total} axial slices ({listed_ranges(slices)} from below): {reason}"
