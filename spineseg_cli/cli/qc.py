"""The options `-qc DIR` and `-qc-subject NAME` of several commands: the report to which results are added."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from spineseg_cli.cli.console import report
from spineseg_cli.cli.options import option, with_options

# The key of click's context at which the subject's name is kept until `-qc` is read.
SUBJECT = "subject of the report"


@dataclass(frozen=True)
class Report:
    """A report, as a command line names it."""

    folder: Path
    subject: str  # the subject's name, "" for that in the file's name


def qc_option(function):
    """Add `-qc`, whose value is a `Report` or None, and `-qc-subject`, which is part of it."""
    qc_help = "Add pictures of the result to a report in this folder: open its index.html. Many runs may share it."
    subject_help = "The subject's name in the report, with -qc. [default: that in the file's name]"
    return with_options(
        function,
        option("qc", type=click.Path(path_type=Path), metavar="DIR", callback=_report_in, help=qc_help),
        option("qc-subject", metavar="NAME", expose_value=False, is_eager=True, callback=_keep, help=subject_help),
    )


def _keep(ctx: click.Context, _param, name: str | None) -> None:
    ctx.meta[SUBJECT] = name or ""


def _report_in(ctx: click.Context, _param, folder: Path | None) -> Report | None:
    return Report(folder, ctx.meta[SUBJECT]) if folder else None


def check_report(given: Report | None) -> None:
    """Raise InputError if a report, if there is one, cannot be written."""
    if given:
        from spineseg_cli.reports.qc.entry import check_folder

        check_folder(given.folder)


def write_report(given: Report | None, image_path: Path, verbose: int, *, masks: dict, confidences: dict | None = None, **shown):
    """Add a result to a report, if there is one: its `masks`, its `confidences`, and further fields of a `Result`.

    Masks may be `CroppedVolume`s. Masks and confidences that are None are left out.
    """
    if not given:
        return
    from spineseg_cli.core.image.cropped import CroppedVolume
    from spineseg_cli.core.provenance import command_line, sidecar_path
    from spineseg_cli.reports.qc.entry import Result, acquisition_date, add_entry

    present = {name: mask for name, mask in masks.items() if mask is not None}
    result = Result(
        masks={name: mask.whole() if isinstance(mask, CroppedVolume) else mask for name, mask in present.items()},
        confidences={name: one.details() for name, one in (confidences or {}).items() if one is not None},
        **shown,
    )
    date = acquisition_date(sidecar_path(image_path))
    page = add_entry(given.folder, str(image_path.resolve()), command_line(), result, date, given.subject)
    report(f"report: {page}", verbose)
