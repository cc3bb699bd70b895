"""Positions along the cord that correspond in two tables of a subject, whose fields of view may begin at different ones.

Tables are aligned by the levels that both have; without levels, or if these are only estimated, by the shift at which the two
profiles agree best, near that of the spinal segments estimated from them; where too little of the cord is in view for these, by
the agreement alone, if no other shift agrees about as well; and by the tops of the masks if nothing tells.

The agreement is that of the logarithm of the area, but for a constant, and of the compression ratio: the likelihood of their
differences, normally distributed with an unknown standard deviation, in independent parts of what both have in view, relative to
that of unrelated positions along a cord. So a shift that leaves little in common is not preferred where that agrees by chance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spineseg_cli.morphometry.levels.segments import SOFT_MM2, WIDEST_MM, locate_segments

KINDS = {"vertebral": "vertebral levels", "spinal": "spinal levels"}
BY_PROFILE = "the agreement of both profiles, near the spinal segments estimated from them"
BY_AGREEMENT = "the agreement of both profiles alone: too little of the cord is in view to estimate spinal segments"
BY_TOP = "distance from the top of each mask, which is right only for equal fields of view: give levels"

# Standard deviation of the shift between two times, mm, about that of the estimated segments, and about no shift without them.
# Shifts up to a multiple of it are tried, in steps, mm, if both times have so much in common, mm.
SEGMENTS_SD_MM, TOPS_SD_MM = 12.0, 30.0
SEARCH_SD, SEARCH_STEP_MM = 3.0, 0.5
LEAST_COMMON_MM = 40.0

# Standard deviations of the differences of the logarithm of the area and of the compression ratio between two times: the least
# that is assumed, and that at unrelated positions along a cord. Differences this far apart along the cord are independent.
LEAST_SD, UNRELATED_SD = 0.02, (0.15, 0.07)
INDEPENDENT_MM = 10.0

# Without segments, the best shift is taken if at least this share of the probability lies within this distance, mm, from it.
SURE_SHARE, SURE_MM = 0.98, 5.0


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


def align(rows: Sequence[Mapping], baseline: Sequence[Mapping]) -> Alignment:
    """Return the alignment of two tables of measures, with rows of slices; numbers of the baseline may be text."""
    now, then = slices_of(rows), slices_of(baseline)
    kind = now[0]["level_kind"]
    if kind in KINDS and kind == then[0]["level_kind"]:
        knots = _common_positions(now, then)
        if len(knots):
            return Alignment(KINDS[kind], *knots.T)
    estimated_mm = _shift_of_segments(now, then)
    if estimated_mm is not None:
        shifts, probability = _shifts(now, then, estimated_mm, SEGMENTS_SD_MM)
        return Alignment(BY_PROFILE, np.zeros(1), shifts[[np.argmax(probability)]])
    shifts, probability = _shifts(now, then, 0.0, TOPS_SD_MM)
    best = shifts[np.argmax(probability)]
    if probability[np.abs(shifts - best) <= SURE_MM].sum() >= SURE_SHARE:
        return Alignment(BY_AGREEMENT, np.zeros(1), np.array([best]))
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


def _shift_of_segments(now: Sequence[Mapping], then: Sequence[Mapping]) -> float | None:
    """Return the shift, mm, of the boundaries of spinal segments that are estimated, surely, at both times; None if none are."""
    segments = [locate_segments(*_measures(part)) for part in (now, then)]
    ends = [column(part, "distance_from_top_mm").max() for part in (now, then)]
    sure = [
        (part.high_mm - part.low_mm <= WIDEST_MM) & (part.position_mm >= 0) & (part.position_mm <= end)
        for part, end in zip(segments, ends, strict=True)
    ]
    both = sure[0] & sure[1]
    return float(np.median((segments[0].position_mm - segments[1].position_mm)[both])) if both.any() else None


def _measures(slices: Sequence[Mapping]) -> tuple[np.ndarray, ...]:
    """Return distance from the top, area and compression ratio of each slice, and whether the mask is whole there."""
    names = ("distance_from_top_mm", "area_mm2", "compression_ratio")
    return *(column(slices, name) for name in names), column(slices, "n_slices") > 0


def _shifts(now: Sequence[Mapping], then: Sequence[Mapping], expected_mm: float, sd_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Return shifts from positions at baseline to those now, mm, and the probability of each, shape (n,).

    The probability is that of a normal distribution about the expected shift, times the likelihood of the profiles; where these
    have too little in common, they tell nothing.
    """
    (here, *measures), (there, *baseline) = (_profile(part) for part in (now, then))
    steps = round(SEARCH_SD * sd_mm / SEARCH_STEP_MM)
    shifts = expected_mm + SEARCH_STEP_MM * np.arange(-steps, steps + 1)
    score = -0.5 * ((shifts - expected_mm) / sd_mm) ** 2
    for i, shift in enumerate(shifts):
        seen = (here - shift >= there.min(initial=math.inf)) & (here - shift <= there.max(initial=-math.inf))
        common_mm = np.ptp(here[seen]) if seen.any() else 0.0
        if common_mm < LEAST_COMMON_MM:
            continue
        for values, before, unrelated in zip(measures, baseline, UNRELATED_SD, strict=True):
            sd = (values[seen] - np.interp(here[seen] - shift, there, before)).std()
            score[i] -= common_mm / INDEPENDENT_MM * math.log(math.hypot(sd, LEAST_SD) / math.hypot(unrelated, LEAST_SD))
    probability = np.exp(score - score.max())
    return shifts, probability / probability.sum()


def _profile(slices: Sequence[Mapping]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return distance from the top, logarithm of the area, and compression ratio in the slices that have them."""
    distance, area, ratio, whole = _measures(slices)
    known = np.isfinite(area) & np.isfinite(ratio) & whole
    return distance[known], np.log(area[known] + SOFT_MM2), ratio[known]
