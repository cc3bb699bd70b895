"""Weights from a user's own labeled scans, and what they are worth on subjects that were not trained on."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from spineseg_cli.core.files import write_text
from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.inference.runtime import import_tensorflow, native_stderr_muted
from spineseg_cli.core.localization.localizer import MaskLocalizer
from spineseg_cli.metrics.table import write_table
from spineseg_cli.reports.run_report import RunReport, page_as_html, write_run_report
from spineseg_cli.tasks.registry import GRAY_MATTER
from spineseg_cli.training.config_files import write_config
from spineseg_cli.training.data.labeled_scans import LabeledScan
from spineseg_cli.training.data.split import write_split
from spineseg_cli.training.evaluation import CommandValidation, Evaluation, Localize, evaluate_scans
from spineseg_cli.training.plan import FinetunePlan
from spineseg_cli.training.report import RunResult, report_of
from spineseg_cli.training.state import LOSS
from spineseg_cli.weights.find import find_model
from spineseg_cli.weights.model import Model

log = logging.getLogger(__name__)

# Whether weights are also written for LiteRT, where their network allows it.
LIGHT = True


def finetune(plans: Sequence[FinetunePlan], out: Path, device: str = "auto", verbose: int = 0) -> RunReport:
    """Carry out plans, and write to each run's folder its weights, metrics, card and page; of several, a page of all to `out`.

    After a run that the user has stopped, no other is begun. Parameters and errors are those of `run_plan`. Beside what
    `training.trainer.fit` writes, a run's folder holds:

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
        write_run_report(plan.folder, report)
        if results[-1].run.interrupted:
            break
    if len(plans) > 1:
        report = report_of(results)
        write_text(out / "report.html", page_as_html(report))
    return report


def run_plan(plan: FinetunePlan, device: str = "auto", verbose: int = 0, localize: Localize | None = None) -> RunResult:
    """Evaluate the baseline on the test subjects, train, and evaluate the best weights; a run that was killed goes on.

    Ctrl-C during training ends it; the best weights so far are then written and evaluated.

    Parameters
    ----------
    plan : FinetunePlan
    device : {"auto", "cpu", "gpu"}
    verbose : int
        See `training.trainer.fit`.
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
    validated = plan.scans_of("validation")
    known = plan.scans_of("train") + validated
    _draw_missing_cords(known)
    before = _evaluate_test(plan, plan.baseline, "before", device, localize)
    with native_stderr_muted():
        import_tensorflow()
        from spineseg_cli.training.data.datasets import load_datasets
        from spineseg_cli.training.device import training_device
        from spineseg_cli.training.trainer import fit

    with training_device(device, plan.config.optimizer.gpus) as hardware, run.session(hardware):
        batches, validation = load_datasets(plan.config, plan.scans, plan.split, plan.data_folder, plan.search)
        command = None
        if run.selection is not LOSS:
            command = CommandValidation(plan.task, plan.config, validated, known, plan.start, device, localize)
        model = fit(run, batches, validation, plan.start, command, light=LIGHT, verbose=verbose)
    after = _evaluate_test(plan, model, "after", device, localize)
    return RunResult(plan, run, model, before, after)


def _evaluate_test(plan: FinetunePlan, model: Model | None, when: str, device: str, localize: Localize | None) -> Evaluation:
    """Return what weights give on the test scans, written to `WHEN.csv` and, their masks, to `test/`; nothing of no weights."""
    tested = plan.scans_of("test")
    if not tested or model is None:
        return Evaluation()

    def file(number: int, scan) -> Path:
        return plan.folder / "test" / f"{number:02d}_{scan.image.name.split('.')[0]}_{when}.nii.gz"

    evaluation = evaluate_scans(plan.task, model.predictor(device, overlap=plan.overlap), tested, file, localize)
    write_table(plan.folder / f"{when}.csv", evaluation.table)
    return evaluation


def _draw_missing_cords(scans: Iterable[LabeledScan]) -> None:
    """Write the cord masks that are named and not there yet: the cord, about the gray matter, as the shipped weights find it.

    A network that finds gray matter and cord is to go on finding the cord.
    """
    missing = [(scan, scan.cord) for scan in scans if scan.cord and not scan.cord.is_file()]
    if not missing:
        return
    model = find_model(GRAY_MATTER.model_name())
    log.warning("%d scans without a cord mask: the cord that %s finds in them is trained on", len(missing), model.name)
    predictor = model.predictor()
    for scan, path in missing:
        gray = read_volume(scan.masks_of(GRAY_MATTER.label)[0], kind="mask")
        segmentation = GRAY_MATTER.predict(read_volume(scan.image), predictor, MaskLocalizer(mask=gray))
        assert segmentation.cord is not None  # the shipped weights find it too
        write_volume(path, gray.with_data(np.maximum(segmentation.cord.data, gray.data > 0.5)), np.uint8)
