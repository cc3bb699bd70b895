"""Studies: several variants ("arms") of a training, on one split of one cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from spineseg_cli.reports.comparison import BASE
from spineseg_cli.training.configs.files import load_recipe
from spineseg_cli.training.configs.recipe import Recipe

FINDER_RECIPE = "finetune_centerline"
DEFAULT_METRICS = ("DSC", "JI", "CC_pct", "MSD_mm", "HSD_mm", "TPR_pct", "TNR_pct", "PPV_pct")


@dataclass(frozen=True)
class Arm:
    """A variant.

    Parameters
    ----------
    name : str
        Its folder's too: letters, digits, `.`, `_`, `-`, `=`, `+`.
    recipe : str, optional
        A recipe by name or file; the study's by default.
    init : str, optional
        What to start from, as `plan.find_start` takes it; the study's by default.
    train : bool
        False: the weights are only scored, as they are.
    set : dict
        Fields of the recipe, also "field.part".
    complete : str, optional
        Where scans are labeled to the cord's end, so that slices beyond are trained on as without cord: see
        `data.dataset.LabeledScan`.
    finder : dict, optional
        Fields of the recipe `finetune_centerline`: the network that finds the cord is first trained on the same scans, and the
        arm's test scans are segmented along what it finds.
    range_test : bool
        Also test which rates the arm's network learns at, from where it starts: see `training.rate_range`.
    factor, value, base : str
        Of a sweep: what this arm changes, to what, and the arm that all else is as in.
    """

    name: str
    recipe: str | None = None
    init: str | None = None
    train: bool = True
    set: dict = field(default_factory=dict)
    complete: str | None = None
    finder: dict | None = None
    range_test: bool = False
    factor: str = ""
    value: str = ""
    base: str = BASE


@dataclass(frozen=True)
class Study:
    """A comparison of arms, with the changes of one budget in place.

    Parameters
    ----------
    name, title, source : str
        `source` is the publication whose comparison it is.
    task : str
        Of `files.TASKS`.
    recipe : str
        Of every arm that names none.
    arms : list of Arm
    init : str
        Weights that arms start from by default, and that "default" means: a file, a model's name, or "default" for the task's.
    set : dict
        Fields of every arm's recipe; those of an arm go before.
    published : dict
        The same, in place where published weights are started from.
    cohort : dict or None
        See `synthesis.cohort.read_cohort`: what is made where the user gives no data.
    split : dict
        {test, validation, stratify}: shares of the subjects, and the column to balance them by; or {given: true}, the table
        split.tsv beside the data.
    centerlines : sequence of str
        How test scans are segmented, of `files.CENTERLINES`: by the complete command, about the image's center, or about
        the expert's mask. The first decides; others are reported on beside it.
    metrics : sequence of str
        What is shown, of `metrics.agreement.METRICS`, the decisive one first.
    charts : sequence of str
        Of `files.CHARTS`.
    finding : dict or None
        {arm, claim}: the arm that the source found best, and what it says.
    unit : str
        What is compared in pairs.
    budget : str
    """

    name: str
    title: str
    task: str
    recipe: str
    arms: list[Arm]
    source: str = ""
    init: str = "default"
    set: dict = field(default_factory=dict)
    published: dict = field(default_factory=dict)
    cohort: dict | None = None
    split: dict = field(default_factory=lambda: {"test": 0.2, "validation": 0.2})
    centerlines: Sequence[str] = ("auto",)
    metrics: Sequence[str] = DEFAULT_METRICS
    charts: Sequence[str] = ("boxes",)
    finding: dict | None = None
    unit: str = "subject"
    budget: str = "quick"

    @property
    def decisive(self) -> str:
        """The metric that the arms are ranked by."""
        return self.metrics[0]

    @property
    def reference(self) -> str:
        """The arm that the others are compared with: the source's best, a sweep's base, or the first."""
        if self.finding:
            return self.finding["arm"]
        return next((arm.name for arm in self.arms if arm.name == BASE), self.arms[0].name)

    def recipe_of(self, arm: Arm, published: bool = False) -> Recipe:
        """Return an arm's recipe, checked; `published` if it starts from published weights."""
        changes = self.set | (self.published if published else {}) | arm.set
        return load_recipe(arm.recipe or self.recipe, _as_changes(changes))

    def finder_recipe_of(self, arm: Arm) -> Recipe | None:
        """Return the recipe by which an arm's finder is trained, checked; None if it has none of its own."""
        return None if arm.finder is None else load_recipe(FINDER_RECIPE, _as_changes(arm.finder))


def _as_changes(values: Mapping) -> list[str]:
    """Return fields as `training.configs.files.load_recipe` takes them; a field before its parts."""
    # YAML takes 1e-05, as Python writes it, for text.
    return [f"{name}={yaml.safe_dump(value, default_flow_style=True)}" for name, value in sorted(values.items())]
