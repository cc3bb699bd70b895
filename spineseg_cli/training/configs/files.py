"""Recipes are read from YAML, and checked before anything slow starts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import yaml

from spineseg_cli.errors import InputError
from spineseg_cli.training.configs.checks import check_recipe
from spineseg_cli.training.configs.recipe import Recipe

RECIPES = Path(__file__).parent


def load_recipe(name_or_path: str, changes: Iterable[str] = ()) -> Recipe:
    """Return a recipe, checked.

    Parameters
    ----------
    name_or_path : str
        A recipe that ships with the package, or a YAML file.
    changes : iterable of str
        Fields to change, each "FIELD=VALUE" or "FIELD.PART=VALUE", the value in YAML: "epochs=5", "network.filters=24".

    Raises
    ------
    InputError
        If there is no such recipe, it is no YAML, or a field is unknown, missing, of the wrong type or at odds with another.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = RECIPES / f"{name_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.yaml")))
        raise InputError(f"no recipe {name_or_path!r}; expected a YAML file or one of: {known}")
    content = read_fields(path, f"the recipe {path}")
    for change in changes:
        _apply(change, content)
    known = {f.name: f for f in fields(Recipe)}
    unknown = sorted(str(name) for name in set(content) - set(known))
    if unknown:
        raise InputError(f"the recipe {path} has unknown fields {unknown}; expected some of {sorted(known)}")
    try:
        recipe = Recipe(**{"name": path.stem, **content})
    except TypeError as error:
        raise InputError(f"the recipe {path} is incomplete: {error}") from error
    check_recipe(recipe, f"the recipe {path}")
    return recipe


def _apply(change: str, content: dict) -> None:
    key, equals, value = change.partition("=")
    name, _, part = key.strip().partition(".")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        equals = ""
    parts = content.get(name) or {}
    if not equals or (part and not isinstance(parts, dict)):
        raise InputError(f"expected a change like epochs=5 or network.filters=24; got {change!r}")
    content[name] = {**parts, part: parsed} if part else parsed


def read_fields(path: Path, where: str) -> dict:
    """Return the fields of a YAML file. Raises InputError, which names the file as `where`, if it is no YAML or has no fields."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{where} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise InputError(f"expected fields in {where}; got {type(content).__name__}")
    return content
