"""Output of commands: results on stdout, the log and progress on stderr."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
import warnings
from collections.abc import Iterator

import click

from spineseg_cli.errors import SpinesegError

log = logging.getLogger(__name__)


@contextlib.contextmanager
def log_on_stderr(verbose: int) -> Iterator[None]:
    """Print the log and warnings of the library on stderr at the level of `-v`; a warning of the log is printed once.

    At the end, the log is what it was before.
    """
    printed: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        """Return whether a record is printed, and not a warning that was, as of a scan that a training reads several times."""
        message = record.getMessage()
        is_repeated = record.levelno == logging.WARNING and message in printed
        printed.add(message)
        return not is_repeated

    root, library = logging.getLogger(), logging.getLogger("spineseg_cli")
    handlers, levels = root.handlers, (root.level, library.level)
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(is_new)
    root.handlers = [handler]
    root.setLevel(logging.ERROR)
    library.setLevel({0: logging.ERROR, 1: logging.WARNING, 2: logging.DEBUG}[verbose])
    warnings.simplefilter("default" if verbose == 2 else "ignore")
    try:
        yield
    finally:
        root.handlers = handlers
        for logger, level in zip((root, library), levels, strict=True):
            logger.setLevel(level)


def report(message: str, verbose: int) -> None:
    """Print a message on stdout, unless `-v 0`. If that fails, only a warning is logged, since results are in files."""
    if verbose > 0:
        try:
            _print(message)
        except SpinesegError as error:
            log.warning("%s", error)


def print_result(text: str, verbose: int) -> None:
    """Print a result that is in no file on stdout, unless `-v 0`. Raises SpinesegError if that fails."""
    if verbose > 0:
        _print(text)


def complain(message: str) -> None:
    """Print a sentence on stderr, if that is possible."""
    with contextlib.suppress(OSError):
        click.echo(message, err=True)


def _print(text: str) -> None:
    """Print on stdout; a closed pipe (`| head`) is not an error."""
    try:
        click.echo(text)
    except OSError as error:
        with open(os.devnull, "wb") as null:  # otherwise Python would try to write the rest at its end, and fail
            os.dup2(null.fileno(), sys.stdout.fileno())
        if error.errno != errno.EPIPE:
            raise SpinesegError(f"cannot write to stdout: {error.strerror}; send it elsewhere") from error


def progress_bar(items, total: int, verbose: int, unit: str = "scan"):
    """Return `items` with a progress bar on stderr: on a terminal, or with `-v 2`."""
    from tqdm import tqdm

    shown = verbose == 2 or (verbose == 1 and sys.stderr.isatty())
    return tqdm(items, total=total, unit=unit, file=sys.stderr, disable=not shown)
