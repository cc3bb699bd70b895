"""The step `measures`: a table with a row for each slice, for each level if levels are known, and for the whole cord."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from spineseg_cli.cohort.labels import find_label
from spineseg_cli.cohort.ledger import DONE, EMPTY
from spineseg_cli.cohort.steps.step import Step, StepContext, StepResult

# Columns of the row of the whole cord that are copied to the table of the cohort.
FACTS = ("area_mm2", "length_mm", "area_edge_mm2", "area_gray_mm2")


def make_measures(context: StepContext) -> StepResult:
    """Measure the cord, and the gray and white matter if they were segmented."""
    from spineseg_cli.morphometry.measure import measure_cord
    from spineseg_cli.morphometry.tables.files import write_dictionary, write_rows
    from spineseg_cli.morphometry.tables.rows import empty_row, make_rows, name_parts

    settings = context.settings.measures
    masks: dict[str, Any] = {kind: context.mask(path) for kind, path in context.existing("cord", "gray", "white").items()}
    levels: dict[str, Any] = {kind: context.mask(path) for kind, path in _levels(context).items()}
    image: dict[str, Any] = {"image": context.image} if settings.edge else {}
    estimate = settings.levels == "estimate" and not levels
    measures = measure_cord(**masks, **image, **levels, estimate_levels=estimate)
    given = {name: name in masks or name in image for name in ("gray", "white", "image")}
    rows = make_rows(measures) if measures else [empty_row(**given, segments=estimate)]
    head = {"file": context.scan.title, **name_parts(context.scan.relative)}
    table = context.output("measures")
    table.parent.mkdir(parents=True, exist_ok=True)
    write_rows(table, [head | row for row in rows])
    write_dictionary(table, list(head | rows[0]))
    whole = rows[-1]
    facts = {name: round(float(whole[name]), 2) for name in FACTS if _is_number(whole.get(name))} | {"flags": whole["flags"]}
    return StepResult(DONE if measures else EMPTY, (table, context.output("measures_dictionary")), facts=facts)


def _levels(context: StepContext) -> dict[str, Path]:
    """Return the labels of levels: those of discs, otherwise those of vertebrae, or nothing."""
    if context.settings.measures.levels == "none" or context.settings.labels == "ignore":
        return {}
    for kind in ("discs", "levels"):
        if path := find_label(context.scan, kind):
            return {kind: path}
    return {}


def _is_number(value: Any) -> bool:
    return value is not None and math.isfinite(value)


MEASURES = Step(
    revision=10,
    run=make_measures,
    reads=lambda context: {"scan": context.scan.path} | context.existing("cord", "gray", "white") | _levels(context),
)
