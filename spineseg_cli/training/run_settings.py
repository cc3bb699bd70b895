"""Comparison of the settings that a run was started with and those that it is resumed with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Settings that may change when a run is resumed: the number of epochs, and the machine.
CHANGEABLE = {"optimizer.epochs", "optimizer.gpus", "surgery.second_phase.epochs"}

# Mappings that are reported as a whole if any of their values has changed.
WHOLE = {"split", "masks", "network", "loss", "schedule", "contrasts"}


def changed_settings(recorded: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return the names of the settings that differ between two runs and must not, sorted, such as "optimizer.batch_size".

    Both arguments are nested mappings, with the configuration of the run under "config".
    """
    before, now = _flat(recorded), _flat(wanted)
    changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    return [name.removeprefix("config.") for name in changed if name.removeprefix("config.") not in CHANGEABLE]


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested content as one mapping, with the names of nested values joined by dots."""
    flat: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, Mapping) and name not in WHOLE:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
