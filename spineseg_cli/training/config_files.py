"""Training configurations are read from YAML, changed by data, and checked before anything slow starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

from spineseg_cli.core.files import write_text
from spineseg_cli.errors import InputError
from spineseg_cli.training.migration import migrate_config

CONFIGS = Path(__file__).parent / "configs"


def config_names() -> list[str]:
    """Return the names of the configurations of the package."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def load_config(name_or_path: str, changes: Mapping[str, Any] | None = None):
    """Return a `TrainingConfig`, checked.

    Parameters
    ----------
    name_or_path : str
        A configuration of the package, or a YAML file with its fields. A file with `base: NAME-or-FILE` changes another one;
        a file is searched for from the folder of the one that names it.
    changes : mapping of str to object, optional
        Values to change, by the places of their fields: {"optimizer.epochs": 5, "network.filters": 24}.

    Raises
    ------
    InputError
        If there is no such configuration, it is not YAML, or a field is unknown, missing, of the wrong type or at odds with
        another.
    """
    path = _find(name_or_path, Path())
    where = f"the configuration {path}"
    content = {"name": path.stem} | _read_with_base(path, ())
    return checked(merged(content, migrate_config(nested(changes or {}), where)), where)


def checked(content: Mapping[str, Any], where: str):
    """Return the `TrainingConfig` of nested content; raise InputError, its message starting with `where`, for its first fault."""
    from pydantic import ValidationError

    from spineseg_cli.training.config import TrainingConfig

    try:
        return TrainingConfig.model_validate(dict(content))
    except ValidationError as error:
        raise InputError(f"{where}: {in_one_sentence(error)}") from None


def in_one_sentence(error) -> str:
    """Return the first fault of a pydantic `ValidationError`: its place, what was expected, and what there is."""
    fault = error.errors()[0]
    field = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    got = "" if fault["type"] in ("value_error", "missing") and not field else f"; got {_short(fault['input'])}"
    if fault["type"] == "extra_forbidden":
        message, got = "is not a field of a configuration", ""
    if fault["type"] == "missing":
        message, got = "is missing", ""
    return f"{field + ' ' if message.startswith('is ') else field + ': ' if field else ''}{message}{got}"


def _short(value) -> str:
    text = repr(value.as_dict if hasattr(value, "as_dict") else value)
    return text if len(text) < 80 else f"{text[:77]}..."


def write_config(path: Path, config) -> None:
    """Write a configuration as `load_config` reads it."""
    write_text(path, yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))


def parse_changes(assignments: Iterable[str]) -> dict[str, Any]:
    """Return the changes in texts like "optimizer.epochs=5", their values in YAML. Raises InputError if one is not like that."""
    changes = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        try:
            changes[key.strip()] = _number(yaml.safe_load(value))
        except yaml.YAMLError:
            equals = ""
        if not equals or not key.strip():
            raise InputError(f"expected a change like optimizer.epochs=5 or network.filters=24; got {text!r}")
    return changes


def _number(value):
    """Return a number like 1e-05, which YAML takes for text, as one."""
    if isinstance(value, str) and "e" in value.lower():
        try:
            return float(value)
        except ValueError:
            pass
    return value


def nested(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by the places of their fields, {"a.b": 1}, as nested mappings, {"a": {"b": 1}}; later ones win."""
    parts = []
    for key, value in changes.items():
        for name in reversed(key.split(".")):
            value = {name: value}
        parts.append(value)
    return reduce(merged, parts, {})


def merged(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested content with some values changed; a named choice of another name brings its own options."""
    out = dict(content)
    for name, value in changes.items():
        before = out.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping) and value.get("name") in (None, before.get("name")):
            value = merged(before, value)
        out[name] = value
    return out


def read_yaml(path: Path, where: str) -> dict[str, Any]:
    """Return the fields of a YAML file. Raises InputError, which calls it `where`, if it is not YAML or has no fields."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{where} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise InputError(f"expected fields in {where}; got {type(content).__name__}")
    return content


def _find(name_or_path: str, folder: Path) -> Path:
    path = Path(name_or_path)
    path = folder / path if path.suffix in (".yaml", ".yml") else CONFIGS / f"{name_or_path}.yaml"
    if not path.is_file():
        raise InputError(f"no configuration {name_or_path!r}; expected a YAML file or one of: {', '.join(config_names())}")
    return path


def _read_with_base(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    where = f"the configuration {path}"
    if path.resolve() in seen:
        raise InputError(f"{where} is its own base")
    content = read_yaml(path, where)
    base = content.pop("base", None)
    content = migrate_config(content, where)
    if base is None:
        return content
    if not isinstance(base, str):
        raise InputError(f"{where}: base must be the name or the file of another configuration; got {base!r}")
    below = _read_with_base(_find(base, path.parent), (*seen, path.resolve()))
    return merged({name: value for name, value in below.items() if name != "name"}, content)
