"""The registry of shipped models, which help texts can list without slow imports."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any


def models_folder() -> Path:
    """Return the folder of the shipped models, in the installed package or in the source tree."""
    package = Path(__file__).resolve().parents[1]
    return package / "models" if (package / "models").is_dir() else package.parent / "models"


@cache
def registry() -> dict[str, dict[str, Any]]:
    """Return the task, files, checksums, description and metadata of each shipped model, by name."""
    return json.loads((models_folder() / "registry.json").read_text(encoding="utf-8"))


def model_names(task: str) -> list[str]:
    """Return the names of the shipped models for `task`, the default first."""
    return [name for name, entry in registry().items() if entry["task"] == task]
