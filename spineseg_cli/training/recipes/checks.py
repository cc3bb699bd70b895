"""What a recipe must hold for its run not to fail later."""

from __future__ import annotations

from collections.abc import Collection

from spineseg_cli.core.intensity import SCALES
from spineseg_cli.core.preprocessing import Preprocessing
from spineseg_cli.errors import InputError, WeightsError
from spineseg_cli.networks import NETWORKS
from spineseg_cli.synthesis.painting import CONTRAST_SHARES
from spineseg_cli.training.recipes.choices import (
    AUGMENTATIONS,
    CENTERLINES,
    COMPLETE,
    DECAYS,
    FROZEN,
    GENERATED_MAPS,
    GENERATED_STACKS,
    KEEP_SCALE,
    KEPT,
    LOSSES,
    OUTPUTS,
    PRECISIONS,
    RATERS,
    SCHEDULES,
    SCORES,
    SURGERIES,
    UNFREEZING,
)
from spineseg_cli.training.recipes.recipe import Recipe

# Sources of labels that come from no file.
GENERATED = GENERATED_MAPS + GENERATED_STACKS

# Fields of a recipe that are shares of the crops.
SHARES = ("real_share", "wide_share", "narrow_share", "sagittal_share", "overlap")


def check_recipe(recipe: Recipe, where: str) -> None:
    """Raise InputError, its message starting with `where`, if a field is wrong or at odds with another."""
    for name in ("batch", "epochs", "steps"):
        _expect(_is_count(getattr(recipe, name), 1), where, name, "a positive whole number", getattr(recipe, name))
    _expect(_is_count(recipe.seed, 0), where, "seed", "a whole number of 0 or more", recipe.seed)
    for name in (*SHARES, "learning_rate", "decay_power", "wide_shift_mm", "surroundings_mm", "level_jitter", "jitter_mm"):
        _expect(_is_number(getattr(recipe, name)), where, name, "a number of 0 or more", getattr(recipe, name))
    for name in SHARES:
        _expect(getattr(recipe, name) <= 1, where, name, "a share, at most 1", getattr(recipe, name))
    _expect(recipe.overlap < 1, where, "overlap", "below 1", recipe.overlap)
    _expect(recipe.flips in (None, True, False), where, "flips", "true, false or null", recipe.flips)
    for name in ("nyul", "keep_start"):
        _expect(getattr(recipe, name) in (True, False), where, name, "true or false", getattr(recipe, name))
    choices = {
        "augmentation": AUGMENTATIONS,
        "centerline": CENTERLINES,
        "raters": RATERS,
        "decay_by": DECAYS,
        "precision": PRECISIONS,
    }
    for name, known in choices.items():
        _expect_one_of(getattr(recipe, name), known, where, name)
    for name, known in {"surgery": SURGERIES, "freeze": FROZEN}.items():
        if getattr(recipe, name) is not None:
            _expect_one_of(getattr(recipe, name), known, where, name)
    if recipe.freeze and recipe.freeze in SURGERIES.get(recipe.surgery, ()):
        raise InputError(f"{where}: surgery {recipe.surgery} and freeze {recipe.freeze} would leave layers untrained for ever")
    whole = _is_count(recipe.gpus, 1) or recipe.gpus == "all"
    _expect(whole, where, "gpus", "a positive whole number, or all", recipe.gpus)
    _check_named(recipe.network, NETWORKS, where, "network")
    _check_outputs(recipe, where)
    _check_schedule(recipe, where)
    _check_unfreezing(recipe, where)
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
    scores = recipe.scores
    fits = isinstance(scores, list) and set(scores) <= set(SCORES) and len(set(scores)) == len(scores)
    _expect(fits, where, "scores", f"a list of {', '.join(SCORES)}, each once", scores)
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


def _check_schedule(recipe: Recipe, where: str) -> None:
    given = {"name": recipe.schedule} if isinstance(recipe.schedule, str) else recipe.schedule
    _check_named(given, SCHEDULES, where, "schedule")
    name = given["name"]
    for option in given.keys() - {"name"}:
        _expect_one_of(option, SCHEDULES[name], where, f"the schedule {name}")
    options = SCHEDULES[name] | given
    for option, value in options.items():
        if option in ("half_cycle", "patience"):
            _expect(_is_count(value, 1), where, f"schedule {option}", "a positive whole number", value)
        elif option in ("lowest", "factor"):
            _expect(_is_number(value), where, f"schedule {option}", "a number of 0 or more", value)
    if name == "triangular":
        _expect_one_of(options["by"], DECAYS, where, "schedule by")
        highest = recipe.learning_rate
        _expect(options["lowest"] <= highest, where, "schedule lowest", f"at most learning_rate, {highest:g}", options["lowest"])
    if name == "halve":
        _expect(options["factor"] < 1, where, "schedule factor", "below 1", options["factor"])
        _expect(recipe.validation, where, "validation", "subjects, since the schedule is halve", recipe.validation)


