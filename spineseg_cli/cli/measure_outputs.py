"""What `measure_cord` writes beside its table: a figure, and an entry in a report."""

from __future__ import annotations

from pathlib import Path

import click

from spineseg_cli.cli.console import counted, print_result, report
from spineseg_cli.cli.outputs import check_outputs
from spineseg_cli.cli.qc import check_report, write_report
from spineseg_cli.core.extras import is_installed, require
from spineseg_cli.errors import InputError


def check_measure_outputs(output: Path | None, append: bool, plot: Path | None, qc: Path | None, inputs: list[Path]) -> None:
    """Raise InputError if something that is asked for cannot be written, or would replace an input."""
    from spineseg_cli.core.provenance import sidecar_path
    from spineseg_cli.morphometry.table import check_table_path, dictionary_path

    if plot:
        require("--plot", "matplotlib")
    if append and not output:
        raise InputError("--append adds to a table: name it with -o")
    tables = [plot] if plot else []
    if output:
        check_table_path(output, append)
        tables += [path for path in (output, sidecar_path(output), dictionary_path(output)) if path]
    check_outputs([], inputs, tables=tables)
    check_report(qc)


def write_table(output: Path | None, rows: list[dict], style: str, append: bool, inputs: list[Path], details: dict, verbose: int):
    """Write the table with its data dictionary and its sidecar, or show it."""
    from spineseg_cli.core.provenance import write_sidecar
    from spineseg_cli.morphometry.table import sct_row, to_text, write_dictionary, write_rows

    if not output:
        print_result(to_text(rows), verbose)
        return
    written = [sct_row(row) for row in rows] if style == "sct" else rows
    count = write_rows(output, written, append)
    write_dictionary(output, list(written[0]))
    write_sidecar(output, inputs, {"Format": style, **details})
    report(f"wrote {output}: {counted(count, 'row')}", verbose)


def draw_figure(measures, norms, baseline, title: str, verbose: int):
    """Return the profile as a figure, or None without matplotlib. `baseline` are rows of another time or None."""
    from spineseg_cli.morphometry.rows import make_rows
    from spineseg_cli.reports.pictures.cord_profile import draw_profile

    if is_installed("matplotlib"):
        areas = norms.areas(measures.level_kind) if norms else None
        return draw_profile(make_rows(measures), title=title, norms=areas, baseline=baseline)
    if verbose:
        click.echo("measure_cord: the report has no figure: it needs matplotlib; pip install 'spineseg[plot]'", err=True)
    return None


def save_figure(figure, plot: Path, verbose: int) -> None:
    """Write the figure to files."""
    from spineseg_cli.reports.pictures.cord_profile import save_profile

    for path in save_profile(figure, plot):
        report(f"figure: {path}", verbose)


def write_measure_report(qc: Path, cord: Path, measures, figure, image, details: dict, verbose: int) -> None:
    """Show the figure, if there is one, and the mask on `image`, a `Volume`, in a report."""
    from spineseg_cli.core.image.orientation import from_rpi
    from spineseg_cli.reports.pictures.cord_profile import figure_pixels

    mask = from_rpi((measures.profile.mask.volume.data >= 0.5).astype("uint8"), image)
    figures = {"profile": figure_pixels(figure)} if figure else {}
    shown = {"image": image, "details": details, "views": ("axial", "sagittal"), "figures": figures}
    write_report(qc, cord, verbose, masks={"cord": mask}, **shown)


def warn_of(measures, norms, rows: list[dict], alignment: str, verbose: int) -> None:
    """Say on stderr what is to be known of the numbers in `rows`; a baseline is aligned by `alignment`, "" without one."""
    from spineseg_cli.morphometry.columns import Z

    flags = [flag for said in measures.profile.flags for flag in said.split(";") if flag]
    if verbose:
        for flag in sorted(set(flags)):
            click.echo(f"measure_cord: {flag.replace('_', ' ')} in {flags.count(flag)} slices; see the column flags", err=True)
        if measures.segments is not None:
            source = "an experimental estimate" if measures.levels.any() else "not estimated: too little of the cord is in view"
            click.echo(f"measure_cord: spinal segments are {source}", err=True)
        if norms and not any(row.get(name + Z) is not None for row in rows for name in norms.measures):
            click.echo(f"measure_cord: none of the rows has a norm; there are norms of {norms.levels}", err=True)
        elif norms:
            said = "areas by other tools, contrasts and voxel sizes differ by several percent"
            click.echo(f"measure_cord: norms are of {norms.source}; {said}", err=True)
        if alignment:
            click.echo(f"measure_cord: the baseline is aligned by {alignment}", err=True)
