"""Change of a subject's areas between two times, at the same positions along the cord; see `comparison.alignment`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spineseg_cli.morphometry.comparison.alignment import Alignment, align, column, slices_of
from spineseg_cli.morphometry.tables.columns import CHANGE, SE

# Areas whose change is computed.
EDGE = "area_edge_mm2"
COMPARED = ("area_mm2", EDGE)


@dataclass(frozen=True)
class Change:
    """Change of an area at n positions: distance from the top of the mask now (mm), percent, and its standard error (percent)."""

    distance_mm: np.ndarray
    percent: np.ndarray
    error: np.ndarray


def change_along(rows: Sequence[Mapping], baseline: Sequence[Mapping], name: str, alignment: Alignment) -> Change:
    """Return the change of a measure in each slice whose position the baseline has, if both are whole and their edge is seen."""
    now, then = ([row for row in slices_of(part) if _is_seen(row, name)] for part in (rows, baseline))
    at = alignment.to_now(column(then, "distance_from_top_mm"))
    distance, value, error = (column(now, key) for key in ("distance_from_top_mm", name, name + SE))
    if not len(at):
        return Change(distance[:0], distance[:0], distance[:0])
    half = column(now, "length_mm") / 2
    before, before_error = (np.interp(distance, at, column(then, key)) for key in (name, name + SE))
    in_view = (distance >= at[0] - half) & (distance <= at[-1] + half)
    known = np.isfinite(value) & np.isfinite(before) & (before > 0) & in_view
    value, error, before, before_error = value[known], error[known], before[known], before_error[known]
    return Change(
        distance[known], 100 * (value / before - 1), 100 * value / before * np.hypot(error / value, before_error / before)
    )


def _is_seen(row: Mapping, name: str) -> bool:
    return bool(int(row["n_slices"])) and not (name == EDGE and "edge_not_visible" in row["flags"])


def compared(row: Mapping, before: Mapping) -> list[str]:
    """Return the names of the areas that rows of both tables have, and whose change is computed."""
    return [name for name in COMPARED if name in row and name in before]


def no_change(row: Mapping, before: Mapping) -> dict[str, None]:
    """Return empty columns of the change, for a mask without cord."""
    return {name + CHANGE + suffix: None for name in compared(row, before) for suffix in ("", SE)}


def with_change(
    measured: Sequence[Mapping], rows: Sequence[Mapping] | None, baseline: Sequence[Mapping]
) -> tuple[list[dict], str]:
    """Return rows with the columns of their change since a baseline, and the landmarks of the alignment, "" without cord.

    `rows` are those of all slices of the same mask, or None if it has no cord.
    """
    if rows is None:
        return [dict(row) | no_change(row, baseline[0]) for row in measured], ""
    alignment = align(rows, baseline)
    changes = change_of_rows(measured, rows, baseline, alignment)
    return [dict(row) | change for row, change in zip(measured, changes, strict=True)], alignment.how


def change_of_rows(
    measured: Sequence[Mapping], rows: Sequence[Mapping], baseline: Sequence[Mapping], alignment: Alignment
) -> list[dict[str, float | None]]:
    """Return the columns `<area>_change_pct` of rows of slices, levels and ranges: the mean over their slices in both tables.

    The error of a mean is the mean error of its slices, times the ratio of the row's error to theirs: the errors of neighbors are
    assumed to be equally correlated in both tables.

    Parameters
    ----------
    measured : sequence of mapping
        Rows to which columns are added.
    rows, baseline : sequence of mapping
        Rows of all slices, now and at baseline.
    """
    slices = slices_of(rows)
    distances = {row["slice"]: float(row["distance_from_top_mm"]) for row in slices}
    out: list[dict[str, float | None]] = [{} for _ in measured]
    for name in compared(slices[0], baseline[0]):
        change = change_along(rows, baseline, name, alignment)
        errors = {row["slice"]: float(row[name + SE]) for row in slices}
        for row, columns in zip(measured, out, strict=True):
            numbers = [number for number in _slices_in(row["slice"]) if number in distances]
            used = np.isin(change.distance_mm, [distances[number] for number in numbers])
            columns |= {name + CHANGE: None, name + CHANGE + SE: None}
            if used.any():
                shrunk = float(row[name + SE]) / np.mean([errors[number] for number in numbers])
                columns[name + CHANGE] = float(change.percent[used].mean())
                columns[name + CHANGE + SE] = float(change.error[used].mean() * min(shrunk, 1.0))
    return out


def _slices_in(text: str) -> list[str]:
    """Return the slices in a row's cell such as "5:8;12"."""
    numbers: list[str] = []
    for part in filter(None, text.split(";")):
        first, _, last = part.partition(":")
        numbers += [str(number) for number in range(int(first), int(last or first) + 1)]
    return numbers