def _check_unfreezing(recipe: Recipe, where: str) -> None:
    given = recipe.unfreeze
    if given is None:
        return
    _expect(isinstance(given, dict), where, "unfreeze", f"some of {', '.join(UNFREEZING)}", given)
    for option in given:
        _expect_one_of(option, UNFREEZING, where, "unfreeze")
    _expect_one_of(given.get("keep") or "none", KEPT, where, "unfreeze keep")
    rate, epochs = given.get("learning_rate", 0), given.get("epochs")
    _expect(_is_number(rate), where, "unfreeze learning_rate", "a number of 0 or more", rate)
    _expect(epochs is None or _is_count(epochs, 1), where, "unfreeze epochs", "a positive whole number", epochs)
    _expect(recipe.surgery, where, "surgery", "a part of the network, since there is unfreeze", recipe.surgery)
    _expect(recipe.freeze is None, where, "freeze", "left out, since unfreeze says what is kept", recipe.freeze)


def _check_sources(recipe: Recipe, where: str) -> None:
    for name, known in (
        ("maps", ("cord", "gray", "csf", "step", "weight", *GENERATED)),
        ("scans", ("image", "gray", "cord", "slices", "complete")),
    ):
        sources = getattr(recipe, name)
        _expect(isinstance(sources, list), where, name, "a list of sources", sources)
        for source in sources:
            _expect(isinstance(source, dict), where, name, f"sources with some of {', '.join(known)}", source)
            for part, value in source.items():
                _expect_one_of(part, known, where, name)
                if part == "complete":
                    _expect_one_of(value, COMPLETE, where, f"{part} in {name}")
                    continue
                whole = part in ("step", "slices", "weight", *GENERATED)
                fits = _is_count(value, 1) if whole else isinstance(value, str) or (name == "scans" and _is_texts(value))
                _expect(fits, where, f"{part} in {name}", "a positive whole number" if whole else "a glob", value)
                several = isinstance(value, list) and part != "gray"
                _expect(not several, where, f"{part} in {name}", "one glob (only gray may have several)", value)
    labels = {{"gray_matter": "gray"}.get(output, output) for output in recipe.outputs}
    for source in recipe.maps:
        complete = source.keys() & GENERATED or {"cord"} | labels <= source.keys()
        needed = " and ".join(sorted({"cord"} | labels))
        _expect(complete, where, "maps", f"{needed}, or any of {', '.join(sorted(GENERATED))}, in each source", source)
    needed = {"image"} | labels
    for source in recipe.scans:
        _expect(needed <= source.keys(), where, "scans", f"{', '.join(sorted(needed))} in each source", source)
    _expect(recipe.maps or recipe.real_share == 1, where, "maps", "a source of labels, or a real_share of 1", recipe.maps)
    _expect(recipe.scans or not recipe.real_share, where, "scans", "a source, since real_share is above 0", recipe.scans)
    shares, known = recipe.contrasts, ", ".join(CONTRAST_SHARES)
    fits = isinstance(shares, dict) and shares.keys() <= CONTRAST_SHARES.keys() and all(map(_is_number, shares.values()))
    _expect(fits and (not shares or sum(shares.values()) > 0), where, "contrasts", f"shares of {known}", shares)


def _check_crops(recipe: Recipe, where: str) -> None:
    _expect(isinstance(recipe.preprocessing, dict), where, "preprocessing", "its fields", recipe.preprocessing)
    _expect_one_of(recipe.preprocessing.get("scale", "standard"), SCALES, where, "preprocessing scale")
    try:
        steps = Preprocessing.from_dict(recipe.preprocessing)
    except WeightsError:
        known = ", ".join(Preprocessing().to_dict())
        raise InputError(f"{where}: preprocessing must have some of {known}; got {recipe.preprocessing}") from None
    if steps.scale == "minmax" and not steps.per_slice:
        raise InputError(f"{where}: preprocessing with scale: minmax scales each slice; expected per_slice: true with it")
    spacing = steps.spacing_mm
    _expect(_is_number(spacing) and spacing > 0, where, "preprocessing spacing_mm", "a number above 0", spacing)
    fits = _is_number(steps.half) and 0 < steps.half < 1
    _expect(fits, where, "preprocessing half", "a number between 0 and 1, without these", steps.half)
    fits = _is_number(steps.sharpness) and steps.sharpness > 0
    _expect(fits, where, "preprocessing sharpness", "a number above 0", steps.sharpness)
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
    for name in ("narrow_share", "level_jitter", "sagittal_share") if depth else ():
        _expect(not getattr(recipe, name), where, name, "0 for a 3-D network", getattr(recipe, name))
    thinned = depth and any("slices" in source for source in recipe.scans)
    _expect(not thinned, where, "slices in scans", "left out for a 3-D network, which takes neighbouring slices", recipe.scans)
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
