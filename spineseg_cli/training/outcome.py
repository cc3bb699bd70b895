"""What fine-tuning gave, and the account of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spineseg_cli import __version__
from spineseg_cli.core.files import file_sha256
from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.provenance import command_line
from spineseg_cli.metrics.metric_set import MetricSet
from spineseg_cli.metrics.table import Table
from spineseg_cli.reports.account import Account, decisive_rows
from spineseg_cli.reports.html import Picture
from spineseg_cli.reports.pictures import axial_mosaic
from spineseg_cli.tasks.task import TASKS
from spineseg_cli.training.configs.recipe import Recipe
from spineseg_cli.training.data.dataset import LabeledScan
from spineseg_cli.training.data.split import PARTS
from spineseg_cli.training.phases import parts_in_words, phases_of, rate_in_words
from spineseg_cli.training.plan import Plan
from spineseg_cli.training.run_record import RunRecord
from spineseg_cli.weights.model import read_model


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Parameters
    ----------
    plan : Plan
    weights : Path
    before, after : Table
        Every metric of each test scan; without rows if there is none.
    masks : list of (LabeledScan, Path, Path)
        Each test scan with the files of its masks, or centerlines, before and after.
    record : RunRecord
    stopped : bool
        Whether the user ended the training.
    """

    plan: Plan
    weights: Path
    before: Table
    after: Table
    masks: list[tuple[LabeledScan, Path, Path]]
    record: RunRecord
    stopped: bool


def account_of(outcomes: Sequence[Outcome]) -> Account:
    """Return the account of a run, or of the folds of one, whose test subjects are then taken together."""
    first = outcomes[0].plan
    histories = {outcome.weights.name.split(".")[0]: outcome.record.history for outcome in outcomes}
    before, after = (Table(tuple(row for o in outcomes for row in getattr(o, when).rows)) for when in ("before", "after"))
    if len(outcomes) == 1:
        title, split = outcomes[0].weights.name.split(".")[0], first.split
    else:
        title = f"{first.out.parent.name}: {len(outcomes)} folds"
        split = {scan.subject: f"tested in fold {k}" for k, outcome in enumerate(outcomes, 1) for scan, _, _ in outcome.masks}
    masks = [entry for outcome in outcomes for entry in outcome.masks]
    task = TASKS[first.task]
    return Account(
        title=title,
        facts=_facts(outcomes, [sum(row["epoch"] >= 0 for row in rows) for rows in histories.values()]),
        split=split,
        histories=histories,
        before=before,
        after=after,
        tested=[scan.subject for scan, _, _ in masks],
        pictures=_pictures(masks, after, task.display_name, task.metrics),
        metrics=task.metrics,
        stopped=outcomes[-1].stopped,
    )


def _facts(outcomes: Sequence[Outcome], epochs: Sequence[int]) -> dict[str, str]:
    plan, recipe = outcomes[0].plan, outcomes[0].plan.recipe
    models = [read_model(outcome.weights) for outcome in outcomes]
    counts = ", ".join(f"{len(plan.scans_of(part))} {part}" for part in PARTS)
    facts = {
        "weights": ", ".join(str(outcome.weights) for outcome in outcomes),
        "sha256": ", ".join(model.sha256 for model in models),
        "light twin": ", ".join(f"{m.lite.name} (sha256 {file_sha256(m.lite)})" if m.lite else "none" for m in models),
        "task": plan.task,
        "data": f"{plan.data}; scans: {counts}",
        "started from": f"{plan.start.name} (sha256 {plan.start.sha256[:12]})" if plan.start else "untrained weights",
        "compared with": plan.baseline.name,
        "network": ", ".join(f"{name}: {value}" for name, value in recipe.network.items()),
        "replaced, frozen": parts_in_words(recipe),
        "loss": ", ".join(f"{name}: {value}" for name, value in recipe.loss.items()),
        "images": _images_in_words(recipe) + (f", centered where {plan.finder.name} finds the cord" if plan.finder else ""),
        "intensities": _intensities_in_words(recipe),
        "learning rate": rate_in_words(recipe),
        "epochs": f"{', '.join(map(str, epochs))} of {_epochs(recipe)}, of {recipe.steps} batches of {recipe.batch}",
        "kept": "; ".join(outcome.record.kept_in_words for outcome in outcomes),
        "seed": str(recipe.seed),
        "hours": f"{sum(outcome.record.hours for outcome in outcomes):.2f}, without sessions that were killed",
        "hardware": "; ".join(dict.fromkeys(outcome.record.hardware for outcome in outcomes)),
        "spineseg": __version__,
        "command": command_line(),
    }
    if outcomes[-1].stopped:
        facts["epochs"] += "; stopped by the user"
    if len(outcomes) > 1:
        facts["data"] = f"{plan.data}; scans: {len(plan.scans)}, each tested on once"
    return facts


def _epochs(recipe: Recipe) -> int:
    return sum(phase.epochs for phase in phases_of(recipe))


def _images_in_words(recipe: Recipe) -> str:
    flips = {None: "", True: ", mirrored or not", False: ", never mirrored"}[recipe.flips]
    jitter = f", centers moved by up to {recipe.jitter_mm:g} mm" if recipe.jitter_mm else ""
    patches = f", patches of {recipe.crop_depth} slices that overlap by {recipe.overlap:.0%}" if recipe.crop_depth else ""
    return f"{recipe.real_share:.0%} from scans, augmentation {recipe.augmentation}{flips}{jitter}{patches}"


def _intensities_in_words(recipe: Recipe) -> str:
    steps = InferenceConfig.from_dict(recipe.preprocessing)
    scale = "from 0 to 1" if steps.normalization == "minmax" else "mean 0 and standard deviation 1"
    learned = "on a standard scale (Nyul et al. 2000), then " if steps.landmarks else ""
    return f"{learned}{scale}, {'each slice' if steps.per_slice else 'the scan as a whole'}"


def _pictures(masks: Sequence[tuple[LabeledScan, Path, Path]], after: Table, structure: str, metrics: MetricSet) -> list[Picture]:
    """Return the best, the median and the worst test scan by the primary metric, the expert's outline in green."""
    metric, name = metrics.primary, metrics.criteria[metrics.primary].label
    scores = [row[metric] for row in decisive_rows(after)]
    order = [place for place in np.argsort(scores)[::-1].tolist() if np.isfinite(scores[place])]
    # Of two scans, and of one, there is no median.
    chosen = {"median": order[len(order) // 2 : len(order) // 2 + 1], "worst": order[-1:], "best": order[:1]}
    pictures = []
    for place, rank in {place: rank for rank, places in chosen.items() for place in places}.items():
        scan, _, path = masks[place]
        expert = scan.grays[0] if structure == "gray matter" else scan.cord
        outlines = {"expert": read_volume(expert, kind="mask"), structure: read_volume(path, kind="mask")}
        caption = f"{rank}: {scan.image.name}, {name} {scores[place]:.3f}. Green: expert. Colored: new weights, on top."
        pictures.append(Picture(caption, axial_mosaic(read_volume(scan.image), outlines)[0]))
    return pictures
