"""Room for what a run writes."""

from __future__ import annotations

import shutil
from pathlib import Path

from spineseg_cli.errors import InputError


def check_space(folder: Path, needed: float) -> None:
    """Raise InputError if fewer than `needed` bytes are free where `folder` is, or will be."""
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise InputError(
            f"expected {needed / 1e6:.0f} MB of free space in {existing} for this run; there are {free / 1e6:.0f}: choose "
            "another output folder"
        )
