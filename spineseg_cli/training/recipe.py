"""Recipes: everything that decides a training run, read from YAML and checked before anything slow starts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path

from spineseg_cli.errors import InputError

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """A training run. Globs are relative to the data folder; crops are in samples of 0.25 mm.

    Parameters
    ----------
    name : str
    network : dict
        Name and options for `networks.build_network`.
    maps : list of dict
        Labels to synthesise from: {cord, gray, csf (optional), step (optional)} with a glob each,
        or any of {phantom: subjects, cauda_equina: subjects, brainstem: sections}: phantoms' cords, and what lies below and
        above a cord without being one. Sources are drawn evenly.
    scans : list of dict
        Labelled scans: {image, gray, cord} with a glob each; masks find their scan by name. Several raters' masks of a scan
        are one glob that matches them all, or a list of globs. An output's label may be left out if it is not asked for.
        With `slices`, a number, only so many slices of each scan are trained on.
    outputs : list of str
        What the network's channels are, of `choices.OUTPUTS`.
    loss : dict
        Name and options, of `choices.LOSSES`.
    preprocessing : dict
        Fields of `core.preprocessing.Preprocessing`, for the weights' card.
    real_share : float
        Share of crops that come from scans; 1 trains on scans alone.
    wide_share : float
        Share of the crops synthesised with surroundings that are shifted far: see `synthesis.generator.synthesise`.
    augmentation : str
        Of `augmentation.PROFILES`, for crops from scans.
    raters : str
        Of `choices.RATERS`.
    validation : list of str
        Whole subjects, by a part of their paths, that are not trained on; the loss on their scans picks the best epoch.
    early_stopping : dict or None
        {patience, min_delta}: stop after so many epochs whose validation loss is not lower by so much.
    batch, steps, epochs : int
        Crops a batch, batches an epoch, epochs.
    crop_sizes : list of int
        One is drawn for each batch.
    learning_rate, decay_power : float
        Of the poly schedule, ``learning_rate (1 - n / N)^decay_power``.
    decay_by : str
        What n counts, of `choices.DECAYS`.
    precision : str
        Of `choices.PRECISIONS`.
    seed : int
    """

    name: str
    network: dict
    maps: list[dict] = field(default_factory=list)
    scans: list[dict] = field(default_factory=list)
    outputs: list[str] = field(default_factory=lambda: ["gray_matter", "cord"])
    loss: dict = field(default_factory=lambda: {"name": "dice_cross_entropy"})
    preprocessing: dict = field(default_factory=dict)
    real_share: float = 0.0
    wide_share: float = 0.0
    augmentation: str = "default"
    raters: str = "each"
    validation: list[str] = field(default_factory=list)
    early_stopping: dict | None = None
    batch: int = 16
    crop_sizes: list[int] = field(default_factory=lambda: [96, 112, 128])
    epochs: int = 10
    steps: int = 100
    learning_rate: float = 1e-3
    decay_power: float = 0.9
    decay_by: str = "step"
    precision: str = "float32"
    seed: int = 0


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
    import yaml

    from spineseg_cli.training.recipe_checks import check_recipe

    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = RECIPES / f"{name_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.yaml")))
        raise InputError(f"no recipe {name_or_path!r}; expected a YAML file or one of: {known}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"the recipe {path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise InputError(f"expected fields in the recipe {path}; got {type(content).__name__}")
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
    import yaml

    key, equals, value = change.partition("=")
    name, _, part = key.strip().partition(".")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        equals = ""
    if not equals or (part and not isinstance(content.get(name, {}), dict)):
        raise InputError(f"expected a change like epochs=5 or network.filters=24; got {change!r}")
    content[name] = {**content.get(name, {}), part: parsed} if part else parsed
