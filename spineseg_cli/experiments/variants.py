"""The variants of an experiment: listed one by one, swept over factors, changed by a budget; see `experiments.config`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, field_validator

from spineseg_cli.reports.comparison import BASE
from spineseg_cli.training.choices import LABEL_COVERAGE
from spineseg_cli.training.config_types import Section


class Variant(Section):
    """One of the trainings that are compared.

    Parameters
    ----------
    name : str
        Its folder's too: letters, digits, `.`, `_`, `-`, `=`, `+`.
    config : str, optional
        A training configuration by name or file; the experiment's by default.
    init : str, optional
        What to start from, as `plan.find_start` takes it; the experiment's by default.
    train : bool
        False: the weights are only evaluated, as they are.
    set : mapping
        Changes of the configuration, by the places of fields.
    label_coverage : str, optional
        Where scans are labeled to the cord's end, so that slices beyond are trained on as without cord.
    localizer : mapping, optional
        Changes of the configuration `finetune_centerline`: the network that finds the cord is first trained on the same scans,
        and the test scans of the variant are segmented where it finds the cord.
    range_test : bool
        Also test which rates the network learns at, from where it starts: see `training.lr_range_test`.
    factor, value, base : str
        Of a sweep: what this variant changes, to what, and the variant that all else is as in.
    """

    name: Annotated[str, Field(pattern=r"^[\w.=+-]+$")]
    config: str | None = None
    init: str | None = None
    train: StrictBool = True
    set: dict[str, Any] = Field(default_factory=dict)
    label_coverage: Literal[LABEL_COVERAGE] | None = None
    localizer: dict[str, Any] | None = None
    range_test: StrictBool = False
    factor: str = ""
    value: str = ""
    base: str = BASE


class Sweep(Section):
    """Variants that change one factor at a time: one of the name `name`, and one for each value of each factor."""

    name: str = BASE
    config: str | None = None
    init: str | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    factors: dict[str, dict[str, dict[str, Any]]]

    @field_validator("factors")
    @classmethod
    def _check(cls, factors):
        if not all(factors.values()):
            raise ValueError("expected values of each factor, and changes of the configuration for each value")
        return factors

    def variants(self, more: Mapping[str, Any] | None = None) -> list[Variant]:
        """Return the variants, those of `more` factors too."""
        start: dict[str, Any] = {"config": self.config, "init": self.init}
        made = [Variant(name=self.name, set=self.set, **start)]
        for factor, values in {**self.factors, **(more or {})}.items():
            for value, changes in values.items():
                fields: dict[str, Any] = {"name": f"{factor}={value}", "factor": factor, "value": str(value), "base": self.name}
                made.append(Variant(**fields, set={**self.set, **changes}, **start))
        return made


class Budget(Section):
    """What an experiment changes for a budget: `factors` of its sweep, or a whole sweep more."""

    config: str | None = None
    init: str | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    cohort: dict[str, Any] = Field(default_factory=dict)
    factors: dict[str, Any] = Field(default_factory=dict)
    sweep: Sweep | None = None
