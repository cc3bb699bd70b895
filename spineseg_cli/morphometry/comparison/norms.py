"""Comparison of measures with those of healthy people, by z-scores and centiles for each level."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, fmean, stdev

from spineseg_cli.errors import InputError
from spineseg_cli.morphometry.tables.columns import CENTILE, MEASURES, SE, Z

PUBLISHED = "published"
PUBLISHED_FILE = Path(__file__).with_name("norms.csv")
SUMMARY_COLUMNS = ("level_kind", "level", "measure", "mean", "sd")

# Measures that are compared, in this order.
COMPARED = ("area_mm2", "diameter_AP_mm", "diameter_RL_mm")

# Least number of controls: the spread of fewer ones is uncertain by more than half.
LEAST_CONTROLS = 5


@dataclass(frozen=True)
class Norm:
    """The distribution of a measure in a group, assumed to be normal, and where it was published."""

    mean: float
    sd: float
    source: str = ""


@dataclass(frozen=True)
class Norms:
    """Distributions by (kind of level, name of level, measure), and the name of their file, for those without a source."""

    table: Mapping[tuple[str, str, str], Norm]
    name: str

    def of_kind(self, kind: str) -> Norms:
        """Return the norms of levels of a kind, or all if there are none."""
        return Norms({key: norm for key, norm in self.table.items() if key[0] == kind} or self.table, self.name)

    @property
    def source(self) -> str:
        """The sources of the norms, or the name of their file."""
        return "; ".join(dict.fromkeys(filter(None, (norm.source for norm in self.table.values())))) or self.name

    def compare(self, row: dict) -> dict:
        """Return the columns `<measure>_z` and `<measure>_centile` for a row of one level; None without a norm.

        The error of a z-score is that of the measure over the group's standard deviation.
        """
        out: dict[str, float | None] = {}
        for name in self.measures:
            norm = self.table.get((row["level_kind"], row["level"], name))
            value, error = row.get(name), row.get(name + SE)
            z = z_error = None
            if norm is not None and value is not None and math.isfinite(value):
                z, z_error = (value - norm.mean) / norm.sd, None if error is None else error / norm.sd
            out |= {name + Z: z, name + Z + SE: z_error}
            out[name + CENTILE] = None if z is None else 100 * NormalDist().cdf(z)
        return out

    def bands(self, kind: str) -> dict[tuple[str, str], tuple[float, float]]:
        """Return the mean and the standard deviation of each measure of each level of a kind, by (level, measure)."""
        return {key[1:]: (norm.mean, norm.sd) for key, norm in self.table.items() if key[0] == kind}

    @property
    def levels(self) -> str:
        """A text that lists the levels with norms: "vertebral C2, C3, ...; spinal ..."."""
        names: dict[str, list[str]] = {}
        for kind, level, _ in self.table:
            names.setdefault(kind, []).append(level)
        return "; ".join(f"{kind} {', '.join(dict.fromkeys(levels))}" for kind, levels in names.items())

    @property
    def measures(self) -> list[str]:
        """The measures that have norms, in the order of `COMPARED`."""
        return [name for name in COMPARED if any(key[2] == name for key in self.table)]


def read_norms(name: str) -> Norms:
    """Return published norms (`PUBLISHED`), or those of a file.

    The file is a summary with the columns `SUMMARY_COLUMNS`, or a CSV table that `measure_cord` has written for controls, with a
    row for each subject and level (`-perlevel -append`).

    Raises
    ------
    InputError
        If the file is neither, or has too few controls.
    """
    path = PUBLISHED_FILE if name == PUBLISHED else Path(name)
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(f"cannot read the norms {name}: {reason}; expected a CSV file, or {PUBLISHED!r}") from error
    header = set(rows[0]) if rows else set()
    if set(SUMMARY_COLUMNS) <= header:
        return Norms(_from_summary(rows, name), str(name))
    if {"scope", "level", "level_kind", "area_mm2"} <= header:
        return Norms(_from_controls(rows, name), f"controls in {name}")
    wanted = ", ".join(SUMMARY_COLUMNS)
    raise InputError(f"expected norms with the columns {wanted}, or a table of measure_cord with levels; got {name}")


def _from_summary(rows: Iterable[dict], name: str) -> dict[tuple[str, str, str], Norm]:
    table = {}
    for number, row in enumerate(rows, 2):
        try:
            norm = Norm(float(row["mean"]), float(row["sd"]), row.get("source") or "")
        except (TypeError, ValueError):
            norm = None
        if norm is None or not norm.sd > 0 or row["measure"] not in MEASURES:
            raise InputError(f"line {number} of the norms {name} is not a measure with its mean and a standard deviation above 0")
        table[row["level_kind"], row["level"], row["measure"]] = norm
    return table


def _from_controls(rows: Iterable[dict], name: str) -> dict[tuple[str, str, str], Norm]:
    """Return mean and standard deviation over subjects; several sessions or runs of a subject are averaged first."""
    values: dict[tuple[str, str, str], dict[str, list[float]]] = {}
    for row in rows:
        if row["scope"] == "level" and "incomplete" not in row["flags"]:
            for measure in COMPARED:
                if row.get(measure):
                    group = values.setdefault((row["level_kind"], row["level"], measure), {})
                    group.setdefault(row["sub"] or row["file"], []).append(float(row[measure]))
    means = {key: [fmean(of_subject) for of_subject in group.values()] for key, group in values.items()}
    table = {key: Norm(fmean(group), stdev(group)) for key, group in means.items() if len(group) >= LEAST_CONTROLS}
    table = {key: norm for key, norm in table.items() if norm.sd > 0}
    if not table:
        raise InputError(f"expected at least {LEAST_CONTROLS} controls with levels in {name}; no level has as many: add more")
    return table
