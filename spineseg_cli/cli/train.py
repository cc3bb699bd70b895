"""Train a network by a configuration: `python -m spineseg_cli.cli.train --config gm_synthetic --out runs/gm_synthetic`."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import click

from spineseg_cli.cli.common import SpinesegCommand
from spineseg_cli.cli.console import report
from spineseg_cli.cli.options import TRAIN_DEVICE_HELP, common_options, data_option, device_option
from spineseg_cli.core.extras import require
from spineseg_cli.tasks.registry import TASKS
from spineseg_cli.training.choices import PRECISIONS

CONFIG_HELP = "A training configuration of the package by name, or a YAML file. (--recipe is its old name.)"
LEAVE_OUT_HELP = "Leave out a subject, by its whole name: sub-01. A * stands for any letters: 'sub-01*'. May be repeated."
SET_HELP = "Change a field of the configuration: optimizer.epochs=5. May be repeated."
TASK_HELP = "Whose command chooses the best epoch, by its primary metric, where validation.select_by is command."
PROCESSES_HELP = "Make crops in so many processes, for a GPU that would wait for them. [default: a thread]"
RANGE_HELP = "Instead of training, let the rate rise over 3 epochs, and write the loss by rate as a chart, and as CSV beside it."


@click.command(name="train", cls=SpinesegCommand)
@click.option("--config", "--recipe", "config", required=True, help=CONFIG_HELP)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run; an unfinished run in it is resumed.")
@data_option
@click.option("--leave-out", multiple=True, metavar="SUBJECT", help=LEAVE_OUT_HELP)
@click.option("--init", type=click.Path(exists=True, path_type=Path), help="Weights to start from.")
@click.option("--task", type=click.Choice(list(TASKS)), help=TASK_HELP)
@click.option("--set", "assignments", multiple=True, metavar="FIELD=VALUE", help=SET_HELP)
@click.option("--precision", type=click.Choice(PRECISIONS), help="Of activations. [default: the configuration's]")
@click.option("--gpus", metavar="N|all", help="Spread each batch over so many GPUs. [default: the configuration's, 1]")
@device_option(TRAIN_DEVICE_HELP)
@click.option("--processes", type=click.IntRange(min=0), default=0, metavar="N", help=PROCESSES_HELP)
@click.option("--range-test", "chart", type=click.Path(path_type=Path), metavar="FILE.svg", help=RANGE_HELP)
@common_options
def main(config, out, data, leave_out, init, task, assignments, precision, gpus, device, processes, chart, verbose):
    """Train a network by a configuration."""
    if (out is None) == (chart is None):
        raise click.UsageError("give either --out, to train, or --range-test")
    if chart is not None and chart.suffix != ".svg":
        raise click.UsageError(f"expected a chart that ends in .svg; got {chart.name}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    on_tensorflow = os.environ.setdefault("KERAS_BACKEND", "tensorflow") == "tensorflow"
    require("training", *(["tensorflow"] if on_tensorflow else []), "keras", "yaml")
    from spineseg_cli.core.inference.runtime import import_tensorflow, native_stderr_muted
    from spineseg_cli.core.yaml_files import parse_changes
    from spineseg_cli.training.config_files import load_config

    flags = {"optimizer.precision": precision, "optimizer.gpus": int(gpus) if (gpus or "").isdigit() else gpus}
    changes = {name: value for name, value in flags.items() if value is not None}
    loaded = load_config(config, parse_changes(assignments) | changes)
    with native_stderr_muted():
        if on_tensorflow:
            import_tensorflow()
        from spineseg_cli.training.device import training_device
        from spineseg_cli.training.evaluation import Evaluator
        from spineseg_cli.training.train import train

    with training_device(device, loaded.optimizer.gpus) if on_tensorflow else nullcontext():
        if chart is not None:
            report(_test_range(chart, loaded, data, leave_out, init, verbose), verbose)
        else:
            evaluator = Evaluator(TASKS[task], device) if task else None
            options = {"leave_out": leave_out, "init": init, "processes": processes, "verbose": verbose}
            weights = train(loaded, data, out, evaluator=evaluator, **options)
            report(f"weights written to {weights}", verbose)


def _test_range(chart, config, data, leave_out, init, verbose) -> str:
    from spineseg_cli.training.data.datasets import ConfiguredData
    from spineseg_cli.training.lr_range_test import range_test, write_range_test
    from spineseg_cli.weights.files import read_model

    batches = ConfiguredData(config, data, leave_out).batches()
    result = range_test(config, batches, init and read_model(init), verbose=verbose)
    write_range_test(chart, result, config.name)
    return result.verdict


if __name__ == "__main__":
    main()
