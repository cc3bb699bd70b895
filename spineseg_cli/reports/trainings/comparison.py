"""The comparison of the variants of a study: statistics, paired tests and tables; `comparison_verdict` puts it in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spineseg_cli.core.tables import write_rows
from spineseg_cli.metrics.metric_set import METRICS
from spineseg_cli.metrics.paired import PairedComparison, compare_paired, holm
from spineseg_cli.metrics.statistics import STATISTICS, summarize
from spineseg_cli.metrics.table import Table
from spineseg_cli.reports.trainings.rendering import Picture

TEST = "test"
COLUMNS = ("data", "variant", "metric", *STATISTICS, "reference", "pairs", "p", "p_holm")
# The default name of the variant with which the factors of a sweep are compared.
BASE = "base"

# The value of each subject, for each metric.
Scores = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class VariantResult:
    """The result of a variant."""

    name: str
    scores: Mapping[str, Scores]  # the scores on each data set: `TEST` first, then extra data sets
    facts: Mapping[str, str] = field(default_factory=dict)  # the initial weights, changes, epochs, training time and so on
    # The rows of `history.csv`; none for a variant that was not trained.
    history: Sequence[Mapping[str, float]] = field(default_factory=tuple)
    # For a variant of a sweep, the factor that it changes, the value of this, and the name of the base variant.
    factor: str = ""
    value: str = ""
    base: str = BASE
    figures: Sequence[str] = field(default_factory=tuple)  # further figures, as SVG elements

    def values(self, data: str, metric: str) -> list[float]:
        """Return a metric of each subject of a data set, nothing if the variant was not scored on it."""
        return list(self.scores.get(data, {}).get(metric, {}).values())


@dataclass(frozen=True)
class Comparison:
    """The comparison of the variants of a study."""

    title: str
    metrics: Sequence[str]  # the metrics to show; the first is decisive
    reference: str  # the name of the variant with which the others are compared
    variants: Sequence[VariantResult]
    # The publication that the study repeats, and its finding in words.
    source: str = ""
    claim: str = ""
    unit: str = "subject"  # the unit that is compared in pairs, such as "subject"
    facts: Mapping[str, str] = field(default_factory=dict)
    split: Mapping[str, str] = field(default_factory=dict)  # the subset of each subject
    charts: Sequence[str] = ("boxes",)  # charts to show: "boxes", "histograms"
    pictures: Sequence[Picture] = field(default_factory=tuple)
    planned: int = 0  # the number of variants of the study, done or not
    short_budget: bool = False  # whether the variants were trained for less time than in the source, which the verdict mentions

    @property
    def data_sets(self) -> list[str]:
        """All data sets on which a variant was scored, the test set first."""
        return list(dict.fromkeys(name for variant in self.variants for name in variant.scores))

    def scored_on(self, data: str) -> list[VariantResult]:
        """Return the variants that were scored on a data set."""
        return [variant for variant in self.variants if data in variant.scores]

    def variant(self, name: str) -> VariantResult | None:
        """Return a variant that is done, or None."""
        return next((variant for variant in self.variants if variant.name == name), None)

    def tests(self, metric: str, data: str = TEST) -> dict[str, tuple[PairedComparison, float | None]]:
        """Return the paired comparison of each other variant with the reference, and its p after Holm's adjustment.

        In a comparison, the reference is "after" and the other variant "before".
        """
        reference = self.variant(self.reference)
        if reference is None:
            return {}
        after = reference.scores.get(data, {}).get(metric, {})
        others = [variant for variant in self.variants if variant is not reference]
        comparisons = [compare_paired(variant.scores.get(data, {}).get(metric, {}), after) for variant in others]
        adjusted = holm([comparison.p for comparison in comparisons])
        return {variant.name: pair for variant, pair in zip(others, zip(comparisons, adjusted, strict=True), strict=True)}

    @property
    def verdict(self) -> str:
        """Sentences that say whether the finding of the source holds here: see `comparison_verdict.verdict_of`."""
        from spineseg_cli.reports.trainings.comparison_verdict import verdict_of

        return verdict_of(self)


def scores_by_subject(table: Table, subjects: Sequence[str]) -> Scores:
    """Return the mean of each metric over the scans of each subject: see `metrics.table.Table.by_subject`."""
    return {metric: table.by_subject(subjects, metric) for metric in METRICS}


def write_tables(folder: Path, comparison: Comparison) -> None:
    """Write the statistics of all variants to `comparison.csv` and the scores of all subjects to `scores.csv` in a folder."""
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
    """Return a row for each data set, variant and metric, with its statistics and the test against the reference."""
    rows = []
    for data in comparison.data_sets:
        tests = {metric: comparison.tests(metric, data) for metric in METRICS}
        for variant in comparison.scored_on(data):
            for metric in METRICS:
                paired, adjusted = tests[metric].get(variant.name, (None, None))
                test = {"reference": comparison.reference, "pairs": paired.n, "p": paired.p, "p_holm": adjusted} if paired else {}
                keys = {"data": data, "variant": variant.name, "metric": metric}
                rows.append(keys | summarize(variant.values(data, metric)) | test)
    return rows
