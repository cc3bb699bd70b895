"""Make example subjects: synthetic scans and their true masks in a BIDS folder."""

from __future__ import annotations

import click

from spineseg_cli.cli.common import SpinesegCommand
from spineseg_cli.cli.console import report
from spineseg_cli.cli.options import common_options, option


@click.command("make_example", cls=SpinesegCommand)
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("-n", "--subjects", type=int, default=3, show_default=True, help="How many subjects.")
@option("seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same files.")
@common_options
def main(folder: str, subjects: int, seed: int, verbose: int) -> None:
    """Write synthetic subjects (phantoms) to FOLDER, with their true masks under FOLDER/derivatives/labels.

    Example: python -m spineseg_cli.cli.make_example example_data
    """
    from spineseg_cli.synthesis.example import write_example_subjects

    for path in write_example_subjects(folder, subjects, seed):
        report(str(path), verbose)


if __name__ == "__main__":
    main()
