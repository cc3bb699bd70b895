"""The verdict of a comparison in words: whether the finding of the source holds, and on what evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spineseg_cli.metrics.paired import MIN_PAIRS, SIGNIFICANT
from spineseg_cli.metrics.statistics import summarize
from spineseg_cli.reports.trainings.comparison import TEST, Comparison

SMALLER_IS_BETTER = {"MSD_mm", "HSD_mm", "HD95_mm", "SHD_mm", "SMD_mm"}

# The largest number of variants that a sentence names one by one.
MOST_NAMES = 6


@dataclass(frozen=True)
class _Evidence:
    """What the decisive metric on the test set shows about the reference."""

    summaries: Mapping[str, Mapping[str, float]]  # the statistics of each variant
    ranked: Sequence[str]  # the variants by their means, the best first
    # The variants than which the reference is shown to be better or worse, and all others, each with its adjusted p.
    better: Mapping[str, float | None]
    worse: Mapping[str, float | None]
    undecided: Mapping[str, float | None]
    narrower: Sequence[str]  # the variants with a smaller standard deviation than the reference


def verdict_of(comparison: Comparison) -> str:
    """Return the sentences that say whether the finding of the source holds here, and on what evidence."""
    metric, name = comparison.metrics[0], comparison.reference
    reference = comparison.variant(name)
    if reference is None or not np.isfinite(reference.values(TEST, metric)).any():
        return f"The variant {name} has no score yet: nothing can be said."
    evidence = _evidence(comparison, metric)
    summary, best = evidence.summaries[name], evidence.ranked[0]
    text = f"{metric} of {name}: {_summary_in_words(summary, comparison.unit)}, "
    if best == name:
        text += "the best mean"
    else:
        text += f"not the best mean, which is that of {best} ({evidence.summaries[best]['mean']:.3f})"
    text += _tests_in_words(evidence, comparison.unit, enough=summary["n"] >= MIN_PAIRS)
    has_spread = bool(np.isfinite(summary["std"]))
    text += f". The spread (standard deviation) is {_spread_in_words(evidence.narrower)}." if has_spread else "."
    if comparison.claim:
        text = _claim_in_words(comparison, evidence, has_spread) + text
    if comparison.short_budget:
        text += " This is a finding at a short budget: at the budget of the source it may be another."
    missing = comparison.planned - len(comparison.variants)
    return f"{text} {missing} of {comparison.planned} variants are not done yet." if missing > 0 else text


def _evidence(comparison: Comparison, metric: str) -> _Evidence:
    summaries = {variant.name: summarize(variant.values(TEST, metric)) for variant in comparison.variants}
    sign = -1 if metric in SMALLER_IS_BETTER else 1
    ranked = sorted(summaries, key=lambda name: -sign * np.nan_to_num(summaries[name]["mean"], nan=-sign * np.inf))
    tests = comparison.tests(metric)
    # A difference is shown if the test is significant and ranks and means changed in the same direction.
    directions = {n: sign * c.change for n, (c, p) in tests.items() if p is not None and p < SIGNIFICANT and not c.mixed}
    better, worse = ({n: tests[n][1] for n, change in directions.items() if change == wanted} for wanted in (1, -1))
    undecided = {n: p for n, (_, p) in tests.items() if n not in better and n not in worse}
    narrower = [name for name in summaries if summaries[name]["std"] < summaries[comparison.reference]["std"]]
    return _Evidence(summaries, ranked, better, worse, undecided, narrower)


def _summary_in_words(summary: Mapping[str, float], unit: str) -> str:
    if summary["n"] == 1:
        return f"{summary['mean']:.3f} on 1 {unit}"
    return f"{summary['mean']:.3f} +- {summary['std']:.3f} on {summary['n']} {unit}s"


def _tests_in_words(evidence: _Evidence, unit: str, enough: bool) -> str:
    """Return the results of the tests; `enough` says whether there are enough pairs for a test."""
    text = "" if enough else f"; too few {unit}s for a test ({MIN_PAIRS} are needed)"
    for words, shown in (("shown to be better than", evidence.better), ("shown to be worse than", evidence.worse)):
        text += f"; {words} {_listed([f'{name} (p = {p:.2g})' for name, p in shown.items()])}" if shown else ""
    return text + (f"; not shown to differ from {_listed(list(evidence.undecided))}" if evidence.undecided and enough else "")


def _spread_in_words(narrower: Sequence[str]) -> str:
    return f"smaller in {_listed(narrower)}" if narrower else "the smallest of all"


def _claim_in_words(comparison: Comparison, evidence: _Evidence, has_spread: bool) -> str:
    """Return the claim of the source, and whether it holds here."""
    if not has_spread:
        held = f"cannot be told from one {comparison.unit}"
    elif evidence.ranked[0] != comparison.reference:
        held = "does not hold here"
    elif evidence.undecided or evidence.worse or evidence.narrower:
        held = "holds here in part"
    else:
        held = "holds here"
    return f"{comparison.source} found: {comparison.claim}. That {held}. "


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= MOST_NAMES else f"{len(names)} of the other variants"
