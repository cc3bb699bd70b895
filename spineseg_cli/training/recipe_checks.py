"""What a recipe must hold for its run not to fail later."""

from __future__ import annotations

from collections.abc import Collection

from spineseg_cli.core.preprocessing import Preprocessing
from spineseg_cli.errors import InputError, WeightsError
from spineseg_cli.networks import NETWORKS
from spineseg_cli.training.augmentation import KEEP_SCALE, PROFILES
from spineseg_cli.training.choices import DECAYS, FROZEN, LOSSES, OUTPUTS, PRECISIONS, RATERS, SURGERIES
from spineseg_cli.training.recipe import Recipe
from spineseg_cli.training.slices import GENERATED_MAPS, GENERATED_STACKS

# Sources of labels that come from no file.
GENERATED = GENERATED_MAPS.keys() | GENERATED_STACKS.keys()

# Fields of a recipe that are shares of the crops.
SHARES = ("real_share", "wide_share", "narrow_share")


def check_recipe(recipe: Recipe, where: str) -> None:
    """Raise InputError, its message starting with `where`, if a field is wrong or at odds with another."""
    for name in ("batch", "epochs", "steps"):
        _expect(_is_count(getattr(recipe, name), 1), where, name, "a positive whole number", getattr(recipe, name))
    _expect(_is_count(recipe.seed, 0), where, "seed", "a whole number of 0 or more", recipe.seed)
    for name in (*SHARES, "learning_rate", "decay_power", "wide_shift_mm", "surroundings_mm", "level_jitter"):
        _expect(_is_number(getattr(recipe, name)), where, name, "a number of 0 or more", getattr(recipe, name))
    for name in SHARES:
        _expect(getattr(recipe, name) <= 1, where, name, "a share, at most 1", getattr(recipe, name))
    choices = {"augmentation": PROFILES, "raters": RATERS, "decay_by": DECAYS, "precision": PRECISIONS}
    for name, known in choices.items():
        _expect_one_of(getattr(recipe, name), known, where, name)
    for name, known in {"surgery": SURGERIES, "freeze": FROZEN}.items():
        if getattr(recipe, name) is not None:
            _expect_one_of(getattr(recipe, name), known, where, name)
    if recipe.freeze and recipe.surgery in (recipe.freeze, "both", "all"):
        raise InputError(f"{where}: surgery {recipe.surgery} and freeze {recipe.freeze} would leave layers untrained for ever")
    _check_named(recipe.network, NETWORKS, where, "network")
    _check_outputs(recipe, where)
    _check_loss(recipe, where)
    _check_sources(recipe, where)
    _check_crops(recipe, where)
    _check_validation(recipe, where)


def _check_outputs(recipe: Recipe, where: str) -> None:
    outputs = recipe.outputs
    _expect(isinstance(outputs, list) and outputs, where, "outputs", f"a list of {', '.join(OUTPUTS)}", outputs)
    for output in outputs:
        _expect_one_of(output, OUTPUTS, where, "outputs")
    _expect(len(set(outputs)) == len(outputs), where, "outputs", "each output once", outputs)
    classes = recipe.network.get("classes", 1)
    if classes != len(outputs):
        raise InputError(f"{where}: the network has {classes} classes, and there are {len(outputs)} outputs {outputs}")


def _check_loss(recipe: Recipe, where: str) -> None:
    _check_named(recipe.loss, LOSSES, where, "loss")
    known = LOSSES[recipe.loss["name"]][1]
    for option, value in recipe.loss.items():
        if option != "name":
            _expect_one_of(option, known, where, f"the loss {recipe.loss['name']}")
            _expect(_is_number(value), where, f"loss {option}", "a number of 0 or more", value)
    _expect(recipe.loss.get("gamma", 1) > 0, where, "loss gamma", "a number above 0", recipe.loss.get("gamma"))


