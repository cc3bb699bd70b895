"""Recipes: everything that decides a training run, read from YAML and checked before anything slow starts."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from spineseg_cli.errors import InputError

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """A training run. Globs are relative to the data folder; crops are in samples of 0.25 mm."""

    name: str
    network: dict
    maps: list[dict]
    scans: list[dict] = field(default_factory=list)
    loss: dict = field(default_factory=lambda: {"name": "dice_cross_entropy"})
    real_share: float = 0.0
    batch: int = 16
    crop_sizes: list[int] = field(default_factory=lambda: [96, 112, 128])
    epochs: int = 10
    steps: int = 100
    learning_rate: float = 1e-3
    decay_power: float = 0.9
    precision: str = "float32"
    seed: int = 0


def load_recipe(name_or_path: str) -> Recipe:
    """Return the recipe called `name_or_path`: one that ships with the package, or a YAML file.

    Raises
    ------
    InputError
        If there is no such recipe, or a field is unknown, missing or of the wrong type.
    """
    import yaml

    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = RECIPES / f"{name_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.yaml")))
        raise InputError(f"no recipe {name_or_path!r}; expected a YAML file or one of: {known}")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise InputError(f"expected fields in the recipe {path}; got {type(content).__name__}")
    known = {f.name: f for f in fields(Recipe)}
    unknown = sorted(set(content) - set(known))
    if unknown:
        raise InputError(f"the recipe {path} has unknown fields {unknown}; expected some of {sorted(known)}")
    try:
        recipe = Recipe(**{"name": path.stem, **content})
    except TypeError as error:
        raise InputError(f"the recipe {path} is incomplete: {error}") from error
    _check(recipe, path)
    return recipe


def _check(recipe: Recipe, path: Path) -> None:
    for name in ("batch", "epochs", "steps"):
        value = getattr(recipe, name)
        if not isinstance(value, int) or value < 1:
            raise InputError(f"{name} in the recipe {path} must be a positive whole number; got {value!r}")
    for name in ("real_share", "learning_rate", "decay_power"):
        value = getattr(recipe, name)
        if not isinstance(value, (int, float)) or value < 0:
            raise InputError(f"{name} in the recipe {path} must be a number of 0 or more; got {value!r}")
    if recipe.real_share > 1:
        raise InputError(f"real_share in the recipe {path} is a share, at most 1; got {recipe.real_share}")
    if not recipe.maps:
        raise InputError(f"maps in the recipe {path} must name at least one source of labels")
