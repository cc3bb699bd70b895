"""What a recipe must hold for its run not to fail later."""

from __future__ import annotations

from spineseg_cli.core.expectations import expect, expect_named, expect_one_of, is_count, is_number, is_texts
from spineseg_cli.errors import InputError
from spineseg_cli.networks import NETWORKS
from spineseg_cli.training.configs.choices import (
    AUGMENTATIONS,
    CENTERLINES,
    DECAYS,
    FROZEN,
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
from spineseg_cli.training.configs.crop_checks import check_crops, check_sources
from spineseg_cli.training.configs.recipe import Recipe

# Fields of a recipe that are shares of the crops.
SHARES = ("real_share", "wide_share", "narrow_share", "masked_share", "sagittal_share", "overlap")


def check_recipe(recipe: Recipe, where: str) -> None:
    """Raise InputError, its message starting with `where`, if a field is wrong or at odds with another."""
    for name in ("batch", "epochs", "steps"):
        expect(is_count(getattr(recipe, name), 1), where, name, "a positive whole number", getattr(recipe, name))
    expect(is_count(recipe.seed, 0), where, "seed", "a whole number of 0 or more", recipe.seed)
    for name in (*SHARES, "learning_rate", "decay_power", "wide_shift_mm", "surroundings_mm", "level_jitter", "jitter_mm"):
        expect(is_number(getattr(recipe, name)), where, name, "a number of 0 or more", getattr(recipe, name))
    for name in SHARES:
        expect(getattr(recipe, name) <= 1, where, name, "a share, at most 1", getattr(recipe, name))
    expect(recipe.overlap < 1, where, "overlap", "below 1", recipe.overlap)
    expect(recipe.flips in (None, True, False), where, "flips", "true, false or null", recipe.flips)
    for name in ("nyul", "keep_start"):
        expect(getattr(recipe, name) in (True, False), where, name, "true or false", getattr(recipe, name))
    choices = {
        "augmentation": AUGMENTATIONS,
        "centerline": CENTERLINES,
        "raters": RATERS,
        "decay_by": DECAYS,
        "precision": PRECISIONS,
    }
    for name, known in choices.items():
        expect_one_of(getattr(recipe, name), known, where, name)
    for name, known in {"surgery": SURGERIES, "freeze": FROZEN}.items():
        if getattr(recipe, name) is not None:
            expect_one_of(getattr(recipe, name), known, where, name)
    if recipe.freeze and recipe.freeze in SURGERIES.get(recipe.surgery, ()):
        raise InputError(f"{where}: surgery {recipe.surgery} and freeze {recipe.freeze} would leave layers untrained for ever")
    whole = is_count(recipe.gpus, 1) or recipe.gpus == "all"
    expect(whole, where, "gpus", "a positive whole number, or all", recipe.gpus)
    expect_named(recipe.network, NETWORKS, where, "network")
    _check_outputs(recipe, where)
    _check_schedule(recipe, where)
    _check_unfreezing(recipe, where)
    _check_loss(recipe, where)
    check_sources(recipe, where)
    check_crops(recipe, where)
    _check_validation(recipe, where)


def _check_outputs(recipe: Recipe, where: str) -> None:
    outputs = recipe.outputs
    expect(isinstance(outputs, list) and outputs, where, "outputs", f"a list of {', '.join(OUTPUTS)}", outputs)
    for output in outputs:
        expect_one_of(output, OUTPUTS, where, "outputs")
    expect(len(set(outputs)) == len(outputs), where, "outputs", "each output once", outputs)
    scores = recipe.scores
    fits = isinstance(scores, list) and set(scores) <= set(SCORES) and len(set(scores)) == len(scores)
    expect(fits, where, "scores", f"a list of {', '.join(SCORES)}, each once", scores)
    classes = recipe.network.get("classes", 1)
    if classes != len(outputs):
        raise InputError(f"{where}: the network has {classes} classes, and there are {len(outputs)} outputs {outputs}")


def _check_loss(recipe: Recipe, where: str) -> None:
    expect_named(recipe.loss, LOSSES, where, "loss")
    known = LOSSES[recipe.loss["name"]][1]
    for option, value in recipe.loss.items():
        if option != "name":
            expect_one_of(option, known, where, f"the loss {recipe.loss['name']}")
            expect(is_number(value), where, f"loss {option}", "a number of 0 or more", value)
    expect(recipe.loss.get("gamma", 1) > 0, where, "loss gamma", "a number above 0", recipe.loss.get("gamma"))


def _check_schedule(recipe: Recipe, where: str) -> None:
    given = {"name": recipe.schedule} if isinstance(recipe.schedule, str) else recipe.schedule
    expect_named(given, SCHEDULES, where, "schedule")
    name = given["name"]
    for option in given.keys() - {"name"}:
        expect_one_of(option, SCHEDULES[name], where, f"the schedule {name}")
    options = SCHEDULES[name] | given
    for option, value in options.items():
        if option in ("half_cycle", "patience"):
            expect(is_count(value, 1), where, f"schedule {option}", "a positive whole number", value)
        elif option in ("lowest", "factor"):
            expect(is_number(value), where, f"schedule {option}", "a number of 0 or more", value)
    if name == "triangular":
        expect_one_of(options["by"], DECAYS, where, "schedule by")
        highest = recipe.learning_rate
        expect(options["lowest"] <= highest, where, "schedule lowest", f"at most learning_rate, {highest:g}", options["lowest"])
    if name == "halve":
        expect(options["factor"] < 1, where, "schedule factor", "below 1", options["factor"])
        expect(recipe.validation, where, "validation", "subjects, since the schedule is halve", recipe.validation)


def _check_unfreezing(recipe: Recipe, where: str) -> None:
    given = recipe.unfreeze
    if given is None:
        return
    expect(isinstance(given, dict), where, "unfreeze", f"some of {', '.join(UNFREEZING)}", given)
    for option in given:
        expect_one_of(option, UNFREEZING, where, "unfreeze")
    expect_one_of(given.get("keep") or "none", KEPT, where, "unfreeze keep")
    rate, epochs = given.get("learning_rate", 0), given.get("epochs")
    expect(is_number(rate), where, "unfreeze learning_rate", "a number of 0 or more", rate)
    expect(epochs is None or is_count(epochs, 1), where, "unfreeze epochs", "a positive whole number", epochs)
    expect(recipe.surgery, where, "surgery", "a part of the network, since there is unfreeze", recipe.surgery)
    expect(recipe.freeze is None, where, "freeze", "left out, since unfreeze says what is kept", recipe.freeze)


def _check_validation(recipe: Recipe, where: str) -> None:
    names, stopping = recipe.validation, recipe.early_stopping
    expect(is_texts(names) or names == [], where, "validation", "a list of parts of paths", names)
    expect(recipe.scans or not names, where, "validation", "none, since there are no scans", names)
    if stopping is None:
        return
    expect(isinstance(stopping, dict), where, "early_stopping", "patience and min_delta", stopping)
    for part in stopping:
        expect_one_of(part, ("patience", "min_delta"), where, "early_stopping")
    patience, min_delta = stopping.get("patience"), stopping.get("min_delta", 0.0)
    expect(is_count(patience, 1), where, "early_stopping patience", "a positive whole number", patience)
    expect(is_number(min_delta), where, "early_stopping min_delta", "a number of 0 or more", min_delta)
    expect(names, where, "validation", "subjects, since there is early_stopping", names)
