"""Carrying out an experiment: each variant is trained, evaluated by the complete command, and compared with the others."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from spineseg_cli.core.file_checks import check_writable
from spineseg_cli.core.inference.runtime import import_tensorflow, native_stderr_muted
from spineseg_cli.errors import InputError
from spineseg_cli.experiments.cohort_files import write_cohort
from spineseg_cli.experiments.config import Experiment
from spineseg_cli.experiments.evaluations import ScanSet, evaluate, remember
from spineseg_cli.experiments.localizers import LOCALIZERS
from spineseg_cli.experiments.plan import SETTINGS, VariantPlan, find_starts, plan_variants, settle_folder, settle_split
from spineseg_cli.experiments.summary import comparison_of, pictures_of, result_of
from spineseg_cli.reports.trainings.comparison import TEST, Comparison, VariantResult, scores_by_subject
from spineseg_cli.reports.trainings.comparison_page import write_comparison
from spineseg_cli.tasks.registry import TASKS
from spineseg_cli.tasks.task import Task
from spineseg_cli.training.data.find_scans import ScanSource, find_scans
from spineseg_cli.training.data.labeled_scans import check_scans
from spineseg_cli.training.evaluation import Evaluation, Evaluator, Localize
from spineseg_cli.training.finetune import run_plan
from spineseg_cli.training.plan import FinetunePlan
from spineseg_cli.training.report import RunResult
from spineseg_cli.weights.files import read_model
from spineseg_cli.weights.model import Model

log = logging.getLogger(__name__)

DATA = "data"
RANGE_TEST = "range_test.svg"


def run_experiment(
    experiment: Experiment,
    out: Path,
    *,
    data: Path | None = None,
    extra_test_sets: Mapping[str, Path] | None = None,
    weights: str | None = None,
    device: str = "auto",
    verbose: int = 0,
) -> Comparison:
    """Carry out an experiment. If it was killed, it continues in the same variant after its last finished epoch.

    The folder holds `data/` (a cohort of phantoms, if no data are given), `split.tsv`, and `variants/NAME/` with the run and
    the metrics of each variant. The files of `reports.trainings.comparison_page` are written again after each variant.

    Raises InputError if the data, a variant or the weights are invalid, or the folder holds another experiment.

    `data` are the labeled scans: see `data.find_scans.find_scans`. `extra_test_sets` are further ones for evaluation, on
    which no variant is trained. `weights` are the initial weights of variants that name none, instead of those of the
    experiment. The comparison is of the finished variants, which are fewer than all if the user ended a training.
    """
    check_writable(out / SETTINGS)
    extra = extra_test_sets or {}
    reserved = [name for name in extra if name.split(",")[0] == TEST]
    if reserved:
        raise InputError(f"an extra test set would be called {reserved[0]!r}, as the test is: give that folder another name")
    if data is None and experiment.cohort is None:
        raise InputError(f"the study {experiment.name} has no cohort of its own: give it labeled scans with --data")
    starts = find_starts(experiment, weights)
    others = [ScanSet(name, find_scans(ScanSource(folder), experiment.task)) for name, folder in extra.items()]
    if data is not None:
        check_scans(find_scans(ScanSource(data), experiment.task))
    settle_folder(experiment, out, data)
    if data is None:
        assert experiment.cohort is not None  # checked above
        data = write_cohort(experiment.cohort, out / DATA)
    split = settle_split(experiment, data, out)
    plans = plan_variants(experiment, starts, data, out)
    tested = [scan for scan in find_scans(ScanSource(data), experiment.task) if split[scan.subject] == "test"]
    decisive, *more = experiment.localizers
    sets = [ScanSet(TEST, tested, decisive), *(ScanSet(f"{TEST}, {name} localizer", tested, name) for name in more), *others]
    results: list[VariantResult] = []
    tests: dict[str, Evaluation] = {}
    for plan in plans:
        try:
            result, tests[plan.variant.name] = _carry_out(plan, TASKS[experiment.task], sets, device, verbose)
        except _Stopped:
            log.warning("stopped in the variant %s; the same command goes on", plan.variant.name)
            break
        results.append(result)
        write_comparison(out, comparison_of(experiment, results, split, data, pictures_of(experiment, results, tests)))
    return comparison_of(experiment, results, split, data)


class _Stopped(Exception):
    """The user has ended a training."""


def _carry_out(
    plan: VariantPlan, task: Task, sets: Sequence[ScanSet], device: str, verbose: int
) -> tuple[VariantResult, Evaluation]:
    """Return the result of a variant, and its evaluation on the first set. Raises _Stopped if the user ended a training."""
    search = _train(plan.localizer, device, verbose).model.predictor(device) if plan.localizer else None
    options = {"overlap": plan.training.overlap} if plan.training else {}
    evaluators = [Evaluator(task, device, localize=LOCALIZERS.load(some.localizer)(task, search), **options) for some in sets]
    model, run = plan.start, None
    if (training := plan.training) is not None:
        training = replace(training, search=search) if search and training.search else training
        model, run = _trained(plan, training, sets[0], evaluators[0].localize, device, verbose), training.open_run()
    assert model is not None  # checked by `find_starts`
    evaluations = [evaluate(plan.folder, evaluator, model, some) for evaluator, some in zip(evaluators, sets, strict=True)]
    scores = {some.name: scores_by_subject(of.table, of.subjects) for some, of in zip(sets, evaluations, strict=True)}
    return result_of(plan, run, scores), evaluations[0]


def _trained(
    plan: VariantPlan, training: FinetunePlan, first: ScanSet, localize: Localize | None, device: str, verbose: int
) -> Model:
    """Return the weights of a variant.

    If its run is not finished, it is trained, and its evaluation on the first set is stored.
    """
    weights = plan.finished()
    if weights is not None:
        return read_model(weights)
    result = _train(training, device, verbose, localize)
    if plan.variant.range_test:
        _test_rates(plan.folder / RANGE_TEST, training, plan.variant.name, device, verbose)
    remember(plan.folder, result.model, first, result.after)
    plan.finish(result.model.path)
    return result.model


def _train(plan: FinetunePlan, device: str, verbose: int, localize: Localize | None = None) -> RunResult:
    result = run_plan(plan, device, verbose, localize)
    if result.run.interrupted:
        raise _Stopped
    return result


def _test_rates(chart: Path, training: FinetunePlan, name: str, device: str, verbose: int) -> None:
    """Write the learning-rate range test of a variant on its training scans, unless the file exists."""
    if chart.is_file():
        return
    with native_stderr_muted():
        import_tensorflow()
        from spineseg_cli.training.device import training_device
        from spineseg_cli.training.lr_range_test import range_test, write_range_test

    with training_device(device, training.config.optimizer.gpus):
        rates = range_test(training.config, training.training_data.batches(), training.start, verbose=verbose)
    write_range_test(chart, rates, name)
