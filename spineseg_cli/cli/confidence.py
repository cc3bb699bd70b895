"""The end of `seg_cord` and `seg_gm`: why a mask is empty, which slices are doubtful, and the table of `--confidence`."""

from __future__ import annotations

from pathlib import Path

import click

from spineseg_cli.cli.common import EXIT_EMPTY
from spineseg_cli.cli.console import complain
from spineseg_cli.cli.options import file_option
from spineseg_cli.cli.outputs import write_csv_output
from spineseg_cli.core.confidence.wording import COLUMNS, what_to_look_at
from spineseg_cli.errors import InputError


def confidence_option(function):
    """Add `--confidence`; commands call `check_confidence_file` before they compute anything."""
    option_help = "Also write how far each axial slice can be trusted, and why not, to this table (CSV)."
    return file_option("confidence", dest="confidence_path", help=option_help)(function)


def check_confidence_file(path: Path | None) -> list[Path]:
    """Return the path of the table in a list, which is empty without one; raise InputError if it is not CSV."""
    if path is not None and path.suffix != ".csv":
        raise InputError(f"expected a table whose name ends in .csv for --confidence; got {path.name}")
    return [path] if path is not None else []


def end_segmentation(ctx: click.Context, what: str, result, why_empty: str | None, confidence: Path | None, verbose: int) -> None:
    """Print the notes of a `Segmentation` and its doubtful slices, or why it is empty; in this case, exit with `EXIT_EMPTY`.

    `what` is the structure; `why_empty` is None if it was found; `confidence` is the path of the table, if there is one.
    """
    command = ctx.command.name
    if verbose and why_empty is not None:
        complain(f"{command}: no {what} found; an empty mask was written: {why_empty}")
    elif verbose:
        for note in result.notes:
            complain(f"{command}: {note}")
    _say_doubt(command, result.confidence, confidence, verbose)
    if why_empty is not None:
        ctx.exit(EXIT_EMPTY)


def _say_doubt(command: str | None, confidence, path: Path | None, verbose: int) -> None:
    """Write the table, if it has a path, and list the slices that should be looked at on stderr, unless `-v 0`."""
    if path is not None:
        write_csv_output(path, COLUMNS, [] if confidence is None else confidence.table(), verbose)
    if verbose and confidence is not None and len(confidence.doubtful):
        total = int(confidence.filled.sum())
        complain(f"{command}: {what_to_look_at(confidence.doubtful.tolist(), total, confidence.main_reason)}")
