"""The options of `spineseg`: which scans, what is done, and where."""

from __future__ import annotations

from pathlib import Path

import click

from spineseg_cli.cli.options import COUNT, file_option, with_options
from spineseg_cli.cohort.queues import QUEUES
from spineseg_cli.cohort.settings import STEP_NAMES
from spineseg_cli.errors import InputError


def selection_options(function):
    """Add the options that select scans."""
    many = {"multiple": True, "metavar": "LABEL"}
    return with_options(
        function,
        click.option("-participant-label", "--participant-label", "participants", help="Participants, as 01 02.", **many),
        click.option("-session-label", "--session-label", "sessions", help="Sessions.", **many),
        click.option("-suffix", "--suffix", "suffixes", help="Contrasts, as T2w T2star. [default: anatomical ones]", **many),
        click.option("-task", "--task", "tasks", help="Tasks.", **many),
        click.option("-filter", "--filter", "filters", multiple=True, metavar="ENTITY=VALUE", help="As acq=axial or echo=1."),
        click.option("-pattern", "--pattern", metavar="GLOB", default="", help="File names, as '*T2s*', instead of --suffix."),
        file_option("-include", "--include", help="A list of participants, sessions or scans, one a line: only these."),
        file_option("-exclude", "--exclude", help="Such a list, or ratings exported from the page: not these (fail, artifact)."),
    )


def run_options(function):
    """Add the options of the processing."""
    return with_options(
        function,
        file_option("-config", "--config", help="Settings as YAML: steps and their options."),
        click.option("-set", "--set", "overrides", multiple=True, metavar="NAME=VALUE", help="A setting, as gm.tta=true."),
        click.option("-steps", "--steps", multiple=True, type=click.Choice(STEP_NAMES), metavar="STEP",
                     help=f"Of {', '.join(STEP_NAMES)}. [default: all]"),
        click.option("-jobs", "--jobs", "-j", type=COUNT, default=1, show_default=True, help="Sessions at the same time."),
        click.option("-force", "--force", is_flag=True, help="Do again what is finished already."),
        click.option("-only-failed", "--only-failed", is_flag=True, help="Only scans that have failed before."),
        click.option("-dry-run", "--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
        click.option("-dicom", "--dicom", type=click.Path(path_type=Path), metavar="FOLDER",
                     help="First sort the DICOM files in FOLDER, and convert them into BIDS."),
        click.option("-ratings", "--ratings", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
                     help="Group: ratings exported from the page; of two raters, their agreement is reported."),
    )  # fmt: skip


def cluster_options(function):
    """Add the options of clusters."""
    return with_options(
        function,
        click.option("-scheduler", "--scheduler", metavar="ADDRESS", help="A dask scheduler that runs, as tcp://host:8786."),
        click.option("-cluster", "--cluster", type=click.Choice(list(QUEUES)), help="Have the workers started by this queue."),
    )


def selection_of(tasks, filters, include, exclude, **fields):
    """Return the `Selection` of these options; `fields` are named like those of a `Selection`."""
    from spineseg_cli.cohort.selection import Selection, read_list

    pairs = [text.partition("=") for text in filters]
    if bad := [name for name, equals, _ in pairs if not equals]:
        raise InputError(f"expected ENTITY=VALUE, such as acq=axial; got {bad[0]!r}")
    entities = [(name, value) for name, _, value in pairs] + [("task", task.removeprefix("task-")) for task in tasks]
    listed = {name: read_list(path) for name, path in (("include", include), ("exclude", exclude)) if path}
    return Selection(entities=tuple(entities), **listed, **fields)
