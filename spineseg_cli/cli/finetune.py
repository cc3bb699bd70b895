"""`finetune`: weights from labeled scans, or a study of several variants of a training."""

from __future__ import annotations

import click

from spineseg_cli.cli.common import EXIT_STOPPED, SpinesegCommand, is_given
from spineseg_cli.cli.console import report
from spineseg_cli.cli.finetune_options import config_changes, data_options, training_options
from spineseg_cli.cli.finetune_study import experiment_of, run_study, study_of, study_options
from spineseg_cli.cli.options import TRAIN_DEVICE_HELP, common_options, device_option, option
from spineseg_cli.core.extras import require
from spineseg_cli.errors import InputError
from spineseg_cli.tasks.registry import TASKS

EPILOG = "Exit codes: 0 done, 1 failed or stopped (the same command goes on), 2 bad arguments or input."


@click.command(name="finetune", cls=SpinesegCommand, epilog=EPILOG)
@option("task", type=click.Choice(list(TASKS)), help="What the labels show.")
@data_options
@training_options
@study_options
@device_option(TRAIN_DEVICE_HELP)
@common_options
@click.pass_context
def main(
    ctx, /, task, data, images, masks, label_coverage, out, config, init, kernel, split_file, test_fraction, validation_fraction,
    stratify, person, folds, study, extra_test, baseline_weights, full, device, verbose, **fields
):  # fmt: skip
    """Make better weights from your own labeled scans, and a report that says whether they are.

    \b
    finetune --task gm --data my_bids --out runs/children
    seg_gm -i scan.nii.gz --custom runs/children/children.weights.h5

    Subjects, not scans, are split: all scans of one person must have one subject's name. The best epoch is the best on the
    validation subjects by the complete command. If none is better than the weights it started from, or if on all subjects that
    are trained or validated on it gains no more than twice the gain's standard error, these are what you get.

    With --study, several variants of a training are compared, as a publication did, on phantoms or on --data:

    \b
    finetune --study pediatric-gm --out runs/children
    """
    require("finetune", "tensorflow", "keras", "pydantic", "yaml", "skimage")
    changes = config_changes(fields)
    chosen_study = study_of(study, config)
    if chosen_study:
        experiment = experiment_of(ctx, chosen_study, changes, full, stratify)
        run_study(experiment, out, data, extra_test, baseline_weights, device, verbose)
        return
    from spineseg_cli.training.config_files import load_config
    from spineseg_cli.training.data.find_scans import ScanSource
    from spineseg_cli.training.data.split import SplitRequest
    from spineseg_cli.training.finetune import finetune
    from spineseg_cli.training.plan import config_for, find_start, make_plans

    _check_given(ctx, task, data, config)
    start = find_start(task, init, kernel)
    source = ScanSource(data, (images, masks) if images else None, label_coverage, person)
    request = SplitRequest(split_file, (test_fraction, validation_fraction), stratify, folds)
    template = load_config(config or config_for(task, start, kernel), changes)
    plans = make_plans(task, source, out, template, start, request)
    result = finetune(plans, out, device, verbose)
    report(f"{result.verdict}\nweights: {result.facts['weights']}\nreport: {out / 'report.html'}", verbose)
    if result.stopped:
        ctx.exit(EXIT_STOPPED)


def _check_given(ctx: click.Context, task: str | None, data, config: str | None) -> None:
    """Raise UsageError or InputError for options that are missing or do not go together."""
    from spineseg_cli.experiments.names import study_names
    from spineseg_cli.training.config_files import config_names

    if task is None and config and not config.endswith((".yaml", ".yml")) and config not in config_names():
        raise click.UsageError(
            f"no study {config!r}; expected one of {', '.join(study_names())}, or --task beside a configuration", ctx
        )
    for name, value in (("task", task), ("data", data)):
        if value is None:
            raise click.MissingParameter(ctx=ctx, param=next(param for param in ctx.command.params if param.name == name))
    for name in ("extra_test", "baseline_weights", "full"):
        if is_given(ctx, name):
            raise InputError(f"--{name.replace('_', '-')} is for studies: give --study too")
    split_file, folds = is_given(ctx, "split_file"), is_given(ctx, "folds")
    if split_file and (folds or is_given(ctx, "stratify")):
        raise InputError("--split gives the subsets: leave out --folds and --stratify")
    if split_file and (is_given(ctx, "test_fraction") or is_given(ctx, "validation_fraction")):
        raise InputError("--split gives the subsets: leave out --test-fraction and --validation-fraction")
    if folds and is_given(ctx, "test_fraction"):
        raise InputError("--folds tests on every subject once: leave out --test-fraction")
    if is_given(ctx, "images") != is_given(ctx, "masks"):
        raise InputError("--images and --masks belong together: give both patterns, or neither")


if __name__ == "__main__":
    main()
