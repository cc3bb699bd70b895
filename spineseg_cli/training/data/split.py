"""Subjects parted into those to train, to validate and to test on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from spineseg_cli.core.files import atomic_path
from spineseg_cli.errors import InputError
from spineseg_cli.training.data.dataset import read_rows

PARTS = ("train", "validation", "test")
COLUMNS = ("participant_id", "part")

Split = dict[str, str]


def split_subjects(
    subjects: Iterable[str], test_share: float, validation_share: float, seed: int, strata: Mapping[str, str] | None = None
) -> Split:
    """Return the part of each subject, drawn by `seed`; the order of `subjects` does not matter.

    Parameters
    ----------
    subjects : iterable of str
    test_share, validation_share : float
        Shares of the subjects; each part with a share above 0 gets a subject at least.
    seed : int
    strata : mapping of str to str, optional
        The stratum of each subject: strata of three subjects or more are split each by itself, smaller ones together.

    Raises
    ------
    InputError
        If the shares leave nothing to train on, there are fewer subjects than parts, or a subject has no stratum.
    """
    shares = {"test": test_share, "validation": validation_share}
    if not (0 <= test_share < 1 and 0 < validation_share < 1 and test_share + validation_share < 1):
        raise InputError(
            f"expected shares that leave subjects to train on, and a validation share above 0; got test {test_share:g}, "
            f"validation {validation_share:g}"
        )
    parts = [part for part, share in shares.items() if share > 0]
    rng = np.random.default_rng(seed)
    split = {}
    for group in _groups(subjects, strata, len(parts) + 1):
        counts = {part: max(1, round(shares[part] * len(group))) for part in parts}
        while sum(counts.values()) >= len(group):
            counts[max(counts, key=lambda part: counts[part])] -= 1
        drawn = iter(rng.permutation(group).tolist())
        split |= {next(drawn): part for part, count in counts.items() for _ in range(count)}
        split |= dict.fromkeys(drawn, "train")
    return dict(sorted(split.items()))


def split_folds(
    subjects: Iterable[str], folds: int, validation_share: float, seed: int, strata: Mapping[str, str] | None = None
) -> list[Split]:
    """Return a split for each fold; every subject is tested on in one of them.

    Parameters are those of `split_subjects`, which parts the subjects that are not tested on.

    Raises
    ------
    InputError
        As `split_subjects`; or if there are fewer than two folds, or too few subjects for so many.
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
        split = split_subjects(others, 0, validation_share, seed, strata) | dict.fromkeys(tested, "test")
        splits.append(dict(sorted(split.items())))
    return splits


def read_split(path: Path, subjects: Iterable[str]) -> Split:
    """Return the part of each of `subjects` from a table with the columns participant_id and part.

    Raises InputError if a subject is missing or listed twice, a part is unknown, or there is nothing to train or validate on.
    """
    listed: Split = {}
    for row in read_rows(path, COLUMNS):
        name, part = row["participant_id"], row["part"]
        if part not in PARTS:
            raise InputError(f"expected one of {', '.join(PARTS)} as the part of {name} in {path}; got {part!r}")
        if listed.setdefault(name, part) != part:
            raise InputError(f"{name} is in two parts in {path}: {listed[name]} and {part}")
    missing = sorted(set(subjects) - set(listed))
    if missing:
        raise InputError(f"{path} gives no part to {', '.join(missing)}")
    split = {name: listed[name] for name in sorted(set(subjects))}
    for part in ("train", "validation"):
        if part not in split.values():
            raise InputError(f"{path} has no subject with labeled scans in the part {part}")
    return split


def write_split(path: Path, split: Split) -> None:
    """Write a split as `read_split` reads it."""
    lines = ["\t".join(row) for row in (COLUMNS, *split.items())]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _groups(subjects: Iterable[str], strata: Mapping[str, str] | None, least: int) -> list[list[str]]:
    """Return the subjects by stratum, those of strata with fewer than `least` together, or with the largest if they are few."""
    subjects = sorted(set(subjects))
    if len(subjects) < least:
        raise InputError(f"expected {least} subjects or more, one for each part; got {len(subjects)}")
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
        place = max(range(len(large)), key=lambda i: len(large[i]))
        large[place] = sorted(large[place] + small)
    return large
