"""Weights from a user's own labeled scans, and what they are worth on subjects that were not trained on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.runtime import TensorFlowRuntime, import_tensorflow, native_stderr_muted
from spineseg_cli.core.localization.localizer import MaskLocalizer
from spineseg_cli.reports.run_report import RunReport, write_card, write_curves, write_report
from spineseg_cli.tasks.task import TASKS
from spineseg_cli.training.config_files import write_config
from spineseg_cli.training.data.split import write_split
from spineseg_cli.training.evaluation import Evaluation, Localize, evaluate_scans, write_evaluation
from spineseg_cli.training.plan import FinetunePlan
from spineseg_cli.training.report import report_of
from spineseg_cli.training.run import LOSS, Run
from spineseg_cli.weights.model import Model, find_model, read_model

log = logging.getLogger(__name__)

# Whether weights are also written for LiteRT, where their network allows it.
LIGHT = True


@dataclass(frozen=True)
class RunResult:
    """What a plan has given.

    Parameters
    ----------
    plan : FinetunePlan
    run : Run
    model : Model
        The weights that the run ended with.
    before, after : Evaluation
        Of the baseline and of these weights, on the test scans.
    """

    plan: FinetunePlan
    run: Run
    model: Model
    before: Evaluation
    after: Evaluation


def finetune(plans: Sequence[FinetunePlan], out: Path, device: str = "auto", verbose: int = 0) -> RunReport:
    """Carry out plans, and write to each run's folder its weights, metrics, card and page; of several, a page of all to `out`.

    After a run that the user has stopped, no other is begun. Parameters and errors are those of `run_plan`. Beside what
    `training.fit.fit` writes, a run's folder holds:

    ==========================  ===========================================================
    split.tsv, config.yaml      who was trained on, and how
    NAME.tflite                 the weights for LiteRT, of a 2-D network
    sessions.json               for how long, on what
    cord/                       cord masks that had to be drawn
    before.csv, after.csv       every metric of each test scan
    test/                       the masks that these are of
    curves.svg                  losses and metrics by epoch
    model_card.md, report.html  the report of it
    ==========================  ===========================================================

    Returns
    -------
    RunReport
        Of the run, or of all folds together.
    """
    results = []
    for plan in plans:
        results.append(run_plan(plan, device, verbose))
        report = report_of(results[-1:])
        write_curves(plan.folder / "curves.svg", report)
        write_card(plan.folder / "model_card.md", report)
        write_report(plan.folder / "report.html", report)
        if results[-1].run.interrupted:
            break
    if len(plans) > 1:
        report = report_of(results)
        write_report(out / "report.html", report)
    return report


def run_plan(plan: FinetunePlan, device: str = "auto", verbose: int = 0, localize: Localize | None = None) -> RunResult:
    """Evaluate the baseline on the test subjects, train, and evaluate the best weights; a run that was killed goes on.

    Ctrl-C during training ends it; the best weights so far are then written and evaluated.

    Parameters
    ----------
    plan : FinetunePlan
    device : {"auto", "cpu", "gpu"}
    verbose : int
        See `training.fit.fit`.
    localize : function, optional
        What finds the cord in the scans that are validated and tested on; by default, what the command takes by itself.

    Raises
    ------
    InputError
        If the folder holds a run with other settings, or the device has too little memory.
    """
    run = plan.open_run()
    write_split(plan.folder / "split.tsv", plan.split)
    write_config(plan.folder / "config.yaml", plan.config)
    _draw_missing_cords(plan)
    before = _evaluate_test(plan, plan.baseline, "before", device, localize)
    model = read_model(_fit(run, plan, device, verbose, localize))
    after = _evaluate_test(plan, model, "after", device, localize)
    return RunResult(plan, run, model, before, after)


def _draw_missing_cords(plan: FinetunePlan) -> None:
    """Segment the cord, about the gray matter, in scans without a cord mask: the network is to go on finding it."""
    trained_on = plan.scans_of("train") + plan.scans_of("validation")
    missing = [scan for scan in trained_on if scan.cord and not scan.cord.is_file()]
    if not missing:
        return
    model, task = find_model("gm"), TASKS["gm"]
    log.warning("%d scans without a cord mask: the cord that %s finds in them is trained on", len(missing), model.name)
    predictor = model.predictor()
    for scan in missing:
        gray = read_volume(scan.gray_matter[0], kind="mask")
        segmentation = task.predict(read_volume(scan.image), predictor, MaskLocalizer(mask=gray))
        write_volume(scan.cord, gray.with_data(np.maximum(segmentation.cord.data, gray.data > 0.5)), np.uint8)


def _fit(run: Run, plan: FinetunePlan, device: str, verbose: int, localize: Localize | None) -> Path:
    """Train, and return the path of the weights."""
    with native_stderr_muted():
        import_tensorflow()
        from spineseg_cli.training.data.datasets import load_datasets
        from spineseg_cli.training.device import training_device
        from spineseg_cli.training.fit import fit

    with training_device(device, plan.config.optimizer.gpus) as hardware, run.session(hardware):
        datasets = load_datasets(plan.config, plan.scans, plan.split, plan.data_folder, plan.search)
        metrics = CommandMetrics(plan, device, localize) if run.selection is not LOSS else None
        return fit(run, *datasets, plan.start, metrics, light=LIGHT, verbose=verbose)


class CommandMetrics:
    """The primary metric of a task on the validation subjects, by the complete command, as a column of the history."""

    def __init__(self, plan: FinetunePlan, device: str, localize: Localize | None):
        self.plan, self.device, self.localize = plan, device, localize
        self.column = plan.selection.column

    def of_start(self) -> dict[str, float]:
        """Return it of the weights that the run starts from, with their own thresholds."""
        return self._of(self.plan.start.predictor(self.device, overlap=self.plan.overlap))

    def of_network(self, network) -> dict[str, float]:
        """Return it of a network while it is trained."""
        return self._of(self._predictor(network))

    def gains(self, network) -> list[float]:
        """Return how much better a network is than the start, for each subject trained or validated on."""
        scans, metric = self.plan.scans_of("train") + self.plan.scans_of("validation"), self.column.removeprefix("val_")
        start = self.plan.start.predictor(self.device, overlap=self.plan.overlap)
        before, after = (
            evaluate_scans(self.plan.task, predictor, scans, None, self.localize).by_subject(metric)
            for predictor in (start, self._predictor(network))
        )
        sign = 1 if self.plan.selection.greater_is_better else -1
        return [sign * (after[subject] - before[subject]) for subject in before]

    def _predictor(self, network) -> Predictor:
        config = self.plan.config
        return Predictor(
            config.name,
            "",
            config.outputs,
            config.inference,
            lambda: TensorFlowRuntime(lambda: network, self.device),
            device=self.device,
            overlap=self.plan.overlap,
        )

    def _of(self, predictor: Predictor) -> dict[str, float]:
        evaluation = evaluate_scans(self.plan.task, predictor, self.plan.scans_of("validation"), None, self.localize)
        return {self.column: evaluation.mean(self.column.removeprefix("val_"))}


def _evaluate_test(plan: FinetunePlan, model: Model, when: str, device: str, localize: Localize | None) -> Evaluation:
    """Return what weights give on the test scans, written to `WHEN.csv` and, their masks, to `test/`."""
    tested = plan.scans_of("test")
    if not tested:
        return Evaluation()

    def file(number: int, scan) -> Path:
        return plan.folder / "test" / f"{number:02d}_{scan.image.name.split('.')[0]}_{when}.nii.gz"

    evaluation = evaluate_scans(plan.task, model.predictor(device, overlap=plan.overlap), tested, file, localize)
    write_evaluation(plan.folder / f"{when}.csv", evaluation, plan.task)
    return evaluation
