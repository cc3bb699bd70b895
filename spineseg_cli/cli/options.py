"""Options that several commands share."""

from __future__ import annotations

import os
from functools import reduce
from pathlib import Path
from typing import Any

import click

from spineseg_cli import __version__
from spineseg_cli.cli.console import log_on_stderr
from spineseg_cli.weights.registry import model_names

PRECISIONS = ("int8", "float32")

COUNT = click.IntRange(min=1)

RUN_DEVICE_HELP = "Where networks run. auto: on the CPU if there is a TFLite file of the weights, else on a GPU if there is one."
TRAIN_DEVICE_HELP = "Where the networks are trained; auto takes a GPU if there is one."


def with_options(function, *options):
    """Add options in the given order."""
    return reduce(lambda decorated, add: add(decorated), reversed(options), function)


def option(*names: str, dest: str = "", **kwargs):
    """Return an option; a name without dashes is spelled with one, as in SCT, or two. `dest` is the name of the parameter."""
    spellings = [text for name in names for text in ((name,) if name.startswith("-") else (f"-{name}", f"--{name}"))]
    return click.option(*spellings, *([dest] if dest else []), **kwargs)


def file_option(*names: str, **kwargs):
    """Return an option that takes the path of a file, whose existence is checked when it is read."""
    return option(*names, type=click.Path(path_type=Path), metavar="FILE", **kwargs)


def switch(*names: str, **kwargs):
    """Return a switch that is given alone (`-perslice`) or, as in SCT, with 0 or 1 (`-perslice 1`)."""
    how: dict[str, Any] = {"type": click.Choice(["0", "1"]), "callback": lambda _ctx, _param, value: value == "1"}
    return option(*names, is_flag=False, flag_value="1", metavar="[0|1]", **how, **kwargs)


def data_option(function):
    """Add `--data`, the folder of the data for training."""
    data_help = "Folder of the data. [default: $SPINESEG_SHARED/data]"
    default = Path(os.environ.get("SPINESEG_SHARED", "../shared")) / "data"
    return click.option("--data", type=click.Path(path_type=Path), default=default, help=data_help)(function)


def _verbosity(ctx: click.Context, _parameter: click.Parameter, value: str) -> int:
    """Print the log at the level of `-v` until the command ends, and return that."""
    ctx.with_resource(log_on_stderr(int(value)))
    return int(value)


def common_options(function):
    """Add `-v 0|1|2`, which sets up the log, and `--version`."""
    verbose_help = "0: errors only. 1: results and warnings. 2: every step."
    how: dict[str, Any] = {"type": click.Choice(["0", "1", "2"]), "callback": _verbosity, "is_eager": True}
    return with_options(
        function,
        click.option("-v", "--verbose", default="1", show_default=True, help=verbose_help, **how),
        click.version_option(__version__, prog_name="spineseg"),
    )


def model_options(task: str):
    """Return a decorator that adds `-m` for the shipped models of `task`, and `custom_options`."""
    names = model_names(task)
    choice = click.option(
        "-m", "--model", type=click.Choice(names), default=next(iter(names), None), show_default=True, help="A shipped network."
    )
    return lambda function: choice(custom_options(task)(function))


def custom_options(task: str):
    """Return a decorator that adds `--custom`, `--device` and `--precision`; the help names the shipped models of `task`."""
    custom_help = f"Your own weights, published Keras-2 ones, or a shipped model by its name: {', '.join(model_names(task))}."
    precision_help = "Arithmetic of the shipped networks on the CPU: int8, twice as fast, or float32, as they were trained."
    precisions: dict[str, Any] = {"type": click.Choice(PRECISIONS), "default": PRECISIONS[0], "show_default": True}
    return lambda function: with_options(
        function,
        option("custom", metavar="FILE", help=custom_help),
        device_option(RUN_DEVICE_HELP),
        option("precision", help=precision_help, **precisions),
    )


def device_option(device_help: str):
    """Return a decorator that adds `--device`."""
    choices = click.Choice(["auto", "cpu", "gpu"])
    return option("device", type=choices, default="auto", show_default=True, help=device_help)


def threshold_options(meaning: str, default: str):
    """Return a decorator that adds `-thr` and `--soft`; `meaning` is the quantity that is compared with the threshold."""
    limits = click.FloatRange(0, 1, max_open=True)
    thr_help = f"{meaning} above which a voxel is in the mask; 0 gives the soft result. [default: {default}]"
    soft_help = "Write what -thr is compared with, 0 to 1 (float), instead of a mask; what is below -thr, if given, becomes 0."
    return lambda function: with_options(
        function,
        option("thr", dest="threshold", type=limits, metavar="P", help=thr_help),
        option("soft", is_flag=True, help=soft_help),
    )
