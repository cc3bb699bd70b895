"""The rows of a table of measures: for single slices, levels, ranges, and the whole cord."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from spineseg_cli.core.ranges import listed_ranges
from spineseg_cli.errors import InputError
from spineseg_cli.morphometry.levels.names import format_list, level_name
from spineseg_cli.morphometry.levels.segments import Segments
from spineseg_cli.morphometry.measure import CordMeasures
from spineseg_cli.morphometry.profile import Profile
from spineseg_cli.morphometry.smoothing import MOST_CORRELATION, fit_smooth
from spineseg_cli.morphometry.tables.columns import CORD_MEASURES, MEASURES, SD, SE, SEGMENT
from spineseg_cli.morphometry.uncertainty import grid_correlation

# Range of levels in which the lumbar enlargement is largest: T9 to L2 of the vertebrae, T11 to S2 of the segments.
LUMBAR = {"vertebral": (16, 21), "spinal": (19, 27), "spinal_estimate": (19, 27)}
LUMBAR_PEAK = "lumbar_peak"

# Smoothing of the area whose peak is taken; length of cord over which it is averaged, and which must be in view on either side.
PEAK_CUTOFF_MM, PEAK_MM = 20.0, 10.0


def make_rows(
    measures: CordMeasures,
    *,
    slices: Sequence[int] | None = None,
    levels: Sequence[int] | None = None,
    per_slice: bool | None = None,
    per_level: bool | None = None,
) -> list[dict]:
    """Return the selected rows, each a dict; `n_slices` is the number of slices with the whole section in a mean.

    Parameters
    ----------
    slices : sequence of int, optional
        Axial slices to include; all by default.
    levels : sequence of int, optional
        Levels to include.
    per_slice, per_level : bool, optional
        Whether to return a row for each slice, and for each level. By default, a selection gives one row, its mean; without a
        selection, there is a row for each slice, for each level if there are levels, and for the whole.

    Raises
    ------
    InputError
        If levels are selected but there are none, or the selection holds no cord.
    """
    profile = measures.profile
    if (levels or per_level) and measures.levels is None:
        raise InputError("levels are asked for, but none are known: give --levels, --discs or --estimate-levels")
    known = np.zeros(len(profile.slices), int) if measures.levels is None else measures.levels
    chosen = np.ones(len(profile.slices), bool)
    if slices is not None:
        chosen &= np.isin(profile.slices, slices)
    if levels is not None:
        chosen &= np.isin(known, levels)
    if not chosen.any():
        with_cord = format_list(profile.slices)
        raise InputError(f"the selection holds no cord: the mask has cord in the slices {with_cord}; choose some of them")
    selected = slices is not None or levels is not None
    everything = not selected and not per_slice and not per_level
    rows = []
    if per_slice or everything:
        rows += [_slice_row(measures, int(i)) for i in np.flatnonzero(chosen)]
    if per_level or (everything and measures.levels is not None):
        for level in np.unique(known[chosen]):
            if level > 0:
                rows.append(_mean_row(measures, chosen & (known == level), "level"))
    if not per_slice and not per_level:
        rows.append(_mean_row(measures, chosen, "range" if selected else "whole"))
    if not rows:
        raise InputError("no level is known in the selection; choose others, or ask for slices")
    return rows


def missing_selection(measures: CordMeasures, slices: Sequence[int] | None, levels: Sequence[int] | None) -> list[str]:
    """Return the selected slices and levels at which the mask has no cord, as phrases; none if it has cord at all of them.

    The arguments are those of `make_rows`.
    """
    phrases = []
    if absent := sorted(set(slices or ()) - set(measures.profile.slices.tolist())):
        phrases.append(f"the slices {listed_ranges(absent)}")
    if levels and measures.levels is not None:
        known = set(measures.levels.tolist())
        phrases += [level_name(level, measures.level_kind) for level in sorted(set(levels) - known)]
    return phrases


def peak_row(measures: CordMeasures) -> dict | None:
    """Return the row of the lumbar peak, the mean over 10 mm where the lumbar enlargement is largest, whatever its level.

    None if levels are not known, or if the area does not decrease again on both sides within the view.
    """
    profile = measures.profile
    if measures.levels is None:
        return None
    first, last = LUMBAR[measures.level_kind]
    around = (measures.levels >= first) & (measures.levels <= last) & profile.whole
    if around.sum() < 3:
        return None
    area = fit_smooth(
        profile.frame.position_mm, profile.values["area_mm2"][:, None], around.astype(float), cutoff_mm=PEAK_CUTOFF_MM
    )
    smooth = np.where(around, area.values[:, 0], -np.inf)
    away = profile.distance_mm - profile.distance_mm[smooth.argmax()]
    if not (away[around].min() <= -PEAK_MM and away[around].max() >= PEAK_MM):
        return None
    return _mean_row(measures, around & (np.abs(away) <= PEAK_MM / 2), "level") | {"level": LUMBAR_PEAK}


def empty_row(*, gray: bool = False, white: bool = False, image: bool = False, segments: bool = False) -> dict:
    """Return the row of a mask without cord, so that its subject is in the table, too.

    The arguments tell which optional inputs were given, and thereby which columns it has.
    """
    row = {
        "scope": "whole",
        "slice": "",
        "level": "",
        "level_kind": "",
        "n_slices": 0,
        "distance_from_top_mm": None,
        "flags": "empty",
    }
    if segments:
        row |= {f"{SEGMENT}{end}{side}_mm": None for end in ("top", "bottom") for side in ("", "_low", "_high")}
    added = {"area_gray_mm2": gray, "area_white_mm2": gray or white, "gray_cord_ratio": gray, "area_edge_mm2": image}
    names = [name for name in MEASURES if name in CORD_MEASURES or added[name]]
    return row | {name + suffix: None for name in names for suffix in ("", SE, SD)}


def name_parts(path: str | Path) -> dict[str, str]:
    """Return the BIDS entities sub, ses and run of a file's name, "" for missing ones."""
    return {key: (re.search(rf"(?:^|_){key}-([A-Za-z0-9]+)", Path(path).name) or ["", ""])[1] for key in ("sub", "ses", "run")}