def _check_sources(recipe: Recipe, where: str) -> None:
    for name, known in (
        ("maps", ("cord", "gray", "csf", "step", *GENERATED)),
        ("scans", ("image", "gray", "cord", "slices", "complete")),
    ):
        sources = getattr(recipe, name)
        _expect(isinstance(sources, list), where, name, "a list of sources", sources)
        for source in sources:
            _expect(isinstance(source, dict), where, name, f"sources with some of {', '.join(known)}", source)
            for part, value in source.items():
                _expect_one_of(part, known, where, name)
                if part == "complete":
                    _expect_one_of(value, ("above", "below", "both"), where, f"{part} in {name}")
                    continue
                whole = part in ("step", "slices", *GENERATED)
                fits = _is_count(value, 1) if whole else isinstance(value, str) or (name == "scans" and _is_texts(value))
                _expect(fits, where, f"{part} in {name}", "a positive whole number" if whole else "a glob", value)
                several = isinstance(value, list) and part != "gray"
                _expect(not several, where, f"{part} in {name}", "one glob (only gray may have several)", value)
    labels = {{"gray_matter": "gray"}.get(output, output) for output in recipe.outputs}
    for source in recipe.maps:
        complete = GENERATED & source.keys() or {"cord"} | labels <= source.keys()
        needed = " and ".join(sorted({"cord"} | labels))
        _expect(complete, where, "maps", f"{needed}, or any of {', '.join(sorted(GENERATED))}, in each source", source)
    needed = {"image"} | labels
    for source in recipe.scans:
        _expect(needed <= source.keys(), where, "scans", f"{', '.join(sorted(needed))} in each source", source)
    _expect(recipe.maps or recipe.real_share == 1, where, "maps", "a source of labels, or a real_share of 1", recipe.maps)
    _expect(recipe.scans or not recipe.real_share, where, "scans", "a source, since real_share is above 0", recipe.scans)


def _check_crops(recipe: Recipe, where: str) -> None:
    _expect(isinstance(recipe.preprocessing, dict), where, "preprocessing", "its fields", recipe.preprocessing)
    try:
        steps = Preprocessing.from_dict(recipe.preprocessing)
    except WeightsError:
        known = ", ".join(Preprocessing().to_dict())
        raise InputError(f"{where}: preprocessing must have some of {known}; got {recipe.preprocessing}") from None
    spacing = steps.spacing_mm
    _expect(_is_number(spacing) and spacing > 0, where, "preprocessing spacing_mm", "a number above 0", spacing)
    if not steps.per_slice and recipe.augmentation not in KEEP_SCALE:
        raise InputError(
            f"{where}: preprocessing with per_slice: false standardises whole scans, which the augmentation "
            f"{recipe.augmentation} undoes; expected one of {', '.join(KEEP_SCALE)}"
        )
    sizes, largest = recipe.crop_sizes, int(recipe.surroundings_mm / spacing)
    fits = isinstance(sizes, list) and sizes and all(_is_count(size, 8) and size <= largest for size in sizes)
    _expect(fits, where, "crop_sizes", f"a list of whole numbers from 8 to {largest}", sizes)
    depth = recipe.crop_depth
    _expect(_is_count(depth, 0), where, "crop_depth", "a whole number of 0 or more", depth)
    solid = recipe.network["name"] == "unet3d" and recipe.network.get("dimensions", 3) == 3
    _expect(bool(depth) == solid and depth % 2 == 0, where, "crop_depth", "even for a 3-D network, 0 for others", depth)
    _expect(not depth or recipe.real_share == 0, where, "real_share", "0 for a 3-D network", recipe.real_share)
    factor = 2 ** recipe.network.get("depth", 3) if "unet" in recipe.network["name"] else 1
    _expect(all(size % factor == 0 for size in sizes), where, "crop_sizes", f"multiples of {factor}", sizes)


def _check_validation(recipe: Recipe, where: str) -> None:
    names, stopping = recipe.validation, recipe.early_stopping
    _expect(_is_texts(names) or names == [], where, "validation", "a list of parts of paths", names)
    _expect(recipe.scans or not names, where, "validation", "none, since there are no scans", names)
    if stopping is None:
        return
    _expect(isinstance(stopping, dict), where, "early_stopping", "patience and min_delta", stopping)
    for part in stopping:
        _expect_one_of(part, ("patience", "min_delta"), where, "early_stopping")
    patience, min_delta = stopping.get("patience"), stopping.get("min_delta", 0.0)
    _expect(_is_count(patience, 1), where, "early_stopping patience", "a positive whole number", patience)
    _expect(_is_number(min_delta), where, "early_stopping min_delta", "a number of 0 or more", min_delta)
    _expect(names, where, "validation", "subjects, since there is early_stopping", names)


def _check_named(options: dict, known: Collection[str], where: str, what: str) -> None:
    _expect(isinstance(options, dict) and "name" in options, where, what, "a name and options", options)
    _expect_one_of(options["name"], known, where, f"{what} name")


def _expect_one_of(value, known: Collection[str], where: str, what: str) -> None:
    _expect(isinstance(value, str) and value in known, where, what, f"one of {', '.join(known)}", value)


def _expect(holds, where: str, what: str, expected: str, value) -> None:
    if not holds:
        raise InputError(f"{where}: {what} must be {expected}; got {value!r}")


def _is_count(value, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _is_texts(value) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)
