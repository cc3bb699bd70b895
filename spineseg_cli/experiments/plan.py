"""The plans of the variants of an experiment, made before anything slow starts, and the record of finished variants."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spineseg_cli.core.files import write_json
from spineseg_cli.errors import InputError
from spineseg_cli.experiments.config import Experiment
from spineseg_cli.experiments.variants import Variant
from spineseg_cli.training.data.find_scans import ScanSource, find_scans
from spineseg_cli.training.data.scan_tables import read_traits
from spineseg_cli.training.data.split import Split, SplitRequest, read_split, split_subjects, write_split
from spineseg_cli.training.plan import FinetunePlan, find_start, folder_of, make_plans
from spineseg_cli.weights.model import Model

SPLIT, VARIANTS, SETTINGS, DONE, LOCALIZER = "split.tsv", "variants", "study.json", "variant.json", "localizer"


@dataclass(frozen=True)
class VariantPlan:
    """The plan of a variant, which has been checked."""

    variant: Variant
    folder: Path
    start: Model | None  # The initial weights, None for untrained weights. Without training, these are evaluated.
    training: FinetunePlan | None  # the training, None for a variant that is not trained
    localizer: FinetunePlan | None = None  # the training of the variant's own localizer, if it has one

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that determines the run of the variant, as JSON values."""
        assert self.training is not None  # only a variant that is trained has a run
        settings = {"config": self.training.config.model_dump(mode="json"), **self.training.started_with}
        if self.localizer:
            settings["localizer"] = self.localizer.config.model_dump(mode="json")
        return json.loads(json.dumps(settings))

    def finished(self) -> Path | None:
        """Return the weights of a finished run with the same settings, or None."""
        path = self.folder / DONE
        if not path.is_file():
            return None
        recorded = json.loads(path.read_text(encoding="utf-8"))
        weights = self.folder / recorded.pop("weights")
        return weights if recorded == self.settings and weights.is_file() else None

    def finish(self, weights: Path) -> None:
        """Record that the run is finished."""
        write_json(self.folder / DONE, self.settings | {"weights": weights.name})


def find_starts(experiment: Experiment, weights: str | None) -> dict[str, Model | None]:
    """Return the initial weights of each variant, by its name; `weights` replaces the default of the experiment.

    Raises InputError if there are no such weights, they do not fit the task, or a variant that is not trained has none.
    """
    starts = {}
    for variant in experiment.variants:
        named = variant.init or "default"
        named = (weights or experiment.init) if named == "default" else named
        starts[variant.name] = find_start(experiment.task, None if named == "default" else named)
        if starts[variant.name] is None and not variant.train:
            raise InputError(
                f"the variant {variant.name} is not trained, and so needs weights to be evaluated; its init is {named}"
            )
    return starts


def settle_folder(experiment: Experiment, out: Path, data: Path | None) -> None:
    """Record the experiment of a folder. Raises InputError if it holds another experiment, or one with other data or budget."""
    settings = {"study": experiment.name, "budget": experiment.budget, "data": str(data) if data else experiment.cohort_fields}
    path = out / SETTINGS
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != settings:
        raise InputError(f"{out} holds another study, or other data or another budget: choose another output folder")
    if (out / "arms").is_dir():
        raise InputError(f"{out} holds a study of version 0.9 or older, which cannot go on: choose another output folder")
    write_json(path, settings)


def settle_split(experiment: Experiment, data: Path, out: Path) -> Split:
    """Return the split in `out`. If there is none yet, take that beside the data, or draw one, and write it to `out`.

    Raises InputError if it has no test subjects, and what `data.split.split_subjects` and `data.split.read_split` raise.
    """
    subjects = {scan.subject for scan in find_scans(ScanSource(data), experiment.task)}
    path, options = out / SPLIT, experiment.split
    if path.is_file():
        return read_split(path, subjects)
    given = folder_of(data) / SPLIT
    if options.given and given.is_file():
        split = read_split(given, subjects)
    else:
        strata = read_traits(data, options.stratify) if options.stratify else None
        seed = experiment.config_of(experiment.variants[0]).seed
        split = split_subjects(subjects, options.test, options.validation, seed, strata)
    if "test" not in split.values():
        raise InputError("expected a split with subjects to test on: without, nothing can be compared")
    write_split(path, split)
    return split


def plan_variants(experiment: Experiment, starts: Mapping[str, Model | None], data: Path, out: Path) -> list[VariantPlan]:
    """Return the plans of all variants, on the split that `settle_split` has written.

    Variants with reinitialized subnetworks must not end with their initial weights, since they are compared with these. Raises
    what `training.plan.make_plans` raises.
    """
    plans = []
    for variant in experiment.variants:
        folder, start, training, localizer = out / VARIANTS / variant.name, starts[variant.name], None, None
        source, request = ScanSource(data, label_coverage=variant.label_coverage), SplitRequest(out / SPLIT)
        if (of_localizer := experiment.localizer_config_of(variant)) is not None:
            initial = find_start("centerline", None)
            (localizer,) = make_plans("centerline", source, folder / LOCALIZER, of_localizer, initial, request)
        if variant.train:
            config = experiment.config_of(variant, published=start is not None and start.legacy)
            if config.surgery.reinitialize:
                config = config.with_changes({"validation.include_initial_weights": False})
            (training,) = make_plans(experiment.task, source, folder, config, start, request)
        plans.append(VariantPlan(variant, folder, start, training, localizer))
    return plans
