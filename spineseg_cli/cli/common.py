"""The click class of all commands, and their exit codes.

Exit codes: 0 done, 1 failed or stopped, 2 bad arguments or input, 3 done but the result is empty. A command that is stopped by a
signal ends by that signal; a training that is stopped by Ctrl-C keeps its best weights, and exits with 1.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, nullcontext

import click
from click.core import ParameterSource

from spineseg_cli.cli.console import complain
from spineseg_cli.cli.libraries import import_libraries
from spineseg_cli.cli.signals import ends_by_signal
from spineseg_cli.cli.usage import as_sentence, check_words
from spineseg_cli.cli.waiting import seconds_counted
from spineseg_cli.errors import SpinesegError

EXIT_STOPPED = 1
EXIT_EMPTY = 3

# The last line of the help of commands that make an image.
EXIT_CODES = "Exit codes: 0 done, 1 failed or stopped, 2 bad arguments or input, 3 done, but nothing was found."

# The key of a context under which the arguments are kept, for sidecars.
ARGUMENTS = "spineseg.arguments"

# HDF5 would not open weights on file systems without locks; no file is changed while it is read.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")

# For NumPy, which is imported later. Slices are small matrices, for which threads cost more than they save.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


class SpinesegCommand(click.Command):
    """A command that turns the library's errors into one sentence on stderr and an exit code.

    An option in `greedy` takes all values that follow it (`-i a.nii b.nii`), as in SCT. With `counts_seconds`, for commands
    without a progress bar, the elapsed time is shown on a terminal.
    """

    def __init__(self, *args, greedy: tuple[str, ...] = (), counts_seconds: bool = False, **kwargs):
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"], "max_content_width": 110})
        kwargs.setdefault("no_args_is_help", True)
        super().__init__(*args, **kwargs)
        self.greedy, self.counts_seconds = greedy, counts_seconds

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments as click does, and return those that are left; errors are one sentence (click.ClickException)."""
        ctx.meta[ARGUMENTS] = list(args)
        words = _repeat_flags(args, self.greedy)
        check_words(self, words)
        with ExitStack() as on_error:
            on_error.callback(ctx.close)  # click leaves it open, and so the log changed, until it is garbage
            try:
                self._check_once(args, ctx)
                left = super().parse_args(ctx, words)
            except click.UsageError as error:
                raise self._in_one_sentence(error) from error
            on_error.pop_all()
        return left

    def _in_one_sentence(self, error: click.UsageError) -> click.ClickException:
        """Return an error of click in one sentence; the help, which click raises if there are no arguments, is not changed."""
        return error if type(error).__name__ == "NoArgsIsHelpError" else as_sentence(self, error)

    def _check_once(self, args: list[str], ctx: click.Context) -> None:
        """Raise UsageError if an option with a single value is given twice, of which click would silently take the last."""
        names = [arg.partition("=")[0] for arg in args]
        for option in self.params:
            if isinstance(option, click.Option) and not (option.multiple or option.is_flag):
                count = sum(names.count(name) for name in option.opts)
                if count > 1:
                    raise click.UsageError(f"{option.opts[-1]} is given {count} times; expected once", ctx)

    def invoke(self, ctx: click.Context):
        """Run the command; exit with the code of the error that it raises, or by the signal that stops it."""
        from spineseg_cli.core.provenance import running

        try:
            with ends_by_signal(str(self.name)), running(str(ctx.info_name), ctx.meta[ARGUMENTS]):
                import_libraries()  # here, because no help text needs it
                counts = self.counts_seconds and ctx.params.get("verbose") == 1  # steps are listed with -v 2
                with seconds_counted(str(self.name)) if counts else nullcontext():
                    return super().invoke(ctx)
        except click.UsageError as error:
            raise self._in_one_sentence(error) from error
        except SpinesegError as error:
            complain(f"{self.name}: {error}")
            ctx.exit(error.exit_code)
        except MemoryError:
            complain(f"{self.name}: out of memory; close other programs, or crop the image first")
            ctx.exit(1)
        except OSError as error:
            if error.filename is None:  # such as a closed pipe, which click handles
                raise
            complain(f"{self.name}: cannot open {error.filename}: {error.strerror}")
            ctx.exit(2)


def is_given(ctx: click.Context, name: str) -> bool:
    """Return whether the user has given an option, even with its default value."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _repeat_flags(args: list[str], greedy: tuple[str, ...]) -> list[str]:
    """Return arguments with `-i a b` as `-i a -i b`, which click can parse, for the options in `greedy`."""
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
