"""What commands say: results on stdout, the log and progress on stderr."""

from __future__ import annotations

import logging
import sys
import warnings

import click


def configure_log(verbose: int) -> int:
    """Send the library's log and warnings to stderr at the level that `-v` asks for; return the level asked for."""
    level = {0: logging.ERROR, 1: logging.WARNING, 2: logging.DEBUG}[verbose]
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(message)s", force=True)
    logging.getLogger("spineseg_cli").setLevel(level)
    warnings.simplefilter("default" if verbose == 2 else "ignore")
    return verbose


def report(message: str, verbose: int) -> None:
    """Print a result on stdout, unless `-v 0`."""
    if verbose > 0:
        click.echo(message)


def progress_bar(items, total: int, verbose: int, unit: str = "scan"):
    """Return `items` with a progress bar on stderr: on a terminal, or with `-v 2`."""
    from tqdm import tqdm

    shown = verbose == 2 or (verbose == 1 and sys.stderr.isatty())
    return tqdm(items, total=total, unit=unit, file=sys.stderr, disable=not shown)
