"""Fine-tuning on a user's labeled scans, and the evaluation of the new weights on subjects that were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spineseg_cli.core.files import write_text
from spineseg_cli.core.inference.runtime import import_tensorflow, native_stderr_muted
from spineseg_cli.metrics.table import write_table
from spineseg_cli.reports.trainings.run_report import RunReport, page_as_html, write_run_report
from spineseg_cli.training.config_files import write_config
from spineseg_cli.training.data.split import write_split
from spineseg_cli.training.evaluation import CommandValidation, Evaluation, Evaluator, Localize
from spineseg_cli.training.plan import FinetunePlan
from spineseg_cli.training.report import RunResult, report_of
from spineseg_cli.training.state import LOSS
from spineseg_cli.weights.model import Model

# Whether weights are also exported for LiteRT if their network allows it.
LIGHT = True


def finetune(plans: Sequence[FinetunePlan], out: Path, device: str = "auto", verbose: int = 0) -> RunReport:
    """Carry out plans. Write the weights, metrics, model card and page of each run to its folder, and a common page to `out`.

    If the user stops a run, no further run is started. Parameters and errors are those of `run_plan`. In addition to the files of
    `training.trainer.fit`, the folder of a run holds:

    ==========================  ===========================================================
    split.tsv, config.yaml      the split of the subjects, and the training configuration
    NAME.tflite                 the weights for LiteRT, of a 2-D network
    sessions.json               the training time and the hardware
    cord/                       masks of the cord that had to be drawn
    before.csv, after.csv       every metric of each test scan
    test/                       the masks of the test scans
    curves.svg                  losses and metrics by epoch
    model_card.md, report.html  the report
    ==========================  ===========================================================

    Returns the report of the run, or of all folds together.
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
    """Evaluate the baseline on the test subjects, train, and evaluate the best weights. A killed run is resumed.

    Ctrl-C ends the training; the best weights so far are then written and evaluated.

    Raises InputError if the folder holds a run with other settings, or the device has too little memory.

    `localize` returns the localizer for a validation or test scan; by default, the localizer of the command is used.
    """
    validated = plan.scans_of("validation")
    known = plan.scans_of("train") + validated
    run = plan.open_run()
    write_split(plan.folder / "split.tsv", plan.split)
    write_config(plan.folder / "config.yaml", plan.config)
    evaluator = Evaluator(plan.task, device, plan.overlap, localize)
    before = _evaluate_test(plan, evaluator, plan.baseline, "before")
    with native_stderr_muted():
        import_tensorflow()
        from spineseg_cli.training.device import training_device
        from spineseg_cli.training.trainer import fit

    command = None
    if run.selection is not LOSS:
        command = CommandValidation(evaluator, plan.config, plan.start, validated, known)
    with training_device(device, plan.config.optimizer.gpus) as hardware, run.sessions.record(hardware):
        model = fit(run, plan.training_data, plan.start, command, light=LIGHT, verbose=verbose)
    after = _evaluate_test(plan, evaluator, model, "after")
    return RunResult(plan, run, model, before, after)


def _evaluate_test(plan: FinetunePlan, evaluator: Evaluator, model: Model | None, when: str) -> Evaluation:
    """Return the evaluation of weights on the test scans, empty without weights.

    The metrics are written to `WHEN.csv`, the masks to `test/`.
    """
    tested = plan.scans_of("test")
    if not tested or model is None:
        return Evaluation()
    evaluation = evaluator.evaluate(model, tested, plan.folder / "test", f"_{when}")
    write_table(plan.folder / f"{when}.csv", evaluation.table)
    return evaluation
