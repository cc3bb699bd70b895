"""Scans of several volumes (4-D): their mean, or each of them, by the option `--volumes`."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from spineseg_cli.cli.options import option

log = logging.getLogger(__name__)

HELP = "Of a 4-D scan: segment the mean of its volumes, or each, which makes a 4-D mask."


def volumes_option(function):
    """Add `--volumes mean|each`."""
    choice = click.Choice(["mean", "each"])
    return option("volumes", type=choice, default="mean", show_default=True, help=HELP)(function)


def read_scan(path: Path, volumes: str = "mean") -> list:
    """Return a scan as one `Volume`, of a 4-D scan the mean, or as its volumes ("each")."""
    from spineseg_cli.api.images import load_image
    from spineseg_cli.core.image.nifti import count_volumes, read_volumes

    if volumes == "mean":
        return [load_image(path, as_stored=True)]
    if (count := count_volumes(path)) > 1:
        log.warning("%s holds %d volumes: confidence, notes and pictures are those of the first", path, count)
    return read_volumes(path)
