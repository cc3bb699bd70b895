"""How `spineseg group` writes tables and page, and what it says of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from spineseg_cli.cli.console import report


def run_group(bids: Path, out: Path, selection, settings, rating_files: Sequence[Path], verbose: int) -> str:
    """Write a cohort's tables and its page; return a sentence on what is not finished, "" if all is."""
    from spineseg_cli.cohort.group import run_group as write_group
    from spineseg_cli.cohort.participant import choose_scans
    from spineseg_cli.cohort.ratings import rater_agreement, read_ratings

    scans = choose_scans(bids, selection, settings)
    ratings = [read_ratings(path) for path in rating_files]
    result = write_group(scans, out, settings, ratings)
    for path in result.files:
        report(str(path), verbose)
    for (first, one), (second, other) in combinations(zip(rating_files, ratings, strict=True), 2):
        count, kappa = rater_agreement(one, other)
        value = "not defined" if math.isnan(kappa) else f"{kappa:.2f}"
        report(f"{first.name} and {second.name}: {count} results marked by both, Cohen's kappa {value}", verbose)
    if result.unfinished:
        return f"{result.unfinished} of {result.scans} scans are not finished: see {out / 'group_summary.tsv'}"
    return ""
