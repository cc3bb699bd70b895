"""What a study has given so far, told as a comparison of its arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from spineseg_cli import __version__
from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.provenance import command_line
from spineseg_cli.experiments.plan import ArmPlan
from spineseg_cli.experiments.scores import references_of
from spineseg_cli.experiments.study import Study
from spineseg_cli.reports.comparison import TEST, ArmResult, Comparison, Scores
from spineseg_cli.reports.html import Picture
from spineseg_cli.reports.pictures import axial_mosaic
from spineseg_cli.tasks.task import TASKS
from spineseg_cli.training.data.dataset import LabeledScan
from spineseg_cli.training.data.split import PARTS, Split
from spineseg_cli.training.phases import phases_of
from spineseg_cli.training.run_record import START, RunRecord

# Arms that are shown, slice by slice.
MOST_PICTURES = 6


def result_of(plan: ArmPlan, scores: Mapping[str, Scores]) -> ArmResult:
    """Return an arm's result, with its history, its figures and what it took."""
    arm, history = plan.arm, RunRecord(plan.folder).history
    figures = [path.read_text(encoding="utf-8") for path in sorted(plan.folder.glob("range_test*.svg"))]
    return ArmResult(arm.name, scores, _facts(plan, history), history, arm.factor, arm.value, arm.base, figures)


def comparison_of(
    study: Study, results: Sequence[ArmResult], split: Split, data: Path, pictures: Sequence[Picture] = ()
) -> Comparison:
    """Return the comparison of the arms that are done."""
    counts = ", ".join(f"{sum(own == part for own in split.values())} {part}" for part in PARTS)
    facts = {
        "study": f"{study.name}, budget {study.budget}",
        "data": f"{data}; {study.unit}s: {counts}",
        "cohort": _in_words(study.cohort or {}),
        "recipe": study.recipe,
        "changed in every arm": _in_words(study.set) or "nothing",
        "centerline of the test scans": ", ".join(study.centerlines),
        "spineseg": __version__,
        "command": command_line(),
    }
    return Comparison(
        title=study.title,
        metrics=study.metrics,
        reference=study.reference,
        arms=list(results),
        source=study.source,
        claim=(study.finding or {}).get("claim", ""),
        unit=study.unit,
        facts={name: value for name, value in facts.items() if value},
        split=split,
        charts=study.charts,
        pictures=list(pictures),
        planned=len(study.arms),
    )


def pictures_of(
    study: Study, results: Sequence[ArmResult], tested: Sequence[LabeledScan], masks: Mapping[str, Sequence[Path]]
) -> list[Picture]:
    """Return one test scan as the first arms see it: the median one by the score of the reference, or of the last arm.

    Parameters
    ----------
    study : Study
    results : sequence of ArmResult
    tested : sequence of LabeledScan
    masks : mapping of str to sequence of Path
        Each arm's masks of `tested`.
    """
    arm = next((result for result in results if result.name == study.reference), results[-1])
    scores = arm.scores[TEST][study.decisive]
    ranked = sorted((subject for subject in scores if np.isfinite(scores[subject])), key=scores.get)
    if not ranked:
        return []
    subject = ranked[len(ranked) // 2]
    place = next(place for place, scan in enumerate(tested) if scan.subject == subject)
    scan, structure, pictures = tested[place], TASKS[study.task].display_name, []
    expert = read_volume(references_of(scan, study.task)[0], kind="mask")
    for result in results[:MOST_PICTURES]:
        outlines = {"expert": expert, structure: read_volume(masks[result.name][place], kind="mask")}
        value = result.scores[TEST][study.decisive][subject]
        caption = f"{result.name}: {scan.image.name}, {study.decisive} {value:.3f}. Green: expert. Colored: the arm's, on top."
        pictures.append(Picture(caption, axial_mosaic(read_volume(scan.image), outlines)[0]))
    return pictures


def _facts(plan: ArmPlan, history: Sequence[Mapping[str, float]]) -> dict[str, str]:
    start = f"{plan.start.name} ({plan.start.sha256[:8]})" if plan.start else "untrained"
    if plan.run is None:
        threshold = f"{plan.start.config.threshold:g}"
        return {"starts from": start, "network": plan.start.network["name"], "threshold": threshold, "changes": "not trained"}
    recipe, record = plan.run.recipe, RunRecord(plan.folder)
    epochs = f"{sum(row['epoch'] >= 0 for row in history)} of {sum(phase.epochs for phase in phases_of(recipe))}"
    own = plan.start.config if plan.start and record.kept == START else InferenceConfig.from_dict(recipe.preprocessing)
    changes = plan.arm.set | ({"complete": plan.arm.complete} if plan.arm.complete else {})
    return {
        "starts from": start,
        "network": recipe.network["name"],
        "threshold": f"{own.threshold:g}",
        "changes": _in_words(changes) or "none",
        "kept": record.kept_in_words,
        "epochs": f"{epochs}, of {recipe.steps} batches of {recipe.batch}",
        "minutes": f"{60 * record.hours:.1f}",
        "hardware": record.hardware,
    }


def _in_words(options: Mapping) -> str:
    return ", ".join(f"{name}: {value}" for name, value in options.items())
