"""Train a network by a recipe: `python -m spineseg_cli.cli.train --recipe gm_synthetic --out runs/gm_synthetic`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from spineseg_cli.cli.common import SpinesegCommand, report
from spineseg_cli.cli.options import verbosity_option


@click.command(name="train", cls=SpinesegCommand)
@click.option("--recipe", required=True, help="A recipe of the package by name, or a YAML file.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder of the run; an unfinished run in it is resumed."
)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data. [default: $SPINESEG_SHARED/data]")
@click.option("--leave-out", multiple=True, metavar="NAME", help="Leave out files whose path holds NAME. May be repeated.")
@click.option("--init", type=click.Path(exists=True, path_type=Path), help="Weights to start from.")
@click.option("--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Change a field of the recipe. May be repeated.")
@verbosity_option
def main(recipe, out, data, leave_out, init, changes, verbose):
    """Train a network by a recipe."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    from spineseg_cli.core.inference import import_tensorflow, native_stderr_muted
    from spineseg_cli.training.recipe_files import load_recipe

    loaded = load_recipe(recipe, changes)
    with native_stderr_muted():
        if os.environ["KERAS_BACKEND"] == "tensorflow":
            import_tensorflow()
        from spineseg_cli.training.loop import train

    data = data or Path(os.environ.get("SPINESEG_SHARED", "../shared")) / "data"
    weights = train(loaded, data, out, leave_out=leave_out, init=init, verbose=verbose)
    report(f"weights written to {weights}", verbose)


if __name__ == "__main__":
    main()
