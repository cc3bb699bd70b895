"""The option `-qc DIR` of several commands: the report to which results are added."""

from __future__ import annotations

from pathlib import Path

import click

from spineseg_cli.cli.console import report


def qc_option(function):
    """Add `-qc`."""
    qc_help = "Add pictures of the result to a report in this folder: open its index.html. Many runs may share it."
    return click.option("-qc", "--qc", type=click.Path(path_type=Path), metavar="DIR", help=qc_help)(function)


def check_report(folder: Path | None) -> None:
    """Raise InputError if the report, if there is one, cannot be written to `folder`."""
    if folder:
        from spineseg_cli.reports.qc.entry import check_folder

        check_folder(folder)


def write_report(folder: Path | None, image_path: Path, verbose: int, *, masks: dict, confidences: dict | None = None, **shown):
    """Add a result to the report in `folder`, if there is one: its `masks`, its `confidences`, and further fields of a `Result`.

    Masks may be `CroppedVolume`s. Masks and confidences that are None are left out.
    """
    if not folder:
        return
    from spineseg_cli.core.image.cropped import CroppedVolume
    from spineseg_cli.core.provenance import command_line, sidecar_path
    from spineseg_cli.reports.qc.entry import Result, acquisition_date, add_entry

    given = {name: mask for name, mask in masks.items() if mask is not None}
    result = Result(
        masks={name: mask.whole() if isinstance(mask, CroppedVolume) else mask for name, mask in given.items()},
        confidences={name: one.details() for name, one in (confidences or {}).items() if one is not None},
        **shown,
    )
    page = add_entry(folder, str(image_path.resolve()), command_line(), result, acquisition_date(sidecar_path(image_path)))
    report(f"report: {page}", verbose)
