"""Train a network by a recipe: `python -m spineseg_cli.cli.train --recipe gm_synthetic --out runs/gm_synthetic`."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import click

from spineseg_cli.cli.common import SpinesegCommand
from spineseg_cli.cli.console import report
from spineseg_cli.cli.options import verbosity_option
from spineseg_cli.training.choices import PRECISIONS

RANGE_HELP = "Instead of training, let the rate rise over 3 epochs, and write the loss by rate as a chart, and as CSV beside it."


@click.command(name="train", cls=SpinesegCommand)
@click.option("--recipe", required=True, help="A recipe of the package by name, or a YAML file.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run; an unfinished run in it is resumed.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data. [default: $SPINESEG_SHARED/data]")
@click.option("--leave-out", multiple=True, metavar="NAME", help="Leave out files whose path holds NAME. May be repeated.")
@click.option("--init", type=click.Path(exists=True, path_type=Path), help="Weights to start from.")
@click.option("--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Change a field of the recipe. May be repeated.")
@click.option("--precision", type=click.Choice(PRECISIONS), help="Of activations. [default: the recipe's]")
@click.option("--gpus", metavar="N|all", help="Part each batch over so many GPUs. [default: the recipe's, 1]")
@click.option("--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True)
@click.option("--range-test", "chart", type=click.Path(path_type=Path), metavar="FILE.svg", help=RANGE_HELP)
@verbosity_option
def main(recipe, out, data, leave_out, init, changes, precision, gpus, device, chart, verbose):
    """Train a network by a recipe."""
    if (out is None) == (chart is None):
        raise click.UsageError("give either --out, to train, or --range-test")
    if chart is not None and chart.suffix != ".svg":
        raise click.UsageError(f"expected a chart that ends in .svg; got {chart.name}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    from spineseg_cli.core.inference.runtime import import_tensorflow, native_stderr_muted
    from spineseg_cli.training.config_files import load_config

    flags = {"precision": precision, "gpus": gpus}
    loaded = load_config(recipe, [*changes, *(f"{name}={value}" for name, value in flags.items() if value is not None)])
    on_tensorflow = os.environ["KERAS_BACKEND"] == "tensorflow"
    with native_stderr_muted():
        if on_tensorflow:
            import_tensorflow()
        from spineseg_cli.training.device import training_device
        from spineseg_cli.training.loop import train

    data = data or Path(os.environ.get("SPINESEG_SHARED", "../shared")) / "data"
    with training_device(device, loaded.gpus) if on_tensorflow else nullcontext():
        if chart is not None:
            report(_test_range(chart, loaded, data, leave_out, init, verbose), verbose)
        else:
            weights = train(loaded, data, out, leave_out=leave_out, init=init, verbose=verbose)
            report(f"weights written to {weights}", verbose)


def _test_range(chart, recipe, data, leave_out, init, verbose) -> str:
    from spineseg_cli.training.loop import load_data
    from spineseg_cli.training.lr_range_test import range_test, write_range_test

    found = range_test(recipe, load_data(recipe, data, leave_out)[0], init, verbose=verbose)
    write_range_test(chart, found, recipe.name)
    return found.verdict


if __name__ == "__main__":
    main()
