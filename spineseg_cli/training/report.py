"""The report of one or several runs: their settings, their results, and pictures of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spineseg_cli import __version__
from spineseg_cli.core.files import file_sha256
from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.provenance import command_line
from spineseg_cli.metrics.table import Table
from spineseg_cli.reports.pictures.scan import axial_mosaic
from spineseg_cli.reports.trainings.rendering import Picture
from spineseg_cli.reports.trainings.run_report import RunReport
from spineseg_cli.tasks.task import Task
from spineseg_cli.training.choices import SCHEDULES
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.data.labeled_scans import LabeledScan
from spineseg_cli.training.data.split import SUBSETS
from spineseg_cli.training.evaluation import Evaluation
from spineseg_cli.training.plan import FinetunePlan
from spineseg_cli.training.run import Run
from spineseg_cli.weights.model import Model


@dataclass(frozen=True)
class RunResult:
    """The result of a plan."""

    plan: FinetunePlan
    run: Run
    model: Model
    # The evaluations of the baseline and of the final weights on the test scans.
    before: Evaluation
    after: Evaluation


def report_of(results: Sequence[RunResult]) -> RunReport:
    """Return the report of a run, or of all folds of a cross-validation, whose test subjects are pooled."""
    first = results[0].plan
    histories = {result.model.name: result.run.history for result in results}
    before, after = (_together([getattr(result, when) for result in results]) for when in ("before", "after"))
    if len(results) == 1:
        title, split = results[0].model.name, first.split
    else:
        title = f"{first.folder.parent.name}: {len(results)} folds"
        split = {name: f"tested in fold {k}" for k, result in enumerate(results, 1) for name in result.after.subjects}
    return RunReport(
        title=title,
        facts=_facts(results),
        split=split,
        histories=histories,
        best={result.model.name: result.run.best_epoch for result in results},
        before=before.table,
        after=after.table,
        tested=after.subjects,
        pictures=_pictures(after, first.task),
        metrics=first.task.metrics,
        kept_start=all(result.run.keeps_start for result in results),
        stopped=results[-1].run.interrupted,
    )


def _together(evaluations: Sequence[Evaluation]) -> Evaluation:
    return Evaluation(
        tuple(scan for evaluation in evaluations for scan in evaluation.scans),
        Table(tuple(row for evaluation in evaluations for row in evaluation.table.rows), evaluations[0].table.metrics),
        tuple(path for evaluation in evaluations for path in evaluation.masks),
    )


def _facts(results: Sequence[RunResult]) -> dict[str, str]:
    """Return the rows of the report's table about the runs."""
    plan, runs = results[0].plan, [result.run for result in results]
    facts = _facts_of_weights([result.model for result in results]) | _facts_of_plan(plan) | _facts_of_runs(runs)
    if len(results) > 1:
        facts["data"] = f"{plan.data}; scans: {len(plan.scans)}, each tested on once"
    return facts


def _facts_of_weights(models: Sequence[Model]) -> dict[str, str]:
    return {
        "weights": ", ".join(str(model.path) for model in models),
        "sha256": ", ".join(model.sha256 for model in models),
        "for LiteRT": ", ".join(f"{m.tflite.name} (sha256 {file_sha256(m.tflite)})" if m.tflite else "none" for m in models),
    }


def _facts_of_plan(plan: FinetunePlan) -> dict[str, str]:
    config = plan.config
    counts = ", ".join(f"{len(plan.scans_of(subset))} {subset}" for subset in SUBSETS)
    return {
        "task": plan.task.name,
        "data": f"{plan.data}; scans: {counts}",
        "started from": f"{plan.start.name} (sha256 {plan.start.sha256[:12]})" if plan.start else "untrained weights",
        "compared with": plan.baseline.name if plan.baseline else "nothing: the task has no weights yet",
        "network": options_in_words(config.network.as_dict),
        "reinitialized, frozen": surgery_in_words(config),
        "loss": options_in_words(config.loss.as_dict),
        "images": _images_in_words(config) + (f", centered where {plan.search.name} finds the cord" if plan.search else ""),
        "intensities": _intensities_in_words(config),
        "learning rate": rate_in_words(config),
    }


