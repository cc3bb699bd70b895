"""The step `measures`: a row a slice, a row a level where levels are known, and one of the whole cord."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from spineseg_cli.cohort.labels import find_label
from spineseg_cli.cohort.ledger import DONE, EMPTY
from spineseg_cli.cohort.settings import as_dict
from spineseg_cli.cohort.steps.step import Outcome, Step, no_weights
from spineseg_cli.cohort.steps.work import Work

# What of the whole cord goes into the table of the cohort.
FACTS = ("area_mm2", "length_mm", "area_edge_mm2", "area_gray_mm2")


def make_measures(work: Work) -> Outcome:
    """Measure the cord, and its gray and white matter if these were segmented."""
    from spineseg_cli.morphometry.measure import measure_cord
    from spineseg_cli.morphometry.rows import empty_row, make_rows, name_parts
    from spineseg_cli.morphometry.table import write_dictionary, write_rows

    settings = work.settings.measures
    masks: dict[str, Any] = {kind: work.mask(path) for kind, path in work.existing("cord", "gray", "white").items()}
    levels: dict[str, Any] = {kind: work.mask(path) for kind, path in _levels(work).items()}
    image: dict[str, Any] = {"image": work.image} if settings.edge else {}
    estimate = settings.levels == "estimate" and not levels
    measures = measure_cord(**masks, **image, **levels, estimate_levels=estimate)
    given = {name: name in masks or name in image for name in ("gray", "white", "image")}
    rows = make_rows(measures) if measures else [empty_row(**given, segments=estimate)]
    head = {"file": work.scan.title, **name_parts(work.scan.relative)}
    table = work.output("measures")
    table.parent.mkdir(parents=True, exist_ok=True)
    write_rows(table, [head | row for row in rows])
    write_dictionary(table, list(head | rows[0]))
    whole = rows[-1]
    facts = {name: round(float(whole[name]), 2) for name in FACTS if _is_number(whole.get(name))} | {"flags": whole["flags"]}
    return Outcome(DONE if measures else EMPTY, (table, work.output("measures_dictionary")), facts=facts)


def _levels(work: Work) -> dict[str, Path]:
    """Return the labels of levels: of discs, or else of vertebrae."""
    if work.settings.measures.levels == "none" or work.settings.labels == "ignore":
        return {}
    labels = {kind: find_label(work.scan, kind) for kind in ("discs", "levels")}
    return dict([(kind, path) for kind, path in labels.items() if path][:1])


def _is_number(value: Any) -> bool:
    return value is not None and math.isfinite(value)


MEASURES = Step(
    revision=4,
    run=make_measures,
    options=lambda settings: as_dict(settings.measures) | {"labels": settings.labels, "volumes": settings.volumes},
    weights=no_weights,
    reads=lambda work: {"scan": work.scan.path} | work.existing("cord", "gray", "white") | _levels(work),
)
