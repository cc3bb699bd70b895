"""The variants of a study side by side: statistics, paired tests, and what they say of the source's finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spineseg_cli.core.tables import write_rows
from spineseg_cli.metrics.names import METRICS
from spineseg_cli.metrics.paired import MIN_PAIRS, SIGNIFICANT, PairedComparison, compare_paired, holm
from spineseg_cli.metrics.statistics import STATISTICS, summarize
from spineseg_cli.metrics.table import Table
from spineseg_cli.reports.pages import Picture

TEST = "test"
COLUMNS = ("data", "variant", "metric", *STATISTICS, "reference", "pairs", "p", "p_holm")
SMALLER_IS_BETTER = {"MSD_mm", "HSD_mm", "HD95_mm", "SHD_mm", "SMD_mm"}
# The variant that each factor of a sweep is compared with, unless it says another.
BASE = "base"
# Variants that a sentence names one by one.
MOST_NAMES = 6

# Subject to value, for each metric.
Scores = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class VariantResult:
    """What a variant gave.

    Parameters
    ----------
    scores : mapping of str to Scores
        By data set: `TEST` first, then those that are reported on beside it.
    facts : mapping of str to str
        What it started from, and what it took.
    history : sequence of mapping
        Rows of `history.csv`; none for a variant that was not trained.
    factor, value, base : str
        Of a sweep: what differs from the base variant, and its name.
    figures : sequence of str
        SVG elements of its own.
    """

    name: str
    scores: Mapping[str, Scores]
    facts: Mapping[str, str] = field(default_factory=dict)
    history: Sequence[Mapping[str, float]] = field(default_factory=tuple)
    factor: str = ""
    value: str = ""
    base: str = BASE
    figures: Sequence[str] = field(default_factory=tuple)

    def values(self, data: str, metric: str) -> list[float]:
        """Return a metric of each subject of a data set; none if the variant was not scored on it."""
        return list(self.scores.get(data, {}).get(metric, {}).values())


@dataclass(frozen=True)
class Comparison:
    """Variants side by side.

    Parameters
    ----------
    title, source, claim : str
        The study's, the publication it repeats, and what that found best.
    unit : str
        What is compared in pairs: "subject".
    metrics : sequence of str
        What is shown; the first decides.
    reference : str
        The variant that the others are compared with.
    charts : sequence of str
        "boxes", "histograms".
    planned : int
        Variants of the study, done or not.
    short_budget : bool
        Whether the variants were trained for less than their source trained: the verdict says so.
    """

    title: str
    metrics: Sequence[str]
    reference: str
    variants: Sequence[VariantResult]
    source: str = ""
    claim: str = ""
    unit: str = "subject"
    facts: Mapping[str, str] = field(default_factory=dict)
    split: Mapping[str, str] = field(default_factory=dict)
    charts: Sequence[str] = ("boxes",)
    pictures: Sequence[Picture] = field(default_factory=tuple)
    planned: int = 0
    short_budget: bool = False

    @property
    def data_sets(self) -> list[str]:
        """The data sets that any variant was scored on, the test first."""
        return list(dict.fromkeys(name for variant in self.variants for name in variant.scores))

    def variant(self, name: str) -> VariantResult | None:
        """Return a variant that is done, or None."""
        return next((variant for variant in self.variants if variant.name == name), None)

    def tests(self, metric: str, data: str = TEST) -> dict[str, tuple[PairedComparison, float | None]]:
        """Return each other variant's comparison with the reference ("after"), and its p adjusted for the number of variants."""
        best = self.variant(self.reference)
        if best is None:
            return {}
        after = best.scores.get(data, {}).get(metric, {})
        comparisons = {
            variant.name: compare_paired(variant.scores.get(data, {}).get(metric, {}), after)
            for variant in self.variants
            if variant is not best
        }
        return dict(
            zip(comparisons, zip(comparisons.values(), holm([c.p for c in comparisons.values()]), strict=True), strict=True)
        )

    def _in_words(self, summary: Mapping[str, float]) -> str:
        if summary["n"] == 1:
            return f"{summary['mean']:.3f} on 1 {self.unit}"
        return f"{summary['mean']:.3f} +- {summary['std']:.3f} on {summary['n']} {self.unit}s"

    @property
    def verdict(self) -> str:
        """The sentences that say whether what the source found holds here, and on what evidence."""
        metric = self.metrics[0]
        best = self.variant(self.reference)
        if best is None or not np.isfinite(best.values(TEST, metric)).any():
            return f"The variant {self.reference} has no score yet: nothing can be said."
        means = {variant.name: summarize(variant.values(TEST, metric)) for variant in self.variants}
        sign = -1 if metric in SMALLER_IS_BETTER else 1
        ranked = sorted(means, key=lambda name: -sign * np.nan_to_num(means[name]["mean"], nan=-sign * np.inf))
        first, summary = ranked[0] == best.name, means[best.name]
        tests = self.tests(metric)
        agreed = {n: sign * c.change for n, (c, p) in tests.items() if p is not None and p < SIGNIFICANT and not c.mixed}
        shown, worse = ([name for name, change in agreed.items() if change == wanted] for wanted in (1, -1))
        undecided = [name for name in tests if name not in shown + worse]
        narrow = [name for name in means if means[name]["std"] < summary["std"]]
        text = f"{metric} of {best.name}: {self._in_words(summary)}, "
        text += "the best mean" if first else f"not the best mean, which is that of {ranked[0]} ({means[ranked[0]]['mean']:.3f})"
        text += self._tests_in_words(tests, shown, worse, undecided, enough=summary["n"] >= MIN_PAIRS)
        has_spread = bool(np.isfinite(summary["std"]))
        text += f". The spread (standard deviation) is {_spread_of(narrow)}." if has_spread else "."
        if self.claim:
            text = self._claim_in_words(first, has_spread, in_part=bool(undecided or worse or narrow)) + text
        if self.short_budget:
            text += " This is a finding at a short budget: at the budget of the source it may be another."
        missing = self.planned - len(self.variants)
        return f"{text} {missing} of {self.planned} variants are not done yet." if missing > 0 else text

    def _tests_in_words(
        self, tests: Mapping, shown: Sequence[str], worse: Sequence[str], undecided: Sequence[str], enough: bool
    ) -> str:
        """Return which variants the reference is shown to be better or worse than; `enough` pairs for a test, or not."""
        text = "" if enough else f"; too few {self.unit}s for a test ({MIN_PAIRS} are needed)"
        for words, names in (("shown to be better than", shown), ("shown to be worse than", worse)):
            text += f"; {words} {_some([f'{n} (p = {tests[n][1]:.2g})' for n in names])}" if names else ""
        return text + (f"; not shown to differ from {_some(undecided)}" if undecided and enough else "")

    def _claim_in_words(self, first: bool, has_spread: bool, in_part: bool) -> str:
        """Return whether what the source found holds: `first`, the reference has the best mean."""
        if not has_spread:
            held = f"cannot be told from one {self.unit}"
        elif first:
            held = "holds here in part" if in_part else "holds here"
        else:
            held = "does not hold here"
        return f"{self.source} found: {self.claim}. That {held}. "


