"""The configuration of an experiment in YAML: variants of a training on one split of one cohort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictBool, ValidationError, model_validator

from spineseg_cli.core.yaml_files import merged, nested, read_yaml
from spineseg_cli.errors import InputError
from spineseg_cli.experiments.cohorts import Cohort
from spineseg_cli.experiments.localizers import LOCALIZERS
from spineseg_cli.experiments.names import study_file, study_names
from spineseg_cli.experiments.variants import Budget, Sweep, Variant
from spineseg_cli.metrics.metric_set import MASK_METRICS, METRICS
from spineseg_cli.reports.trainings.comparison import BASE
from spineseg_cli.tasks.registry import TASKS
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.config_files import in_one_sentence, load_config
from spineseg_cli.training.config_types import Section, known_in

BUDGETS = ("quick", "full")

# The training configuration of the localizer of variants that train their own.
LOCALIZER_CONFIG = "finetune_centerline"

Fraction = Annotated[float, Field(gt=0, lt=1)]


def _task_of_masks(name: str) -> str:
    """Return the name of a task, which must have the metrics of masks."""
    names = [task for task in TASKS if TASKS[task].metrics is MASK_METRICS]
    if name not in names:
        raise ValueError(f"expected one of {', '.join(names)}")
    return name


class SplitOptions(Section):
    """How subjects are split: randomly by fractions, stratified by a column; or, if `given`, by split.tsv beside the data."""

    test: Fraction = 0.2
    validation: Fraction = 0.2
    stratify: str | None = None
    given: StrictBool = False

    @model_validator(mode="after")
    def _check(self):
        if self.test + self.validation >= 1:
            raise ValueError("expected fractions that leave subjects to train on")
        return self


class Finding(Section):
    """The finding of the source: the variant that was best, and the claim in words."""

    variant: str
    claim: str = ""


class Experiment(Section):
    """A comparison of variants with one budget."""

    name: str
    title: str
    task: Annotated[str, AfterValidator(_task_of_masks)]
    config: str  # the training configuration of variants that name none
    variants: Annotated[tuple[Variant, ...], Field(min_length=1)]
    source: str = ""  # the publication that it repeats
    # Initial weights of variants that name none: a file, the name of a model, or "default" for the task's model.
    init: str = "default"
    # Changes to the configurations of all variants; those of a variant take precedence.
    set: dict[str, Any] = Field(default_factory=dict)
    published: dict[str, Any] = Field(default_factory=dict)  # further changes for variants that start from published weights
    cohort: Cohort | None = None  # phantoms that are made if the user gives no data
    split: SplitOptions = SplitOptions()
    # For the test scans. The first is decisive; the others are reported too.
    localizers: Annotated[tuple[Annotated[str, AfterValidator(known_in(LOCALIZERS))], ...], Field(min_length=1)] = ("network",)
    # Those to show. The first is decisive.
    metrics: Annotated[tuple[Literal[tuple(METRICS)], ...], Field(min_length=1)] = MASK_METRICS.plotted
    charts: tuple[Literal["boxes", "histograms"], ...] = ("boxes",)
    finding: Finding | None = None  # that of the source, to which the verdict refers
    unit: str = "subject"  # what is compared in pairs
    budget: Literal[BUDGETS] = "quick"  # the one whose changes are applied

    @model_validator(mode="after")
    def _check(self):
        names = [variant.name for variant in self.variants]
        if len(set(names)) < len(names):
            raise ValueError(f"expected variants each with its own name; got {', '.join(names)}")
        if LOCALIZERS[self.localizers[0]].facts.get("needs_labels"):
            raise ValueError(f"the first of the localizers decides, and must not be {self.localizers[0]}, which needs labels")
        if self.finding and self.finding.variant not in names:
            raise ValueError(f"the finding must be on a variant, of {', '.join(names)}")
        return self

    @property
    def cohort_fields(self) -> dict[str, Any]:
        """The fields of the cohort that are given, as JSON values; empty without a cohort."""
        return self.cohort.model_dump(mode="json", exclude_unset=True) if self.cohort else {}

    @property
    def decisive(self) -> str:
        """The metric by which variants are ranked."""
        return self.metrics[0]

    @property
    def reference(self) -> str:
        """The variant with which the others are compared: the best of the source, the base of a sweep, or the first."""
        if self.finding:
            return self.finding.variant
        return next((variant.name for variant in self.variants if variant.name == BASE), self.variants[0].name)

    def config_of(self, variant: Variant, published: bool = False) -> TrainingConfig:
        """Return the training configuration of a variant; `published` says whether it starts from published weights."""
        changes = [self.set, *([self.published] if published else []), variant.set]
        return load_config(variant.config or self.config, _merged_changes(changes))

    def localizer_config_of(self, variant: Variant) -> TrainingConfig | None:
        """Return the training configuration of a variant's own localizer, None if it has none."""
        return None if variant.localizer is None else load_config(LOCALIZER_CONFIG, _merged_changes([variant.localizer]))


def load_experiment(name_or_path: str, budget: str = "quick", changes: Mapping[str, Any] | None = None) -> Experiment:
    """Return an experiment after checking it and the training configurations of all its variants.

    It is a study of the package, or a YAML file with the fields of `Experiment`, which may also have `budgets`, a `Budget` for
    "quick" and for "full", and `sweep`, a `Sweep`, in addition to or instead of variants. `budget` is the one to apply. `changes`
    are those of the training configurations of all variants; the changes of a variant take precedence.

    Raises InputError if there is no such experiment, or a field is unknown, missing or in conflict with another.
    """
    path = study_file(name_or_path)
    if path is None:
        raise InputError(f"no study {name_or_path!r}; expected a YAML file with variants, or one of: {', '.join(study_names())}")
    where = f"the study {path.stem}"
    content = {"name": path.stem, "title": path.stem, "budget": budget} | read_yaml(path, where)
    try:
        budgets = {name: Budget.model_validate(fields) for name, fields in (content.pop("budgets", None) or {}).items()}
        if unknown := budgets.keys() - set(BUDGETS):
            raise InputError(f"{where}: budgets must be some of {', '.join(BUDGETS)}; got {', '.join(unknown)}")
        chosen, sweep = budgets.get(budget, Budget()), content.pop("sweep", None)
        swept = Sweep.model_validate(sweep).variants(chosen.factors) if sweep else []
        swept += chosen.sweep.variants() if chosen.sweep else []
        content["variants"] = [*(content.get("variants") or []), *(variant.model_dump() for variant in swept)]
        content["set"] = _merged_changes([content.get("set") or {}, chosen.set, changes or {}])
        if content.get("cohort") is not None:
            content["cohort"] = {**content["cohort"], **chosen.cohort}
        content |= {name: value for name, value in (("config", chosen.config), ("init", chosen.init)) if value}
        experiment = Experiment.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{where}: {in_one_sentence(error)}") from None
    for variant in experiment.variants:
        experiment.config_of(variant)
        experiment.localizer_config_of(variant)
    return experiment


def _merged_changes(changes) -> dict[str, Any]:
    """Return several changes of a training configuration as one nested mapping. Later changes replace earlier ones."""
    result: dict[str, Any] = {}
    for change in changes:
        result = merged(result, nested(change))
    return result
