"""The results of an experiment so far, as a comparison of its variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from spineseg_cli import __version__
from spineseg_cli.core.provenance import command_line
from spineseg_cli.experiments.config import Experiment
from spineseg_cli.experiments.plan import VariantPlan
from spineseg_cli.reports.trainings.comparison import TEST, Comparison, Scores, VariantResult
from spineseg_cli.reports.trainings.rendering import Picture
from spineseg_cli.tasks.registry import TASKS
from spineseg_cli.training.data.split import SUBSETS, Split
from spineseg_cli.training.evaluation import Evaluation
from spineseg_cli.training.report import options_in_words, picture_of
from spineseg_cli.training.run import Run

# The largest number of variants with pictures.
MOST_PICTURES = 6


def result_of(plan: VariantPlan, run: Run | None, scores: Mapping[str, Scores]) -> VariantResult:
    """Return the result of a variant, with its history, figures and facts."""
    variant = plan.variant
    figures = [path.read_text(encoding="utf-8") for path in sorted(plan.folder.glob("range_test*.svg"))]
    history = run.history if run else []
    return VariantResult(variant.name, scores, _facts(plan, run), history, variant.factor, variant.value, variant.base, figures)


def comparison_of(
    experiment: Experiment, results: Sequence[VariantResult], split: Split, data: Path, pictures: Sequence[Picture] = ()
) -> Comparison:
    """Return the comparison of the variants that are done."""
    counts = ", ".join(f"{sum(assigned == subset for assigned in split.values())} {subset}" for subset in SUBSETS)
    facts = {
        "study": f"{experiment.name}, budget {experiment.budget}",
        "data": f"{data}; {experiment.unit}s: {counts}",
        "cohort": options_in_words(experiment.cohort_fields),
        "configuration": experiment.config,
        "changed in every variant": options_in_words(experiment.set) or "nothing",
        "localizers on the test scans": ", ".join(experiment.localizers),
        "spineseg": __version__,
        "command": command_line(),
    }
    return Comparison(
        title=experiment.title,
        metrics=experiment.metrics,
        reference=experiment.reference,
        variants=list(results),
        source=experiment.source,
        claim=experiment.finding.claim if experiment.finding else "",
        unit=experiment.unit,
        facts={name: value for name, value in facts.items() if value},
        split=split,
        charts=experiment.charts,
        pictures=list(pictures),
        planned=len(experiment.variants),
        short_budget=experiment.budget == "quick",
    )


def pictures_of(experiment: Experiment, results: Sequence[VariantResult], tests: Mapping[str, Evaluation]) -> list[Picture]:
    """Return pictures of one test scan by the first variants.

    It is the scan of the subject with the median decisive metric by the reference, or by the last variant if there is no
    reference.

    `tests` holds the evaluation of each variant on the test scans.
    """
    shown = next((result for result in results if result.name == experiment.reference), results[-1])
    scores = shown.scores[TEST][experiment.decisive]
    ranked = sorted((subject for subject in scores if np.isfinite(scores[subject])), key=lambda subject: scores[subject])
    if not ranked:
        return []
    subject, pictures = ranked[len(ranked) // 2], []
    for result in results[:MOST_PICTURES]:
        evaluation, value = tests[result.name], result.scores[TEST][experiment.decisive][subject]
        index = evaluation.subjects.index(subject)
        caption = f"{result.name}: {{scan}}, {experiment.decisive} {value:.3f}"
        pictures.append(picture_of(evaluation.scans[index], evaluation.masks[index], TASKS[experiment.task], caption))
    return pictures


def _facts(plan: VariantPlan, run: Run | None) -> dict[str, str]:
    start = f"{plan.start.name} ({plan.start.sha256[:8]})" if plan.start else "untrained"
    if plan.training is None or run is None:
        assert plan.start is not None  # a variant that is not trained has weights
        threshold = f"{plan.start.config.threshold:g}"
        return {"starts from": start, "network": plan.start.network["name"], "threshold": threshold, "changes": "not trained"}
    config = plan.training.config
    inference = plan.start.config if plan.start and run.keeps_start else config.inference
    changes = plan.variant.set | ({"label_coverage": plan.variant.label_coverage} if plan.variant.label_coverage else {})
    return {
        "starts from": start,
        "network": config.network.name,
        "threshold": f"{inference.threshold:g}",
        "changes": options_in_words(changes) or "none",
        "best": run.best_in_words,
        "epochs": f"{run.state.epoch} of {config.total_epochs}, of {config.optimizer.in_words}",
        "minutes": f"{60 * run.sessions.hours:.1f}",
        "hardware": run.sessions.hardware,
    }
