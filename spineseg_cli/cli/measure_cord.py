"""`measure_cord`: areas, diameters and angles along the cord, with their uncertainty."""

from __future__ import annotations

import click

from spineseg_cli.cli.common import EXIT_EMPTY, SpinesegCommand
from spineseg_cli.cli.console import report
from spineseg_cli.cli.measure_options import input_options, output_options, row_options
from spineseg_cli.cli.options import verbosity_option, version_option
from spineseg_cli.cli.outputs import check_outputs

INPUTS = ("cord", "gray", "white", "image", "centerline", "levels", "discs")


@click.command(name="measure_cord", cls=SpinesegCommand)
@input_options
@output_options
@row_options
@verbosity_option
@version_option
@click.pass_context
def main(ctx, output, append, style, slices, level_list, per_slice, per_level, level_kind, verbose, **files):
    """Measure the cord along its length: area, diameters, angles, each with its standard error (..._se).

    \b
    measure_cord -i cord_seg.nii.gz -o areas.csv
    measure_cord -i cord_seg.nii.gz -levels levels.nii.gz -vert C2:C3 -o c2c3.csv -append
    measure_cord -i cord_seg.nii.gz -image t2.nii.gz -gray gray_seg.nii.gz -o areas.csv
    """
    from spineseg_cli.core.nifti import read_volume
    from spineseg_cli.core.provenance import sidecar_path, write_sidecar
    from spineseg_cli.morphometry.levels import parse_levels, parse_list
    from spineseg_cli.morphometry.measure import measure_cord
    from spineseg_cli.morphometry.rows import empty_row, make_rows, name_parts
    from spineseg_cli.morphometry.table import check_table_path, dictionary_path, sct_row, to_text, write_dictionary, write_rows

    paths = [files[name] for name in INPUTS if files[name]]
    if output:
        check_table_path(output, append)
        check_outputs([], paths, tables=list(filter(None, (output, sidecar_path(output), dictionary_path(output)))))
    slices = parse_list(slices) if slices else None
    levels = parse_levels(level_list, level_kind) if level_list else None
    volumes = {name: read_volume(files[name], kind="image" if name == "image" else "mask") for name in INPUTS if files[name]}
    measures = measure_cord(volumes.pop("cord"), **volumes, level_kind=level_kind)
    head = {"file": str(files["cord"]), **name_parts(files["cord"])}
    if measures is None:
        rows = [head | empty_row()]
    else:
        found = make_rows(measures, slices=slices, levels=levels, per_slice=per_slice, per_level=per_level)
        rows = [head | row for row in found]
    if output:
        written = [sct_row(row) for row in rows] if style == "sct" else rows
        count = write_rows(output, written, append)
        write_dictionary(output, list(written[0]))
        write_sidecar(output, paths, {"Format": style})
        report(f"wrote {output}: {count} rows", verbose)
    else:
        report(to_text(rows), verbose)
    if measures is None:
        click.echo("measure_cord: the mask has no voxel that is at least half filled", err=True)
        ctx.exit(EXIT_EMPTY)


if __name__ == "__main__":
    main()
