"""The split of subjects for training, validation and test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spineseg_cli.core.tables import write_rows
from spineseg_cli.errors import InputError
from spineseg_cli.training.data.scan_tables import person_of, read_scan_table

SUBSETS = ("train", "validation", "test")
COLUMNS = ("participant_id", "subset")

Split = dict[str, str]


@dataclass(frozen=True)
class SplitRequest:
    """How the subjects are to be split."""

    file: Path | None = None  # A table of the split: see `read_split`. By default the split is random.
    fractions: tuple[float, float] = (0.2, 0.2)  # the fractions of subjects for test and for validation
    stratify: str | None = None  # the column to stratify by: see `training.data.scan_tables.read_traits`
    folds: int | None = None  # the number of runs of a cross-validation, in which each subject is tested once


def split_subjects(
    subjects: Iterable[str], test_fraction: float, validation_fraction: float, seed: int, strata: Mapping[str, str] | None = None
) -> Split:
    """Return a random subset for each subject.

    A subset with a fraction above 0 gets at least one subject. `strata` are the stratum of each subject: strata with enough
    subjects for all subsets are split separately, smaller ones together.

    Raises InputError if the fractions leave nothing to train on, there are fewer subjects than subsets, or a subject has no
    stratum.
    """
    fractions = {"test": test_fraction, "validation": validation_fraction}
    if not (0 <= test_fraction < 1 and 0 < validation_fraction < 1 and test_fraction + validation_fraction < 1):
        raise InputError(
            f"expected fractions that leave subjects to train on, and a validation fraction above 0; got test {test_fraction:g}, "
            f"validation {validation_fraction:g}"
        )
    subsets = [subset for subset, fraction in fractions.items() if fraction > 0]
    rng = np.random.default_rng(seed)
    split: Split = {}
    for group in _groups(subjects, strata, len(subsets) + 1):
        counts = {subset: max(1, round(fractions[subset] * len(group))) for subset in subsets}
        while sum(counts.values()) >= len(group):
            counts[max(counts, key=lambda subset: counts[subset])] -= 1
        drawn = iter(rng.permutation(group).tolist())
        split |= {next(drawn): subset for subset, count in counts.items() for _ in range(count)}
        split |= dict.fromkeys(drawn, "train")
    return dict(sorted(split.items()))


def split_folds(
    subjects: Iterable[str], folds: int, validation_fraction: float, seed: int, strata: Mapping[str, str] | None = None
) -> list[Split]:
    """Return a split for each fold of a cross-validation, in which each subject is tested once.

    The remaining subjects of each fold are split by `split_subjects`. Raises InputError as that does, or if there are fewer than
    two folds, or too few subjects for so many.
    """
    subjects = sorted(set(subjects))
    if not 2 <= folds <= len(subjects):
        raise InputError(f"expected 2 to {len(subjects)} folds, as many as there are subjects; got {folds}")
    rng = np.random.default_rng(seed)
    dealt = [name for group in _groups(subjects, strata, 1) for name in rng.permutation(group).tolist()]
    splits = []
    for fold in range(folds):
        tested = set(dealt[fold::folds])
        others = [name for name in subjects if name not in tested]
        split = split_subjects(others, 0, validation_fraction, seed, strata) | dict.fromkeys(tested, "test")
        splits.append(dict(sorted(split.items())))
    return splits


def read_split(path: Path, subjects: Iterable[str]) -> Split:
    """Return the subset of each subject from a table with the columns participant_id and subset.

    Sessions that the table lists separately (sub-01Ses1, sub-01Ses2) belong to one subject, and must be in one subset.

    Raises InputError if a subject is missing or in two subsets, a subset is unknown, or the subset for training or validation is
    empty.
    """
    wanted = set(subjects)
    listed: Split = {}
    for row in read_scan_table(path, COLUMNS):
        name, subset = row["participant_id"], row["subset"]
        name = name if name in wanted else person_of(name)
        if subset not in SUBSETS:
            raise InputError(f"expected one of {', '.join(SUBSETS)} as the subset of {name} in {path}; got {subset!r}")
        if listed.setdefault(name, subset) != subset:
            raise InputError(f"{name} is in two subsets in {path}: {listed[name]} and {subset}")
    missing = sorted(wanted - set(listed))
    if missing:
        raise InputError(f"{path} gives no subset to {', '.join(missing)}")
    split = {name: listed[name] for name in sorted(wanted)}
    for subset in ("train", "validation"):
        if subset not in split.values():
            raise InputError(f"{path} has no subject with labeled scans in the subset {subset}")
    return split


def write_split(path: Path, split: Split) -> None:
    """Write a split as a table that `read_split` can read."""
    write_rows(path, COLUMNS, split.items(), delimiter="\t")


def _groups(subjects: Iterable[str], strata: Mapping[str, str] | None, least: int) -> list[list[str]]:
    """Return the subjects in groups that are split separately, each of at least `least` subjects.

    Strata that are smaller than that are pooled; if even the pool is too small, it is added to the largest stratum.
    """
    subjects = sorted(set(subjects))
    if len(subjects) < least:
        raise InputError(f"expected {least} subjects or more, one for each subset; got {len(subjects)}")
    if strata is None:
        return [subjects]
    missing = [name for name in subjects if not strata.get(name)]
    if missing:
        raise InputError(f"no entry to stratify by for {', '.join(missing)}: complete the table, or leave out --stratify")
    groups: dict[str, list[str]] = {}
    for name in subjects:
        groups.setdefault(strata[name], []).append(name)
    large = [groups[key] for key in sorted(groups) if len(groups[key]) >= least]
    small = [name for key in sorted(groups) if len(groups[key]) < least for name in groups[key]]
    if len(small) >= least or not large:
        return [*large, *([small] if small else [])]
    if small:
        largest = max(range(len(large)), key=lambda index: len(large[index]))
        large[largest] = sorted(large[largest] + small)
    return large
