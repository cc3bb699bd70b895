"""The configuration of an experiment: variants of a training on one split of one cohort, read from YAML and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictBool, ValidationError, model_validator

from spineseg_cli.errors import InputError
from spineseg_cli.experiments.localizers import LOCALIZERS
from spineseg_cli.experiments.names import study_file, study_names
from spineseg_cli.experiments.variants import Budget, Sweep, Variant
from spineseg_cli.metrics.metric_set import MASK_METRICS
from spineseg_cli.metrics.names import METRICS
from spineseg_cli.reports.comparison import BASE
from spineseg_cli.synthesis.phantom_cohort import read_cohort
from spineseg_cli.tasks.registry import TASKS
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.config_files import in_one_sentence, load_config, merged, nested, read_yaml
from spineseg_cli.training.config_types import Section, known_in
from spineseg_cli.training.migration import migrate_config, migrate_experiment

BUDGETS = ("quick", "full")
DEFAULT_METRICS = ("DSC", "JI", "CC_pct", "MSD_mm", "HSD_mm", "TPR_pct", "TNR_pct", "PPV_pct")

# What the network that finds the cord is trained by, where a variant trains its own.
LOCALIZER_CONFIG = "finetune_centerline"

Fraction = Annotated[float, Field(gt=0, lt=1)]


def _task_of_masks(name: str) -> str:
    """Return the name of a task whose results are compared as masks are."""
    names = [task for task in TASKS if TASKS[task].metrics is MASK_METRICS]
    if name not in names:
        raise ValueError(f"expected one of {', '.join(names)}")
    return name


class SplitOptions(Section):
    """How subjects are split: drawn by fractions, balanced by a column; or, if `given`, by split.tsv beside the data."""

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
    """What the source found best, by its variant, and what it says."""

    variant: str
    claim: str = ""


class Experiment(Section):
    """A comparison of variants, with the changes of one budget made.

    Parameters
    ----------
    name, title, source : str
        `source` is the publication whose comparison it is.
    task : {"gm", "cord"}
    config : str
        The training configuration of every variant that names none.
    init : str
        Weights that variants start from by default: a file, a model's name, or "default" for the task's own.
    set : mapping
        Changes of every variant's configuration; those of a variant count more.
    published : mapping
        The same, where published weights are started from.
    cohort : mapping or None
        See `synthesis.phantom_cohort.read_cohort`: what is made where the user gives no data.
    localizers : sequence of str
        How the cord is found in test scans, of `localizers.LOCALIZERS`. The first decides; the others are reported too.
    metrics : sequence of str
        What is shown, of `metrics.agreement.METRICS`, the decisive one first.
    charts : sequence of {"boxes", "histograms"}
    unit : str
        What is compared in pairs.
    budget : {"quick", "full"}
    """

    name: str
    title: str
    task: Annotated[str, AfterValidator(_task_of_masks)]
    config: str
    variants: Annotated[tuple[Variant, ...], Field(min_length=1)]
    source: str = ""
    init: str = "default"
    set: dict[str, Any] = Field(default_factory=dict)
    published: dict[str, Any] = Field(default_factory=dict)
    cohort: dict[str, Any] | None = None
    split: SplitOptions = SplitOptions()
    localizers: Annotated[tuple[Annotated[str, AfterValidator(known_in(LOCALIZERS))], ...], Field(min_length=1)] = ("network",)
    metrics: Annotated[tuple[Literal[tuple(METRICS)], ...], Field(min_length=1)] = DEFAULT_METRICS
    charts: tuple[Literal["boxes", "histograms"], ...] = ("boxes",)
    finding: Finding | None = None
    unit: str = "subject"
    budget: Literal[BUDGETS] = "quick"

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
    def decisive(self) -> str:
        """The metric that the variants are ranked by."""
        return self.metrics[0]

    @property
    def reference(self) -> str:
        """The variant that the others are compared with: the source's best, a sweep's base, or the first."""
        if self.finding:
            return self.finding.variant
        return next((variant.name for variant in self.variants if variant.name == BASE), self.variants[0].name)

    def config_of(self, variant: Variant, published: bool = False) -> TrainingConfig:
        """Return a variant's training configuration, checked; `published` if it starts from published weights."""
        changes = [self.set, *([self.published] if published else []), variant.set]
        return load_config(variant.config or self.config, _merged_changes(changes))

    def localizer_config_of(self, variant: Variant) -> TrainingConfig | None:
        """Return what a variant's own localizer is trained by, checked; None if it has none."""
        return None if variant.localizer is None else load_config(LOCALIZER_CONFIG, _merged_changes([variant.localizer]))


def load_experiment(name_or_path: str, budget: str = "quick", changes: Mapping[str, Any] | None = None) -> Experiment:
    """Return an experiment, checked, every variant's training configuration too.

    Parameters
    ----------
    name_or_path : str
        A study of the package, or a YAML file with the fields of `Experiment`; with `budgets`, {quick, full} of `Budget` each;
        with `sweep`, a `Sweep`, beside or instead of variants.
    budget : {"quick", "full"}
    changes : mapping of str to object, optional
        Changes of every variant's training configuration; what a variant sets itself stays.

    Raises
    ------
    InputError
        If there is no such experiment, or anything in it is unknown, missing or at odds with the rest.
    """
    path = study_file(name_or_path)
    if path is None:
        raise InputError(f"no study {name_or_path!r}; expected a YAML file with variants, or one of: {', '.join(study_names())}")
    where = f"the study {path.stem}"
    content = migrate_experiment(read_yaml(path, where))
    content = {"name": path.stem, "title": path.stem, "budget": budget} | content
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
    if experiment.cohort is not None:
        read_cohort(experiment.cohort)
    for variant in experiment.variants:
        experiment.config_of(variant)
        experiment.localizer_config_of(variant)
    return experiment


def _merged_changes(changes) -> dict[str, Any]:
    """Return several changes of a training configuration as nested ones, in the words of this version; later ones count."""
    result: dict[str, Any] = {}
    for change in changes:
        result = merged(result, migrate_config(nested(change), "the changes of a configuration"))
    return result