def _spread_of(narrower: Sequence[str]) -> str:
    return f"smaller in {_some(narrower)}" if narrower else "the smallest of all"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= MOST_NAMES else f"{len(names)} of the other variants"


def scores_by_subject(table: Table, subjects: Sequence[str]) -> Scores:
    """Return every metric's mean over each subject's scans: see `metrics.table.Table.by_subject`."""
    return {metric: table.by_subject(subjects, metric) for metric in METRICS}


def write_tables(folder: Path, comparison: Comparison) -> None:
    """Write to a folder `comparison.csv`, every metric of every variant, and `scores.csv`, those of every subject."""
    write_rows(folder / "comparison.csv", COLUMNS, comparison_rows(comparison))
    rows = [
        {"data": data, "variant": variant.name, comparison.unit: subject}
        | {metric: variant.scores[data][metric][subject] for metric in METRICS}
        for variant in comparison.variants
        for data in variant.scores
        for subject in variant.scores[data][METRICS[0]]
    ]
    write_rows(folder / "scores.csv", ("data", "variant", comparison.unit, *METRICS), rows)


def comparison_rows(comparison: Comparison) -> list[dict]:
    """Return a row for each data set, variant and metric: its statistics, and the test against the reference."""
    rows = []
    for data in comparison.data_sets:
        tests = {metric: comparison.tests(metric, data) for metric in METRICS}
        for variant in (variant for variant in comparison.variants if data in variant.scores):
            for metric in METRICS:
                paired, adjusted = tests[metric].get(variant.name, (None, None))
                test = {"reference": comparison.reference, "pairs": paired.n, "p": paired.p, "p_holm": adjusted} if paired else {}
                keys = {"data": data, "variant": variant.name, "metric": metric}
                rows.append(keys | summarize(variant.values(data, metric)) | test)
    return rows
