"""What a study will do, settled before anything slow starts; and which of its arms are done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from spineseg_cli.core.files import write_json
from spineseg_cli.errors import InputError
from spineseg_cli.experiments.study import Arm, Study
from spineseg_cli.training.data.labeled_scans import find_scans, read_traits
from spineseg_cli.training.data.split import Split, read_split, split_subjects, write_split
from spineseg_cli.training.plan import Plan, find_start, folder_of, make_plans
from spineseg_cli.weights.model import Model

SPLIT, ARMS, SETTINGS, DONE, FINDER = "split.tsv", "arms", "study.json", "arm.json", "finder"


@dataclass(frozen=True)
class ArmPlan:
    """An arm that is known to be possible.

    Parameters
    ----------
    arm : Arm
    folder : Path
    start : Model or None
        What it starts from, and, without a run, what is scored; None for untrained weights.
    run : Plan or None
        None for an arm that is not trained.
    finder : Plan or None
        Of the network that finds the cord, where the arm has its own.
    """

    arm: Arm
    folder: Path
    start: Model | None
    run: Plan | None
    finder: Plan | None = None

    @property
    def settings(self) -> dict:
        """What decides the arm's run, as JSON holds it."""
        init = self.run.start and self.run.start.sha256
        settings = {"recipe": asdict(self.run.recipe), "init": init, "split": self.run.split, "masks": self.run.masks()}
        if self.finder:
            settings["finder"] = asdict(self.finder.recipe)
        return json.loads(json.dumps(settings))

    def finished(self) -> Path | None:
        """Return the weights of a run that has ended as it is asked for now, or None."""
        path = self.folder / DONE
        if not path.is_file():
            return None
        found = json.loads(path.read_text(encoding="utf-8"))
        weights = self.folder / found.pop("weights")
        return weights if found == self.settings and weights.is_file() else None

    def finish(self, weights: Path) -> None:
        """Remember that the run has ended."""
        write_json(self.folder / DONE, self.settings | {"weights": weights.name})


def find_starts(study: Study, weights: str | None) -> dict[str, Model | None]:
    """Return what each arm starts from, by its name; `weights` go before the study's own.

    Raises InputError if there are no such weights, they do not fit the task, or an arm that is not trained has none.
    """
    starts = {}
    for arm in study.arms:
        named = arm.init or "default"
        named = (weights or study.init) if named == "default" else named
        starts[arm.name] = find_start(study.task, None if named == "default" else named)
        if starts[arm.name] is None and not arm.train:
            raise InputError(f"the arm {arm.name} is not trained, and so needs weights to be scored; its init is {named}")
    return starts


def settle_folder(study: Study, out: Path, data: Path | None) -> None:
    """Write what study is in a folder; raise InputError if another is, or the same with other data or another budget."""
    settings = {"study": study.name, "budget": study.budget, "data": str(data) if data else study.cohort}
    settings = json.loads(json.dumps(settings))
    path = out / SETTINGS
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != settings:
        raise InputError(f"{out} holds another study, or other data or another budget: choose another output folder")
    write_json(path, settings)


def settle_split(study: Study, data: Path, out: Path) -> Split:
    """Return the split that was settled before, or that lies beside the data, or else draw it; it is in `out` then.

    Raises InputError if it has no subjects to test on, and as `data.split.split_subjects` and `data.split.read_split` do.
    """
    subjects = {scan.subject for scan in find_scans(data, study.task)}
    path, options = out / SPLIT, study.split
    if path.is_file():
        return read_split(path, subjects)
    given = folder_of(data) / SPLIT
    if options.get("given") and given.is_file():
        split = read_split(given, subjects)
    else:
        strata = read_traits(data, options["stratify"]) if options.get("stratify") else None
        shares = options.get("test", 0.2), options.get("validation", 0.2)
        split = split_subjects(subjects, *shares, study.recipe_of(study.arms[0]).seed, strata)
    if "test" not in split.values():
        raise InputError("expected a split with subjects to test on: without, nothing can be compared")
    write_split(path, split)
    return split


def plan_arms(study: Study, starts: Mapping[str, Model | None], data: Path, out: Path) -> list[ArmPlan]:
    """Return every arm's plan, on the split that `settle_split` has written.

    An arm with surgery does not keep the weights from before it, with which it is to be compared. Raises InputError as
    `plan.make_plans` does.
    """
    plans = []
    for arm in study.arms:
        folder, start, run, finder = out / ARMS / arm.name, starts[arm.name], None, None
        if arm.finder is not None:
            recipe, given = study.finder_recipe_of(arm), find_start("centerline", None)
            options = {"split_file": out / SPLIT, "complete": arm.complete}
            (finder,) = make_plans("centerline", data, folder / FINDER, recipe, given, **options)
        if arm.train:
            recipe = study.recipe_of(arm, published=start is not None and start.legacy)
            recipe = replace(recipe, keep_start=recipe.keep_start and not recipe.surgery)
            (run,) = make_plans(study.task, data, folder, recipe, start, split_file=out / SPLIT, complete=arm.complete)
        plans.append(ArmPlan(arm, folder, start, run, finder))
    return plans
