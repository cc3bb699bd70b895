"""Descriptions of cohorts of phantoms, so that a study can be run without any data. `phantom_cohort_files` writes them to disk.

There are two kinds. `phantoms` are subjects of given sizes, regions and contrasts, with one scan each. `exvivo` is one long scan
in which a few evenly spaced slices are labeled for training, as in the ex vivo study of Perone et al. 2018.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from spineseg_cli.errors import InputError
from spineseg_cli.synthesis.anatomy import NAMES
from spineseg_cli.synthesis.scanner import PHANTOM_CONTRASTS


@dataclass(frozen=True)
class PhantomCohort:
    """Subjects with one scan each. Values are drawn uniformly from their ranges; contrasts and regions are taken in turn."""

    subjects: int
    # The first and the last vertebra of each region, by its name. Each subject is scanned in one region, which is listed in the
    # column `region` of participants.tsv.
    regions: Mapping[str, Sequence[str]]
    slab_mm: float | None = None  # length of an adult's scan, at a random position in the region; None scans the whole region
    contrasts: Sequence[str] = ("t2s",)  # names from `scanner.PHANTOM_CONTRASTS`
    # See `phantom.make_phantom`.
    size_scale: Sequence[float] = (1.0, 1.0)
    noise: Sequence[float] = (0.03, 0.03)
    bias: Sequence[float] = (0.2, 0.2)
    # Exponent that is applied to the intensities over the scan's 99th percentile, so that contrast differs between subjects.
    gamma: Sequence[float] = (1.0, 1.0)
    # See `phantom.make_phantom`; the field of view is that of an adult.
    spacing_mm: Sequence[float] = (0.5, 0.5, 5.0)
    fov_mm: Sequence[float] = (80.0, 80.0)
    seed: int = 1


@dataclass(frozen=True)
class ExVivoCohort:
    """One scan, divided into evenly spaced training slices, validation slices halfway between two of these, and test slices.

    The test slices are grouped into slabs of neighboring slices. Each slab counts as a subject, so that scores can be compared in
    pairs.
    """

    slices: int = 480
    # The number of training and of validation slices; the second must be smaller.
    train: int = 15
    validation: int = 7
    # See `exvivo.make_exvivo_cord`.
    spacing_mm: Sequence[float] = (0.1, 0.1, 0.5)
    side_mm: float = 18.0
    start_mm: float = 5.0
    noise: float = 0.05
    bias: float = 0.3
    seed: int = 1


KINDS = {"phantoms": PhantomCohort, "exvivo": ExVivoCohort}
Cohort = PhantomCohort | ExVivoCohort


def read_cohort(content: Mapping[str, Any]) -> Cohort:
    """Return the cohort that a mapping describes, after checking it.

    Raises InputError if a field is unknown, missing, or out of its range.

    `content` has the key `kind` of `KINDS`, and fields of the class that it names.
    """
    options = dict(content)
    kind = options.pop("kind", None)
    if kind not in KINDS:
        raise InputError(f"a cohort's kind is one of {', '.join(KINDS)}; got {kind!r}: choose one of these")
    known = [f.name for f in fields(KINDS[kind])]
    unknown = sorted(str(name) for name in options.keys() - set(known))
    if unknown:
        raise InputError(f"a cohort of {kind} has no {', '.join(unknown)}; expected some of {', '.join(known)}")
    try:
        cohort = KINDS[kind](**options)
        (_check_phantoms if kind == "phantoms" else _check_exvivo)(cohort)
    except TypeError as error:
        raise InputError(f"the cohort of {kind} is incomplete or has a value of the wrong type: {error}") from error
    return cohort


def _check_phantoms(cohort: PhantomCohort) -> None:
    _expect(_is_count(cohort.subjects, 3), "subjects", "a whole number of 3 or more", cohort.subjects)
    regions = cohort.regions
    fits = isinstance(regions, Mapping) and regions and all(_is_region(ends) for ends in regions.values())
    _expect(fits, "regions", "pairs of vertebrae from C1 to S3, the upper first", regions)
    fits = bool(cohort.contrasts) and all(name in PHANTOM_CONTRASTS for name in cohort.contrasts)
    _expect(fits, "contrasts", f"a list of {', '.join(PHANTOM_CONTRASTS)}", cohort.contrasts)
    for name, low in (("size_scale", 0.3), ("noise", 0.0), ("bias", 0.0), ("gamma", 0.1)):
        value = getattr(cohort, name)
        fits = len(value) == 2 and low <= value[0] <= value[1] <= 4
        _expect(fits, name, f"a range within {low:g} to 4", value)
    slab = cohort.slab_mm
    _expect(slab is None or slab > 0, "slab_mm", "a length above 0, or null", slab)


def _check_exvivo(cohort: ExVivoCohort) -> None:
    train, validation = cohort.train, cohort.validation
    _expect(_is_count(train, 2) and cohort.slices >= 4 * train, "train", "2 slices or more, of four times as many", train)
    _expect(_is_count(validation, 1) and validation < train, "validation", f"1 to {train - 1} slices", validation)


def _expect(holds: Any, name: str, expected: str, value: Any) -> None:
    if not holds:
        raise InputError(f"a cohort's {name} must be {expected}; got {value!r}")


def _is_count(value: Any, least: int) -> bool:
    """Return whether `value` is a whole number of `least` or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_region(ends: Any) -> bool:
    return len(ends) == 2 and all(name in NAMES for name in ends) and NAMES.index(ends[0]) <= NAMES.index(ends[1])
