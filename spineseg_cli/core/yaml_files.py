"""Reading of YAML files of nested fields, and changes of fields on a command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from spineseg_cli.core.file_checks import check_present
from spineseg_cli.errors import InputError


def read_yaml(path: Path, where: str) -> dict[str, Any]:
    """Return the fields of a YAML file, which may have none.

    Raises InputError, which names the file as `where`, if it is missing, not YAML, or holds something else.
    """
    import yaml

    check_present(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{where} is not YAML: {' '.join(str(error).split())}") from error
    if content is not None and not isinstance(content, dict):
        raise InputError(f"expected fields in {where}; got {type(content).__name__}")
    return content or {}


def parse_changes(assignments: Iterable[str], example: str = "optimizer.epochs=5") -> dict[str, Any]:
    """Return the changes in texts like "optimizer.epochs=5", whose values are YAML. Raises InputError for any other text."""
    import yaml

    changes = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        try:
            changes[key.strip()] = _number(yaml.safe_load(value))
        except yaml.YAMLError:
            equals = ""
        if not equals or not key.strip():
            raise InputError(f"expected NAME=VALUE, such as {example}; got {text!r}")
    return changes


def _number(value: Any) -> Any:
    """Return texts like "1e-05", which YAML does not read as numbers, as numbers, and other values unchanged."""
    if isinstance(value, str) and "e" in value.lower():
        try:
            return float(value)
        except ValueError:
            pass
    return value


def nested(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by field, {"a.b": 1}, as nested mappings, {"a": {"b": 1}}. Later values replace earlier ones."""
    parts = []
    for key, value in changes.items():
        for name in reversed(key.split(".")):
            value = {name: value}
        parts.append(value)
    return reduce(merged, parts, {})


def merged(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested content with some values changed. A choice with another `name` replaces the old one and its options."""
    out = dict(content)
    for name, value in changes.items():
        before = out.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping) and value.get("name") in (None, before.get("name")):
            value = merged(before, value)
        out[name] = value
    return out
