"""An entry of the report that `-qc` writes, read again: only what the page can show comes through."""

from __future__ import annotations

import json
from pathlib import Path

TEXTS = ("name", "title", "command", "version", "date", "digest")


def read_entry(path: Path) -> dict:
    """Return the entry in a file that any run may have written, or anybody may have put there.

    Raises
    ------
    ValueError
        If it holds something else, or nothing.
    OSError
        If it cannot be read.
    """
    try:
        # Python reads NaN and Infinity, no browser does.
        entry = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=lambda _: None)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(entry, dict):
        raise ValueError("it is no JSON object")
    wrong = [name for name in TEXTS if not isinstance(entry.get(name), str)]
    if not isinstance(entry.get("details"), dict):
        wrong.append("details")
    if not _is_list(entry.get("views"), lambda view: isinstance(view, str)):
        wrong.append("views")
    if not _is_list(entry.get("masks"), _is_mask):
        wrong.append("masks")
    if wrong:
        raise ValueError(f"its {', '.join(wrong)} are missing, or of another kind")
    return entry


def _is_list(value, fits) -> bool:
    return isinstance(value, list) and all(fits(item) for item in value)


def _is_mask(value) -> bool:
    """Whether a value says of a mask what the page shows of it."""
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(name), str) for name in ("name", "colour"))
        and isinstance(value.get("volume_mm3"), (int, float))
    )
