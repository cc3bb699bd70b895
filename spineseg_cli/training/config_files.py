"""Reading, changing, checking and writing training configurations in YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

from spineseg_cli.core.files import write_text
from spineseg_cli.errors import InputError

CONFIGS = Path(__file__).parent / "configs"

# Fields of the flat configurations of version 0.9 and older, which are refused with advice.
FLAT_FIELDS = {"maps", "scans", "preprocessing", "batch", "steps", "epochs", "learning_rate", "crop_sizes", "scores"}


def config_names() -> list[str]:
    """Return the names of the configurations of the package."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def load_config(name_or_path: str, changes: Mapping[str, Any] | None = None):
    """Return a `TrainingConfig` after checking it.

    Raises InputError if there is no such configuration, it is not YAML, or a field is unknown, missing, of the wrong type, or in
    conflict with another.

    Parameters
    ----------
    name_or_path : str
        A configuration of the package, or a YAML file with the fields of one. A file with `base: NAME-or-FILE` changes another
        configuration; the path of a base is relative to the file that names it.
    changes : mapping of str to object, optional
        Values to change, by field: {"optimizer.epochs": 5, "network.filters": 24}.
    """
    path = _find(name_or_path, Path())
    content = {"name": path.stem} | _read_with_base(path, ())
    return checked(merged(content, nested(changes or {})), f"the configuration {path}")


def checked(content: Mapping[str, Any], where: str):
    """Return the `TrainingConfig` of nested content. Raises InputError for its first error; the message starts with `where`."""
    from pydantic import ValidationError

    from spineseg_cli.training.config import TrainingConfig

    if flat := sorted(FLAT_FIELDS & content.keys()):
        raise InputError(
            f"{where} has fields of version 0.9 or older ({', '.join(flat)}): write them in sections, such as optimizer.epochs; "
            "docs/how-to/new_recipe.md says which there are"
        )
    try:
        return TrainingConfig.model_validate(dict(content))
    except ValidationError as error:
        raise InputError(f"{where}: {in_one_sentence(error)}") from None


def in_one_sentence(error) -> str:
    """Return the first error of a pydantic `ValidationError`: the field, what was expected, and the value."""
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
    """Write a configuration to a YAML file that `load_config` can read."""
    write_text(path, yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))


def parse_changes(assignments: Iterable[str]) -> dict[str, Any]:
    """Return the changes in texts like "optimizer.epochs=5", whose values are YAML. Raises InputError for any other text."""
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


def read_yaml(path: Path, where: str) -> dict[str, Any]:
    """Return the fields of a YAML file.

    Raises InputError, which names the file as `where`, if it is not YAML or has no fields.
    """
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
    if base is None:
        return content
    if not isinstance(base, str):
        raise InputError(f"{where}: base must be the name or the file of another configuration; got {base!r}")
    inherited = _read_with_base(_find(base, path.parent), (*seen, path.resolve()))
    return merged({name: value for name, value in inherited.items() if name != "name"}, content)
