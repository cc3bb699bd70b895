"""The names of the studies, from file names alone, so that the help of a command need not read YAML."""

from __future__ import annotations

import re
from pathlib import Path

STUDIES = Path(__file__).parent


def study_names() -> list[str]:
    """Return the names of the studies of the package."""
    return sorted(path.stem for path in STUDIES.glob("*.yaml"))


def study_file(name_or_path: str) -> Path | None:
    """Return the file of a study of the package, or the path of a YAML file with variants or a sweep; None otherwise."""
    if name_or_path in study_names():
        return STUDIES / f"{name_or_path}.yaml"
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    return path if re.search(r"^(variants|sweep)\s*:", text, re.MULTILINE) else None
