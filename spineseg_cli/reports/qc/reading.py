"""Reading and checking the entries of a report of `-qc`."""

from __future__ import annotations

import json
from pathlib import Path

# The version of the format; entries of other versions are refused.
FORM = 2

TEXTS = ("name", "title", "command", "version", "date", "digest", "subject", "session", "contrast", "step", "state")
NUMBERS = ("area_mm2", "doubt")


def read_entry(path: Path) -> dict:
    """Return the entry in a file, which may come from any version or be something else.

    Raises ValueError if the file holds no entry that the page can show, and OSError if the file cannot be read.
    """
    try:
        # NaN and Infinity, which Python accepts but browsers do not, become None.
        entry = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=lambda _: None)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(entry, dict):
        raise ValueError("it is no JSON object")
    if entry.get("form") != FORM and isinstance(entry.get("command"), str):
        raise ValueError(f"it is of spineseg {entry.get('version')}, whose entries had another form")
    wrong = [name for name in TEXTS if not isinstance(entry.get(name), str)]
    wrong += [name for name in NUMBERS if entry.get(name) is not None and not _is_number(entry[name])]
    checks = {"views": _is_text, "masks": _is_mask, "reasons": _is_text, "profile": _is_point}
    wrong += [name for name, fits in checks.items() if not _is_list(entry.get(name), fits)]
    if wrong:
        raise ValueError(f"its {', '.join(wrong)} are missing, or of another kind")
    return entry


def _is_list(value, fits) -> bool:
    return isinstance(value, list) and all(fits(item) for item in value)


def _is_text(value) -> bool:
    return isinstance(value, str)


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_point(value) -> bool:
    return isinstance(value, list) and len(value) >= 2 and all(_is_number(part) for part in value[:2])


def _is_mask(value) -> bool:
    """Whether a value has everything that the page shows about a mask."""
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(name), str) for name in ("name", "color"))
        and _is_number(value.get("volume_mm3"))
    )
