"""Phrases for messages about slices that should be looked at."""

from __future__ import annotations

from collections.abc import Sequence

from spineseg_cli.core.ranges import listed_ranges

# The columns of the table of confidence.
COLUMNS = ("slice", "area_mm2", "confidence", "verdict", "doubt")


def what_to_look_at(slices: Sequence[int], total: int, reason: str) -> str:
    """Return a sentence that lists the slices to look at, counted from below, of `total` with a mask, and the reason."""
    return f"look at {len(slices)} of {total} axial slices ({listed_ranges(slices)} from below): {reason}"
