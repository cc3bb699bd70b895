"""The options of `spineseg`: which scans, what is done, and where."""

from __future__ import annotations

from pathlib import Path

import click

from spineseg_cli.cli.options import COUNT, file_option, option, with_options
from spineseg_cli.cohort.queues import QUEUES
from spineseg_cli.cohort.settings import STEP_NAMES
from spineseg_cli.errors import InputError


def selection_options(function):
    """Add the options that select scans."""
    many = {"multiple": True, "metavar": "LABEL"}
    return with_options(
        function,
        option("participant-label", dest="participants", help="Participants, as 01 02.", **many),
        option("session-label", dest="sessions", help="Sessions.", **many),
        option("suffix", dest="suffixes", help="Contrasts, as T2w T2star. [default: anatomical ones]", **many),
        option("task", dest="tasks", help="Tasks.", **many),
        option("filter", dest="filters", multiple=True, metavar="ENTITY=VALUE", help="As acq=axial or echo=1."),
        option("pattern", metavar="GLOB", default="", help="File names, as '*T2s*', instead of --suffix."),
        file_option("include", help="A list of participants, sessions or scans, one a line: only these."),
        file_option("exclude", help="Such a list, or ratings exported from the page: not these (fail, artifact)."),
    )


def run_options(function):
    """Add the options of the processing."""
    steps_help = f"Of {', '.join(STEP_NAMES)}. [default: all]"
    dicom_help = "First sort the DICOM files in FOLDER, and convert them into BIDS."
    ratings_help = "Group: ratings exported from the page; of two raters, their agreement is reported."
    return with_options(
        function,
        file_option("config", help="Settings as YAML: steps and their options."),
        option("set", dest="overrides", multiple=True, metavar="NAME=VALUE", help="A setting, as gm.tta=true."),
        option("steps", multiple=True, type=click.Choice(STEP_NAMES), metavar="STEP", help=steps_help),
        option("jobs", "-j", type=COUNT, default=1, show_default=True, help="Sessions at the same time."),
        option("force", is_flag=True, help="Do again what is finished already."),
        option("only-failed", is_flag=True, help="Only scans that have failed before."),
        option("dry-run", is_flag=True, help="Say what would be done, and do nothing."),
        option("dicom", type=click.Path(path_type=Path), metavar="FOLDER", help=dicom_help),
        file_option("ratings", multiple=True, help=ratings_help),
        option("scheduler", metavar="ADDRESS", help="A dask scheduler that runs, as tcp://host:8786."),
        option("cluster", type=click.Choice(list(QUEUES)), help="Have the workers started by this queue."),
    )


def selection_of(tasks, filters, include, exclude, **fields):
    """Return the `Selection` of these options; `fields` are named like those of a `Selection`."""
    from spineseg_cli.cohort.ratings import read_list
    from spineseg_cli.cohort.selection import Selection

    pairs = [text.partition("=") for text in filters]
    if bad := [name for name, equals, _ in pairs if not equals]:
        raise InputError(f"expected ENTITY=VALUE, such as acq=axial; got {bad[0]!r}")
    entities = [(name, value) for name, _, value in pairs] + [("task", task.removeprefix("task-")) for task in tasks]
    listed = {name: read_list(path) for name, path in (("include", include), ("exclude", exclude)) if path}
    return Selection(entities=tuple(entities), **listed, **fields)
