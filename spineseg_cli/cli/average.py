"""Average the weights of several runs: `python -m spineseg_cli.cli.average A.weights.h5 B.weights.h5 --out gm.weights.h5`."""

from __future__ import annotations

from pathlib import Path

import click

from spineseg_cli.cli.common import SpinesegCommand
from spineseg_cli.cli.console import report
from spineseg_cli.cli.options import verbosity_option


@click.command(name="average", cls=SpinesegCommand)
@click.argument("weights", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Weights file to write (.weights.h5).")
@click.option("--config", help="Training configuration whose inference goes into the file. [default: the first file's]")
@verbosity_option
def main(weights, out, config, verbose):
    """Write the mean of weights that were trained on from one another, with their metadata."""
    from spineseg_cli.core.inference.runtime import import_tensorflow, native_stderr_muted
    from spineseg_cli.weights.averaging import average_weights
    from spineseg_cli.weights.files import read_model, write_model

    if not out.name.endswith(".weights.h5"):
        raise click.UsageError(f"expected weights that end in .weights.h5; got {out.name}")
    models = [read_model(path) for path in weights]
    inference = models[0].config
    if config:
        from spineseg_cli.training.config_files import load_config

        inference = load_config(config).inference
    with native_stderr_muted():
        import_tensorflow()
        network = average_weights(models)
    write_model(network, out, models[0].network, models[0].outputs, inference)
    report(f"weights written to {out}", verbose)


if __name__ == "__main__":
    main()
