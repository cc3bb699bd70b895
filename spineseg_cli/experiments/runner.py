"""Studies: every arm trained and scored by the complete command, and the comparison of them.

What trains, segments and compares comes in as functions: see `training.finetune` for those.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from spineseg_cli.core.files import check_writable
from spineseg_cli.core.inference.runtime import import_tensorflow, native_stderr_muted
from spineseg_cli.errors import InputError
from spineseg_cli.experiments.outcome import comparison_of, pictures_of, result_of
from spineseg_cli.experiments.plan import SETTINGS, ArmPlan, find_starts, plan_arms, settle_folder, settle_split
from spineseg_cli.experiments.scores import Compare, ScanSet, Segment, about_center, remember, score
from spineseg_cli.experiments.study import Study
from spineseg_cli.reports.comparison import TEST, ArmResult, Comparison, scores_by_subject
from spineseg_cli.reports.comparison_page import write_comparison
from spineseg_cli.synthesis.cohort import read_cohort
from spineseg_cli.synthesis.cohort_files import write_cohort
from spineseg_cli.training.data.dataset import check_scans, find_scans
from spineseg_cli.training.outcome import Outcome
from spineseg_cli.training.plan import Plan
from spineseg_cli.weights.model import read_model

log = logging.getLogger(__name__)

DATA = "data"

RunPlan = Callable[[Plan, Segment, Compare, str, int], Outcome]


@dataclass(frozen=True)
class Means:
    """What a study is carried out by.

    Parameters
    ----------
    run_plan, segment, compare : functions
        See `training.finetune`; `segment` also takes `finder`, a predictor that finds the cord instead of the shipped one.
    device : {"auto", "cpu", "gpu"}
    verbose : int
        See `training.loop.train`.
    find_path : function, optional
        What `segment` is for the task "centerline"; arms that train their own finder need it.
    """

    run_plan: RunPlan
    segment: Segment
    compare: Compare
    device: str = "auto"
    verbose: int = 0
    find_path: Segment | None = None


def run_study(
    study: Study,
    out: Path,
    means: Means,
    *,
    data: Path | None = None,
    beside: Mapping[str, Path] | None = None,
    weights: str | None = None,
) -> Comparison:
    """Carry out a study; killed at any moment and called again, it goes on in the arm, and at the epoch, where it was.

    The folder holds `data/` (a cohort of phantoms, where no data is given), `split.tsv`, `arms/NAME/` with each arm's run and
    scores, and, written anew after each arm, what `reports.comparison_page.write_comparison` writes.

    Parameters
    ----------
    study : Study
    out : Path
    means : Means
    data : Path, optional
        Labeled scans: see `data.dataset.find_scans`.
    beside : mapping of str to Path, optional
        More labeled scans, of which none is trained on, that each arm is scored and reported on.
    weights : str, optional
        What arms start from by default, in place of the study's.

    Returns
    -------
    Comparison
        Of the arms that are done: fewer than all if the user has ended a training.

    Raises
    ------
    InputError
        If anything about the data, an arm or the weights is wrong, or the folder holds another study.
    """
    check_writable(out / SETTINGS)
    reserved = [name for name in beside or {} if name.split(",")[0] == TEST]
    if reserved:
        raise InputError(f"scores beside those of the test would be called {reserved[0]!r} too: give that folder another name")
    if data is None and study.cohort is None:
        raise InputError(f"the study {study.name} has no cohort of its own: give it labeled scans with --data")
    starts = find_starts(study, weights)
    others = [ScanSet(name, find_scans(folder, study.task)) for name, folder in (beside or {}).items()]
    if data is not None:
        check_scans(find_scans(data, study.task))
    settle_folder(study, out, data)
    data = data or write_cohort(read_cohort(study.cohort), out / DATA)
    split = settle_split(study, data, out)
    plans = plan_arms(study, starts, data, out)
    tested = [scan for scan in find_scans(data, study.task) if split[scan.subject] == "test"]
    decisive, *more = study.centerlines
    sets = [ScanSet(TEST, tested, decisive), *(ScanSet(f"{TEST}, {line} centerline", tested, line) for line in more), *others]
    results: list[ArmResult] = []
    masks: dict[str, list[Path]] = {}
    for plan in plans:
        done = _carry_out(plan, study, sets, means)
        if done is None:
            log.warning("stopped in the arm %s; the same command goes on", plan.arm.name)
            break
        results.append(done[0])
        masks[plan.arm.name] = done[1]
        write_comparison(out, comparison_of(study, results, split, data, pictures_of(study, results, tested, masks)))
    return comparison_of(study, results, split, data)


def _carry_out(plan: ArmPlan, study: Study, sets: Sequence[ScanSet], means: Means) -> tuple[ArmResult, list[Path]] | None:
    """Return an arm's result and its masks of the first set; None if the user has stopped it."""
    model, run, options, segment = plan.start, plan.run, {}, means.segment
    if plan.finder is not None:
        outcome = means.run_plan(plan.finder, means.find_path, means.compare, means.device, means.verbose)
        if outcome.stopped:
            return None
        finder = read_model(outcome.weights).predictor()
        segment = partial(segment, finder=finder)
        run = replace(run, finder=finder) if run and run.finder else run
    if run is not None:
        weights = plan.finished()
        if weights is None:
            own = about_center(segment) if sets[0].centerline == "center" else segment
            outcome = means.run_plan(run, own, means.compare, means.device, means.verbose)
            if outcome.stopped:
                return None
            weights = outcome.weights
            if plan.arm.range_test:  # now that the cord has been drawn where its mask was missing
                _test_rates(plan, means)
            remember(plan.folder, read_model(weights), sets[0], outcome.after, [path for _, _, path in outcome.masks])
            plan.finish(weights)
        model = read_model(weights)
        options = {"overlap": run.recipe.overlap} if model.config.depth else {}
    found = [score(plan.folder, model, chosen, study.task, segment, means.compare, means.device, **options) for chosen in sets]
    scores = {chosen.name: scores_by_subject(table, chosen.subjects) for chosen, (table, _) in zip(sets, found, strict=True)}
    return result_of(plan, scores), found[0][1]


def _test_rates(plan: ArmPlan, means: Means) -> None:
    with native_stderr_muted():
        import_tensorflow()
        from spineseg_cli.experiments.range_chart import write_range_chart

    write_range_chart(plan, means.device, means.verbose)
