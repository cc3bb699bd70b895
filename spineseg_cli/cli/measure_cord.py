"""`measure_cord`: areas, diameters and angles along the cord, with their uncertainty."""

from __future__ import annotations

import click

from spineseg_cli.cli.common import EXIT_EMPTY, SpinesegCommand
from spineseg_cli.cli.console import complain, report
from spineseg_cli.cli.measure_options import input_options, kind_of_levels, output_options, row_options
from spineseg_cli.cli.measure_outputs import check_measure_outputs, draw_figure, warn_of, write_measure_report, write_table
from spineseg_cli.cli.options import common_options
from spineseg_cli.cli.qc import qc_option
from spineseg_cli.cli.volumes import read_scan
from spineseg_cli.errors import InputError

INPUTS = ("cord", "gray", "white", "image", "centerline", "levels", "discs")
DETAILS = """\b
Every measure has its standard error in a column ..._se. Means leave out slices in which the mask ends or is cut.
Which rows: of slices, of levels if they are known, and of the whole; with -z or -vert one row, their mean;
with -perslice or -perlevel one for each.
Exit codes: 0 done, 1 failed or stopped, 2 bad arguments or input, 3 done, but the mask is empty.
"""


@click.command(name="measure_cord", cls=SpinesegCommand, epilog=DETAILS, counts_seconds=True)
@input_options
@row_options
@output_options
@qc_option
@common_options
@click.pass_context
def main(ctx, /, slices, level_list, per_slice, per_level, level_kind, estimate, output, append, style, norms, plot, baseline, qc,
         verbose, **files):  # fmt: skip
    """Measure the cord along its length: area, diameters, angles, gray and white matter.

    \b
    measure_cord -i cord_seg.nii.gz -o areas.csv
    measure_cord -i cord_seg.nii.gz -levels levels.nii.gz -vert C2:C3 -o c2c3.csv -append
    measure_cord -i cord_seg.nii.gz -image t2.nii.gz -discs discs.nii.gz -norms -plot areas -o areas.csv
    """
    from spineseg_cli.core.image.non_finite import non_finite_details
    from spineseg_cli.morphometry.comparison.change import with_change
    from spineseg_cli.morphometry.comparison.norms import read_norms
    from spineseg_cli.morphometry.levels.names import parse_levels, parse_list
    from spineseg_cli.morphometry.measure import measure_cord
    from spineseg_cli.morphometry.tables.files import read_slices
    from spineseg_cli.morphometry.tables.rows import empty_row, make_rows, missing_selection, name_parts, peak_row

    if baseline and style == "sct" and not (plot or qc):
        raise InputError("the format of SCT has no columns for the change since --baseline: ask for a figure with --plot or -qc")
    paths = [path for path in (*files.values(), baseline) if path]
    check_measure_outputs(output, append, plot, qc, paths)
    norms = read_norms(norms).of_kind(kind_of_levels(files, level_kind, estimate)) if norms else None
    before = read_slices(baseline) if baseline else None
    slices = parse_list(slices) if slices else None
    levels = parse_levels(level_list, "spinal" if estimate else level_kind) if level_list else None
    volumes = _read_inputs(files)
    measures = measure_cord(**volumes, level_kind=level_kind, estimate_levels=bool(estimate))
    if measures:
        measured = make_rows(measures, slices=slices, levels=levels, per_slice=per_slice, per_level=per_level)
        peak = peak_row(measures) if norms and style != "sct" and len(measured) > 1 else None
        measured += [peak] if peak else []
    else:
        given = {name: name in volumes for name in ("gray", "white", "image")}
        measured = [empty_row(**given, segments=bool(estimate))]
    details = ({"Norms": norms.source} if norms else {}) | non_finite_details(*volumes.values())
    if before and style != "sct":
        measured, how = with_change(measured, make_rows(measures) if measures else None, before)
        details |= {"Baseline": str(baseline), "Alignment": how}
    head = {"file": str(files["cord"]), **name_parts(files["cord"])}
    rows = [head | row | (norms.compare(row) if norms else {}) for row in measured]
    write_table(output, rows, style, append, paths, details, verbose)
    if not measures:
        complain("measure_cord: the mask is empty: no voxel is at least half filled")
        ctx.exit(EXIT_EMPTY)
    figure = draw_figure(measures, norms, before, files["cord"].name, verbose) if plot or qc else None
    if plot:
        from spineseg_cli.reports.pictures.cord_profile import save_profile

        for path in save_profile(figure, plot):
            report(f"figure: {path}", verbose)
    if qc:
        write_measure_report(qc, files["cord"], measures, figure, volumes.get("image", volumes["cord"]), details, verbose)
    if verbose and (absent := missing_selection(measures, slices, levels)):
        complain(f"measure_cord: the mask has no cord at {', '.join(absent)}: rows are of the rest of what was selected")
    warn_of(measures, norms, rows, details.get("Alignment", ""), verbose)


def _read_inputs(files: dict) -> dict:
    """Return the masks, maps and the scan that are given, by the names of their options."""
    from spineseg_cli.api.images import load_image

    volumes = {name: load_image(files[name], "mask") for name in INPUTS if files[name] and name != "image"}
    return volumes | ({"image": read_scan(files["image"])[0]} if files["image"] else {})


if __name__ == "__main__":
    main()