def _slice_row(measures: CordMeasures, i: int) -> dict:
    profile = measures.profile
    level = 0 if measures.levels is None else int(measures.levels[i])
    row = {
        "scope": "slice",
        "slice": str(profile.slices[i]),
        "level": level_name(level, measures.level_kind) if level else "",
        "level_kind": measures.level_kind,
        "n_slices": int(profile.whole[i]),
        "distance_from_top_mm": float(profile.distance_mm[i]),
        "flags": profile.flags[i],
        **_segment_bounds(measures.segments, None),
    }
    for name, values in profile.values.items():
        row |= {name: float(values[i]), name + SE: float(profile.errors[name][i]), name + SD: None}
    return row


def _mean_row(measures: CordMeasures, chosen: np.ndarray, scope: str) -> dict:
    profile = measures.profile
    used = chosen & profile.whole
    used = used if used.any() else chosen
    numbers = [] if measures.levels is None else sorted({int(level) for level in measures.levels[chosen] if level > 0})
    names = [level_name(number, measures.level_kind) for number in numbers]
    row = {
        "scope": scope,
        "slice": format_list(profile.slices[chosen]),
        "level": f"{names[0]}:{names[-1]}" if len(names) > 1 else "".join(names),
        "level_kind": measures.level_kind,
        "n_slices": int((chosen & profile.whole).sum()),
        "distance_from_top_mm": float(profile.distance_mm[chosen].mean()),
        "flags": ";".join(sorted({flag for i in np.flatnonzero(chosen) for flag in profile.flags[i].split(";") if flag})),
    }
    row |= _segment_bounds(measures.segments, numbers[0] if scope == "level" else None)
    count = cache(lambda known: independent_slices(profile, np.frombuffer(known, bool)))  # most measures have the same slices
    for name in profile.values:
        add = MEASURES[name].is_sum
        known = (chosen if add else used) & np.isfinite(profile.values[name])
        value, error, spread = _combine(profile, name, known, count(known.tobytes()) if known.any() else 0.0, add)
        row |= {name: value, name + SE: error, name + SD: spread}
    return row


def _segment_bounds(segments: Segments | None, number: int | None) -> dict[str, float | None]:
    """Return the beginning and end of an estimated segment along the cord, with 90 % intervals; empty without a segment."""
    out = {}
    if segments is not None:
        for end, below in (("top", 1), ("bottom", 0)):
            for name, positions_mm in (("", segments.position_mm), ("_low", segments.low_mm), ("_high", segments.high_mm)):
                out[f"{SEGMENT}{end}{name}_mm"] = None if number is None else float(positions_mm[number - below])
    return out


def _combine(profile: Profile, name: str, chosen: np.ndarray, count: float, add: bool) -> tuple[float, float, float | None]:
    """Return the mean (or sum) of a measure over slices, its standard error, and the standard deviation over several slices.

    The common part of the error remains; the rest decreases with the square root of `count`, the number of independent slices.
    """
    if not chosen.any():
        return float("nan"), float("nan"), float("nan")
    values, errors, shared = (part[name][chosen] for part in (profile.values, profile.errors, profile.shared))
    independent = np.sqrt(np.maximum(errors**2 - shared**2, 0).mean() / count)
    error = float(np.hypot(independent, shared.mean()))
    if add:
        return float(values.sum()), error * len(values), None
    return float(values.mean()), error, float(values.std()) if len(values) > 1 else None


def independent_slices(profile: Profile, chosen: np.ndarray) -> float:
    """Return the effective number of slices with independent errors.

    It is lower if the errors of neighbors are correlated, or if a binary mask's outline has the same position on the grid; a
    quarter of a voxel further, the same outline meets other voxels.
    """
    correlation = min(profile.correlation, MOST_CORRELATION)
    count = chosen.sum() * (1 - correlation) / (1 + correlation)
    if not profile.mask.soft:
        sizes = np.column_stack([profile.values["diameter_RL_mm"], profile.values["diameter_AP_mm"]])[chosen]
        sides = np.diag(profile.grid.matrix)[:2]
        alike = float(grid_correlation(profile.frame.centers_mm[chosen], sizes, sides).mean())
        count = min(count, 1 / max(alike, 1e-9))
    return max(float(count), 1.0)