def _facts_of_runs(runs: Sequence[Run]) -> dict[str, str]:
    config = runs[0].config
    epochs = ", ".join(str(run.state.epoch) for run in runs)
    stopped = "; stopped by the user" if runs[-1].interrupted else ""
    facts = {
        "epochs": f"{epochs} of {config.total_epochs}, of {config.optimizer.in_words}{stopped}",
        "best": "; ".join(run.best_in_words for run in runs),
        "seed": str(config.seed),
        "hours": f"{sum(run.sessions.hours for run in runs):.2f}, without sessions that were killed",
        "hardware": "; ".join(dict.fromkeys(run.sessions.hardware for run in runs)),
        "spineseg": __version__,
    }
    return facts | ({"command": command_line()} if command_line() else {})


def options_in_words(options: Mapping[str, Any]) -> str:
    """Return options as "name: value, ..."."""
    return ", ".join(f"{name}: {value}" for name, value in options.items())


def rate_in_words(config: TrainingConfig) -> str:
    """Return the learning rates and the schedule of a run."""
    schedule = config.optimizer.schedule
    words = SCHEDULES[schedule.name].facts.get("in_words", schedule.name).format_map(schedule.options)
    return f"{', then '.join(f'{phase.learning_rate:g}' for phase in config.phases)}, {words}"


def surgery_in_words(config: TrainingConfig) -> str:
    """Return the subnetworks that a run reinitializes, and those that it freezes in each phase."""
    frozen = ", then ".join(" and ".join(phase.frozen) or "nothing" for phase in config.phases)
    return f"{config.surgery.reinitialize or 'nothing'}, {frozen}"


def _images_in_words(config: TrainingConfig) -> str:
    sampling, augmentation = config.sampling, config.augmentation
    mirror = {None: "", True: ", mirrored or not", False: ", never mirrored"}[augmentation.mirror]
    jitter = f", centers moved by up to {sampling.center_jitter_mm:g} mm" if sampling.center_jitter_mm else ""
    patches = f", patches of {sampling.crop_depth} slices that overlap by {sampling.patch_overlap:.0%}"
    return (
        f"{config.data.scan_fraction:.0%} from scans, augmentation {augmentation.profile}{mirror}{jitter}"
        f"{patches if sampling.crop_depth else ''}"
    )


def _intensities_in_words(config: TrainingConfig) -> str:
    inference = config.inference
    scale = "from 0 to 1" if inference.normalization == "minmax" else "mean 0 and standard deviation 1"
    nyul = "on a Nyul scale (Nyul et al. 2000), then " if inference.landmarks else ""
    return f"{nyul}{scale}, {'each slice' if inference.per_slice else 'the scan as a whole'}"


def _pictures(after: Evaluation, task: Task) -> list[Picture]:
    """Return pictures of the best, the median and the worst test scan by the primary metric."""
    metric, name = task.metrics.primary, task.metrics.criteria[task.metrics.primary].label
    values = [row[metric] for row in after.table.decisive_rows]
    order = [index for index in np.argsort(values)[::-1].tolist() if np.isfinite(values[index])]
    # With one or two scans, the best and the worst replace the median.
    chosen = {"median": order[len(order) // 2 : len(order) // 2 + 1], "worst": order[-1:], "best": order[:1]}
    ranks = {index: rank for rank, indices in chosen.items() for index in indices}
    return [
        picture_of(after.scans[index], after.masks[index], task, f"{rank}: {{scan}}, {name} {values[index]:.3f}")
        for index, rank in ranks.items()
    ]


def picture_of(scan: LabeledScan, mask, task: Task, caption: str) -> Picture:
    """Return a picture of a scan with the outlines of the expert's mask and of a mask; `caption` may contain "{scan}"."""
    expert = read_volume(scan.masks_of(task.label)[0], kind="mask")
    outlines = {"expert": expert, task.display_name: read_volume(mask, kind="mask")}
    caption = f"{caption.format(scan=scan.image.name)}. Green: expert. Colored: new weights, on top."
    return Picture(caption, axial_mosaic(read_volume(scan.image), outlines)[0])
