"""Change of a subject's areas between two times, at the same positions along the cord.

Equal distances from the top of the mask are the same position in two scans only if their fields of view begin at the same one.
The tables are therefore aligned by the levels that both have; without levels, by the spinal segments estimated from the two
profiles, near which the shift is then taken at which these agree best; and by the tops of the masks only if too little of the
cord is in view for that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spineseg_cli.morphometry.columns import CHANGE, SE
from spineseg_cli.morphometry.segments import SOFT_MM2, WIDEST_MM, Segments, locate_segments

# Areas whose change is computed.
EDGE = "area_edge_mm2"
COMPARED = ("area_mm2", EDGE)

KINDS = {"vertebral": "vertebral levels", "spinal": "spinal levels", "spinal_estimate": "estimated spinal segments"}
BY_PROFILE = "the agreement of both profiles, near the spinal segments estimated from them"
BY_TOP = "distance from the top of each mask, which is right only for equal fields of view: give levels"

# Two profiles of a subject are compared at shifts up to this distance from that of the estimated segments, whose standard
# deviation follows, and at which they have at least so much in common.
SEARCH_MM, SEARCH_STEP_MM = 30.0, 0.5
SEGMENTS_SD_MM = 8.0
LEAST_COMMON_MM = 40.0

# Standard deviations of the differences of the logarithm of the area and of the compression ratio between two times, but for a
# constant; differences this far apart along the cord are independent.
AREA_SD, RATIO_SD = 0.03, 0.03
INDEPENDENT_MM = 10.0


@dataclass(frozen=True)
class Alignment:
    """The map from positions along the cord at baseline to those now.

    Attributes
    ----------
    how : str
        A phrase that names the landmarks of the alignment.
    then_mm, now_mm : ndarray, shape (k,)
        Corresponding positions, as increasing distances from the top of each mask; k is at least 1.
    """

    how: str
    then_mm: np.ndarray
    now_mm: np.ndarray

    def to_now(self, distance_mm: np.ndarray) -> np.ndarray:
        """Return positions at baseline, shape (n,), as distances from the top of the mask now."""
        shift = np.interp(distance_mm, self.then_mm, self.now_mm - self.then_mm)  # constant beyond the first and the last
        return distance_mm + shift


@dataclass(frozen=True)
class Change:
    """Change of an area at n positions: distance from the top of the mask now (mm), percent, and its standard error (percent)."""

    distance_mm: np.ndarray
    percent: np.ndarray
    error: np.ndarray


def align(rows: Sequence[Mapping], baseline: Sequence[Mapping]) -> Alignment:
    """Return the alignment of two tables of measures, with rows of slices; numbers of the baseline may be text."""
    now, then = slices_of(rows), slices_of(baseline)
    kind = now[0]["level_kind"]
    if kind and kind == then[0]["level_kind"]:
        knots = _common_positions(now, then)
        if len(knots):
            return Alignment(KINDS.get(kind, kind), *knots.T)
    segments = [_segments(part) for part in (now, then)]
    position_now, position_then = (part.position_mm for part in segments)
    ends = [column(part, "distance_from_top_mm").max() for part in (now, then)]
    sure = [part.high_mm - part.low_mm <= WIDEST_MM for part in segments]
    inside = [(part.position_mm >= 0) & (part.position_mm <= end) for part, end in zip(segments, ends, strict=True)]
    both = np.all([*sure, *inside], axis=0)
    if both.any():
        shift = _best_shift(now, then, float(np.median((position_now - position_then)[both])))
        return Alignment(BY_PROFILE, np.zeros(1), np.array([shift]))
    return Alignment(BY_TOP, np.zeros(1), np.zeros(1))


def slices_of(rows: Sequence[Mapping]) -> list[Mapping]:
    """Return the rows of single slices, from the top of the cord down."""
    return sorted((row for row in rows if row["scope"] == "slice"), key=lambda row: float(row["distance_from_top_mm"]))


def column(rows: Sequence[Mapping], name: str) -> np.ndarray:
    """Return a column as numbers; nan for empty cells."""
    return np.array([float(row[name]) if row.get(name) not in (None, "") else math.nan for row in rows])


def level_spans(slices: Sequence[Mapping]) -> dict[str, tuple[float, float]]:
    """Return the beginning and the end of each level along the cord, mm from the top."""
    spans: dict[str, tuple[float, float]] = {}
    for row in slices:
        if row["level"]:
            middle, half = float(row["distance_from_top_mm"]), float(row["length_mm"]) / 2
            first, last = spans.get(row["level"], (math.inf, -math.inf))
            spans[row["level"]] = min(first, middle - half), max(last, middle + half)
    return dict(sorted(spans.items(), key=lambda item: item[1]))


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


def _common_positions(now: Sequence[Mapping], then: Sequence[Mapping]) -> np.ndarray:
    """Return the boundaries between levels, or else the middles of levels, that both tables have, then and now, mm, shape (k, 2).

    The boundary between two levels does not depend on the field of view; the end of a level that it cuts does.
    """
    spans = [level_spans(part) for part in (then, now)]
    boundaries = []
    for of_table in spans:
        names = list(of_table)
        boundaries.append({pair: of_table[pair[1]][0] for pair in zip(names[:-1], names[1:], strict=True)})
    positions = [[of_table[pair] for of_table in boundaries] for pair in boundaries[1] if pair in boundaries[0]]
    if not positions:
        positions = [[sum(of_table[name]) / 2 for of_table in spans] for name in spans[1] if name in spans[0]]
    return np.array(positions)


def _segments(slices: Sequence[Mapping]) -> Segments:
    distance, area, ratio = (column(slices, name) for name in ("distance_from_top_mm", "area_mm2", "compression_ratio"))
    return locate_segments(distance, area, ratio, column(slices, "n_slices") > 0)


def _best_shift(now: Sequence[Mapping], then: Sequence[Mapping], estimated_mm: float) -> float:
    """Return the distance from a position at baseline to that now, mm, at which the profiles agree best."""
    (here, *measures), (there, *baseline) = (_profile(part) for part in (now, then))
    shifts = estimated_mm + np.arange(-SEARCH_MM, SEARCH_MM + SEARCH_STEP_MM, SEARCH_STEP_MM)
    common = [(here - shift >= there.min()) & (here - shift <= there.max()) for shift in shifts]
    scores = [((shift - estimated_mm) / SEGMENTS_SD_MM) ** 2 for shift in shifts]
    for i, (shift, seen) in enumerate(zip(shifts, common, strict=True)):
        if not seen.any() or np.ptp(here[seen]) < LEAST_COMMON_MM:
            scores[i] = math.inf
            continue
        for values, before, sd in zip(measures, baseline, (AREA_SD, RATIO_SD), strict=True):
            difference = values[seen] - np.interp(here[seen] - shift, there, before)
            scores[i] += np.ptp(here) / INDEPENDENT_MM * (difference.std() / sd) ** 2
    return float(shifts[np.argmin(scores)]) if np.isfinite(scores).any() else estimated_mm


def _profile(slices: Sequence[Mapping]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return distance from the top, logarithm of the area, and compression ratio in the slices that have them."""
    distance, area, ratio = (column(slices, name) for name in ("distance_from_top_mm", "area_mm2", "compression_ratio"))
    known = np.isfinite(area) & np.isfinite(ratio) & (column(slices, "n_slices") > 0)
    return distance[known], np.log(area[known] + SOFT_MM2), ratio[known]
