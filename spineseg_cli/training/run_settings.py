"""What a run was started with, and whether that is still what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What may change while a run goes on: more epochs may be asked for, and other machines may do them.
FREE = {"optimizer.epochs", "optimizer.gpus", "surgery.second_phase.epochs"}

# Fields that are shown as a whole where they have changed.
WHOLE = {"split", "masks", "network", "loss", "schedule", "contrasts"}


def changed_settings(recorded: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return the places of what differs between the settings of two runs, in order, but for what may: "optimizer.batch_size".

    Both are nested mappings, the configuration of the run under "config".
    """
    before, now = _flat(recorded), _flat(wanted)
    changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    return [name.removeprefix("config.") for name in changed if name.removeprefix("config.") not in FREE]


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested content by the places of its values."""
    flat = {}
    for name, value in content.items():
        if isinstance(value, Mapping) and name not in WHOLE:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
