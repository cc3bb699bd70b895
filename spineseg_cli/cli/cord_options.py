"""Options of the commands that search for the cord."""

from __future__ import annotations

from pathlib import Path

import click

from spineseg_cli.cli.options import file_option, option, with_options
from spineseg_cli.core.localization.choices import CONTRASTS, SEARCH_METHODS, in_words
from spineseg_cli.errors import InputError


def contrast_option(effect: str):
    """Return a decorator that adds `-c`; its help ends with the sentence `effect`."""
    contrast_help = f"The contrast of the scan: {in_words(CONTRASTS)}. {effect}"
    choices = click.Choice(["auto", *CONTRASTS])
    return click.option("-c", "--contrast", type=choices, default="auto", show_default=True, help=contrast_help)


def brain_option(function):
    """Add `-brain`: True, False or None."""
    brain_help = (
        "1: the scan shows the brain; end where the cord does. 0: it does not; go on to the top. [default: the networks decide]"
    )
    choices, as_bool = click.Choice(["0", "1"]), lambda _ctx, _param, value: None if value is None else value == "1"
    return option("brain", type=choices, callback=as_bool, help=brain_help)(function)


def centerline_options(function):
    """Add `-centerline` and `-file_centerline`, which `centerline_method` interprets."""
    method_help = f"Where the cord is: {in_words(SEARCH_METHODS)}, or from a file. [default: optic, or file if one is given]"
    file_help = "Mask of the cord's centerline (file) or of the cord (fitseg), on the grid of the scan."
    return with_options(
        function,
        option("centerline", dest="method", type=click.Choice([*SEARCH_METHODS, "file", "fitseg"]), help=method_help),
        file_option("-file_centerline", "--file-centerline", dest="centerline", help=file_help),
    )


def centerline_method(method: str | None, file: Path | None) -> str:
    """Return the method that the two options select; raise InputError if they contradict each other."""
    method = method or ("file" if file else "optic")
    from_file = method in ("file", "fitseg")
    if from_file and not file:
        raise InputError(f"--centerline {method} needs a mask: give one with --file-centerline")
    if file and not from_file:
        raise InputError(f"--centerline {method} finds the cord itself: leave out --file-centerline, or choose file or fitseg")
    return method
