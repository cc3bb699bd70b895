"""What every command shares: its click class, its common options, its log, and the exit codes.

Exit codes: 0 done, 1 failed, 2 bad arguments or input, 3 done but the result is empty.
"""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path

import click

from spineseg_cli import __version__
from spineseg_cli.errors import InputError, SpinesegError

EXIT_EMPTY = 3


class SpinesegCommand(click.Command):
    """A command that turns the library's errors into one sentence on stderr and an exit code.

    An option named in `greedy` takes every value that follows it (`-i a.nii b.nii`), as SCT's do.
    """

    def __init__(self, *args, greedy: tuple[str, ...] = (), **kwargs):
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"], "max_content_width": 110})
        kwargs.setdefault("no_args_is_help", True)
        super().__init__(*args, **kwargs)
        self.greedy = greedy

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _repeat_flags(args, self.greedy))

    def invoke(self, ctx: click.Context):
        try:
            return super().invoke(ctx)
        except SpinesegError as error:
            click.echo(f"{self.name}: {error}", err=True)
            ctx.exit(error.exit_code)
        except MemoryError:
            click.echo(f"{self.name}: out of memory; close other programs, or crop the image first", err=True)
            ctx.exit(1)


def _repeat_flags(args: list[str], greedy: tuple[str, ...]) -> list[str]:
    """Write `-i a b` as `-i a -i b` for the flags in `greedy`, which is what click can parse."""
    out: list[str] = []
    flag = None
    for arg in args:
        if arg.startswith("-") and len(arg) > 1:
            flag = arg if arg in greedy else None
            out.append(arg)
        elif flag is not None and out[-1] != flag:
            out += [flag, arg]
        else:
            out.append(arg)
    return out


def file_option(*names: str, **kwargs):
    """Return an option that takes a file's path; whether the file is there is for the reader to say."""
    return click.option(*names, type=click.Path(path_type=Path), metavar="FILE", **kwargs)


def verbosity_option(function):
    """Add `-v 0|1|2`: errors only, results and warnings, or everything with timings."""
    return click.option(
        "-v",
        "--verbose",
        "verbose",
        type=click.Choice(["0", "1", "2"]),
        default="1",
        show_default=True,
        help="0: errors only. 1: results and warnings. 2: every step.",
        callback=lambda _ctx, _param, value: configure_log(int(value)),
        is_eager=True,
    )(function)


def version_option(function):
    """Add `--version`."""
    return click.version_option(__version__, prog_name="spineseg")(function)


def configure_log(verbose: int) -> int:
    """Send the library's log and warnings to stderr at the level that `-v` asks for; return the level asked for."""
    level = {0: logging.ERROR, 1: logging.WARNING, 2: logging.DEBUG}[verbose]
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(message)s", force=True)
    logging.getLogger("spineseg_cli").setLevel(level)
    warnings.simplefilter("default" if verbose == 2 else "ignore")
    return verbose


def check_outputs(outputs: list[Path], inputs: list[Path]) -> None:
    """Raise InputError if an output image or its sidecar cannot be written, or would replace an input or another output."""
    from spineseg_cli.core.nifti import check_output_path
    from spineseg_cli.core.provenance import sidecar_path

    taken = {file.resolve() for path in inputs for file in (path, sidecar_path(path))}
    for path in outputs:
        check_output_path(path)
        for file in (path, sidecar_path(path)):
            if file.resolve() in taken:
                raise InputError(f"cannot write {file}: it is, or describes, an input or another output; name another output")
            taken.add(file.resolve())


def report(message: str, verbose: int) -> None:
    """Print a result on stdout, unless `-v 0`."""
    if verbose > 0:
        click.echo(message)
