"""Commands that have their name and their entry point, but no code yet."""

from __future__ import annotations

import click

from spineseg_cli.cli.common import SpinesegCommand
from spineseg_cli.cli.options import version_option
from spineseg_cli.errors import NotAvailableError


def unavailable_command(name: str, purpose: str) -> click.Command:
    """Return a command that accepts any arguments, says in one sentence that it is not there yet, and exits with 1."""

    @click.command(
        name=name,
        cls=SpinesegCommand,
        no_args_is_help=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": ["-h", "--help"]},
        help=f"{purpose} Not in this version yet.",
    )
    @version_option
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def main(arguments):
        raise NotAvailableError(f"{name} is not in this version of spineseg yet; seg_gm and compute_metrics are")

    return main
