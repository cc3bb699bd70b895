"""The variants of an experiment: single variants, sweeps over factors, and changes for a budget; see `experiments.config`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool

from spineseg_cli.reports.trainings.comparison import BASE
from spineseg_cli.training.choices import LABEL_COVERAGE
from spineseg_cli.training.config_types import Section

# The changes of the configuration for each value of each factor.
Factors = dict[str, Annotated[dict[str, dict[str, Any]], Field(min_length=1)]]


class Variant(Section):
    """One of the trainings that are compared."""

    # The name of the variant and its folder: letters, digits, `.`, `_`, `-`, `=`, `+`.
    name: Annotated[str, Field(pattern=r"^[\w.=+-]+$")]
    config: str | None = None  # the name or file of a training configuration; by default that of the experiment
    init: str | None = None  # the initial weights: see `training.plan.find_start`; by default those of the experiment
    train: StrictBool = True  # if False, the weights are only evaluated
    set: dict[str, Any] = Field(default_factory=dict)  # changes of the configuration, by field
    # The ends at which labels end because the cord ends: see `training.data.labeled_scans.LabeledScan`.
    label_coverage: Literal[LABEL_COVERAGE] | None = None
    # Changes of the configuration `finetune_centerline`. If given, a localizer is first trained on the same scans, and finds the
    # cord in the test scans of the variant.
    localizer: dict[str, Any] | None = None
    range_test: StrictBool = False  # whether a learning-rate range test is done: see `training.lr_range_test`
    # For a variant of a sweep, the factor that it changes, the value of this, and the name of the base variant.
    factor: str = ""
    value: str = ""
    base: str = BASE


class Sweep(Section):
    """Variants that change one factor at a time: a base variant called `name`, and one for each value of each factor."""

    name: str = BASE
    config: str | None = None
    init: str | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    factors: Factors

    def variants(self, more: Mapping[str, Any] | None = None) -> list[Variant]:
        """Return the variants, including those of the factors in `more`."""
        base = Variant(name=self.name, set=self.set, config=self.config, init=self.init, base=self.name)
        return [base] + [
            base.model_copy(
                update={"name": f"{factor}={value}", "factor": factor, "value": value, "set": {**self.set, **changes}}
            )
            for factor, values in {**self.factors, **(more or {})}.items()
            for value, changes in values.items()
        ]


class Budget(Section):
    """The changes of an experiment for a budget: further `factors` of its sweep, or a further sweep."""

    config: str | None = None
    init: str | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    cohort: dict[str, Any] = Field(default_factory=dict)
    factors: Factors = Field(default_factory=dict)
    sweep: Sweep | None = None
