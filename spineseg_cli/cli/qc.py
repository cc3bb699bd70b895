"""`-qc DIR`, which several commands share: the report that results are added to."""

from __future__ import annotations

from pathlib import Path

import click

from spineseg_cli.cli.console import report


def qc_option(function):
    """Add `-qc`."""
    qc_help = "Add pictures of the result to a report in this folder: open its index.html. Many runs may share it."
    return click.option("-qc", "--qc", type=click.Path(path_type=Path), metavar="DIR", help=qc_help)(function)


def check_report(folder: Path | None) -> None:
    """Raise InputError if a report is asked for, but cannot be written to `folder`."""
    if folder:
        from spineseg_cli.reports.qc import check_folder

        check_folder(folder)


def write_report(
    folder: Path | None, image_path: Path, image, masks: dict, details: dict, verbose: int, views=("axial",), figures=None,
    confidences=None,
):  # fmt: skip
    """Add the `masks` (`Volume`s or `CroppedVolume`s by name) to the report in `folder`, if one is asked for.

    And `figures`, RGB pixels by name, and the `confidences` of masks, by their names. Of all, those that are None are left out.
    """
    if not folder:
        return
    from spineseg_cli.core.image.cropped import CroppedVolume
    from spineseg_cli.core.provenance import command_line, sidecar_path
    from spineseg_cli.reports.qc import acquisition_date, add_entry

    page = add_entry(
        folder,
        image=image,
        masks={
            name: mask.whole() if isinstance(mask, CroppedVolume) else mask for name, mask in masks.items() if mask is not None
        },
        title=str(image_path.resolve()),
        command=command_line(),
        details=details,
        date=acquisition_date(sidecar_path(image_path)),
        views=views,
        figures=figures,
        confidences={name: one.details() for name, one in (confidences or {}).items() if one is not None},
    )
    report(f"report: {page}", verbose)
