"""Training configurations in YAML: those of the package, files that change others, and their validation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spineseg_cli.core.files import write_text
from spineseg_cli.core.yaml_files import merged, nested, read_yaml
from spineseg_cli.errors import InputError

CONFIGS = Path(__file__).parent / "configs"

# Fields of the flat configurations of version 0.9 and older, which are refused with advice.
FLAT_FIELDS = {"maps", "scans", "preprocessing", "batch", "steps", "epochs", "learning_rate", "crop_sizes", "scores"}


def config_names() -> list[str]:
    """Return the names of the configurations of the package."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def load_config(name_or_path: str, changes: Mapping[str, Any] | None = None):
    """Return a `TrainingConfig` after checking it.

    It is one of the package, or a YAML file with the fields of one. A file with `base: NAME-or-FILE` changes another
    configuration; the path of a base is relative to the file that names it. `changes` are values by field, such as
    {"optimizer.epochs": 5}.

    Raises InputError if there is no such configuration, it is not YAML, or a field is unknown, missing, of the wrong type, or in
    conflict with another.
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
    import yaml

    write_text(path, yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))


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
