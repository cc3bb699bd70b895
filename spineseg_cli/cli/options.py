"""Options that several commands share."""

from __future__ import annotations

import os
from functools import reduce
from pathlib import Path

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
    return reduce(lambda decorated, option: option(decorated), reversed(options), function)


def file_option(*names: str, **kwargs):
    """Return an option that takes the path of a file, whose existence is checked when it is read."""
    return click.option(*names, type=click.Path(path_type=Path), metavar="FILE", **kwargs)


def switch(*names: str, **kwargs):
    """Return a switch that is given alone (`-perslice`) or, as in SCT, with 0 or 1 (`-perslice 1`)."""
    choice = click.Choice(["0", "1"])
    return click.option(*names, type=choice, is_flag=False, flag_value="1", metavar="[0|1]", callback=_is_on, **kwargs)


def _is_on(_ctx, _param, value):
    return value == "1"


def data_option(function):
    """Add `--data`, the folder of the data for training."""
    path, data_help = click.Path(path_type=Path), "Folder of the data. [default: $SPINESEG_SHARED/data]"
    return click.option("--data", type=path, default=_shared_data, help=data_help)(function)


def _shared_data() -> Path:
    return Path(os.environ.get("SPINESEG_SHARED", "../shared")) / "data"


def _verbosity(ctx: click.Context, _parameter: click.Parameter, value: str) -> int:
    """Print the log at the level of `-v` until the command ends, and return that."""
    ctx.with_resource(log_on_stderr(int(value)))
    return int(value)


def verbosity_option(function):
    """Add `-v 0|1|2`, which sets up the log."""
    return click.option(
        "-v",
        "--verbose",
        "verbose",
        type=click.Choice(["0", "1", "2"]),
        default="1",
        show_default=True,
        help="0: errors only. 1: results and warnings. 2: every step.",
        callback=_verbosity,
        is_eager=True,
    )(function)


def version_option(function):
    """Add `--version`."""
    return click.version_option(__version__, prog_name="spineseg")(function)


def model_options(task: str):
    """Return a decorator that adds `-m`, `--custom` and `--device` for the shipped models of `task`."""
    names = model_names(task)
    choice = click.option(
        "-m", "--model", type=click.Choice(names), default=next(iter(names), None), show_default=True, help="A shipped network."
    )
    return lambda function: choice(custom_options(task)(function))


def custom_options(task: str):
    """Return a decorator that adds `--custom` and `--device`; the help names the shipped models of `task`."""
    custom_help = f"Your own weights, published Keras-2 ones, or a shipped model by its name: {', '.join(model_names(task))}."
    custom = click.option("-custom", "--custom", metavar="FILE", help=custom_help)
    return lambda function: custom(device_option(RUN_DEVICE_HELP)(function))


def device_option(device_help: str):
    """Return a decorator that adds `--device`."""
    choices = click.Choice(["auto", "cpu", "gpu"])
    return click.option("-device", "--device", type=choices, default="auto", show_default=True, help=device_help)


def precision_option(function):
    """Add `--precision`."""
    return click.option(
        "-precision",
        "--precision",
        type=click.Choice(PRECISIONS),
        default=PRECISIONS[0],
        show_default=True,
        help="Arithmetic of the shipped networks on the CPU: int8, twice as fast, or float32, as they were trained.",
    )(function)


def threshold_options(meaning: str, default: str):
    """Return a decorator that adds `-thr` and `--soft`; `meaning` is the quantity that is compared with the threshold."""
    limits = click.FloatRange(0, 1, max_open=True)
    thr_help = f"{meaning} above which a voxel is in the mask; 0 gives the soft result. [default: {default}]"
    soft_help = "Write what -thr is compared with, 0 to 1 (float), instead of a mask; what is below -thr, if given, becomes 0."
    return lambda function: with_options(
        function,
        click.option("-thr", "--thr", "threshold", type=limits, metavar="P", help=thr_help),
        click.option("-soft", "--soft", is_flag=True, help=soft_help),
    )
