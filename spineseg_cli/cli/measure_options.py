"""Options of `measure_cord`."""

from __future__ import annotations

from pathlib import Path

import click

from spineseg_cli.cli.options import file_option, switch, with_options

KINDS = ("vertebral", "spinal")
FORMATS = ("tidy", "sct")
PUBLISHED = "published"


def input_options(function):
    """Add the images to measure, and those that define levels."""
    kind = click.Choice(KINDS)
    return with_options(
        function,
        file_option("-i", "--input", "cord", required=True, help="Mask of the cord, binary or soft, in any orientation."),
        file_option("-gray", "--gray", "gray", help="Mask of the gray matter, for its area and its ratio to the cord."),
        file_option("-white", "--white", "white", help="Mask of the white matter. [default: cord less gray matter]"),
        file_option("-image", "--image", "image", help="The scan, for the area inside its own edge: area_edge_mm2."),
        file_option("-centerline", "--centerline", "centerline", help="Mask that the cord's direction is taken from."),
        file_option("-vertfile", "-levels", "--levels", "levels", help="Map of SCT's levels, or labels of TotalSpineSeg."),
        file_option("-discfile", "-discs", "--discs", "discs", help="Labels of discs, as SCT numbers them, instead of --levels."),
        click.option("-level-kind", "--level-kind", "level_kind", type=kind, default=KINDS[0], help="Which levels the map has."),
        switch("-estimate-levels", "--estimate-levels", "estimate", help="Spinal segments from the cord alone; experimental."),
    )


def kind_of_levels(files: dict, level_kind: str, estimate: bool) -> str:
    """Return the kind of levels that the table will have, as `morphometry.levels.NAMES` calls it; "" without levels."""
    if estimate:
        return "spinal_estimate"
    return KINDS[0] if files["discs"] else level_kind if files["levels"] else ""


def row_options(function):
    """Add the options that select the rows of the table."""
    return with_options(
        function,
        click.option("-z", "--z", "slices", metavar="LIST", help="Axial slices, 0 the most inferior: 5:20 or 3,4,7:9."),
        click.option("-vert", "--vert", "level_list", metavar="LIST", help="Levels: 2:4 or C2:C4."),
        switch("-perslice", "--per-slice", "per_slice", help="One row for each slice."),
        switch("-perlevel", "--per-level", "per_level", help="One row for each level."),
    )


def output_options(function):
    """Add the options of the output."""
    path = click.Path(path_type=Path)
    output_help = "Table to write: .csv, .tsv or .json. Without it: to the terminal."
    style_help = "sct: the columns of sct_process_segmentation."
    norms_help = "z-scores and centiles of each level among healthy adults, or the controls in FILE."
    return with_options(
        function,
        click.option("-o", "--output", type=path, metavar="FILE", help=output_help),
        switch("-append", "--append", "append", help="Add to the table instead of replacing it."),
        click.option("-format", "--format", "style", type=click.Choice(FORMATS), default=FORMATS[0], help=style_help),
        click.option("-norms", "--norms", "norms", is_flag=False, flag_value=PUBLISHED, metavar="[FILE]", help=norms_help),
        click.option("-plot", "--plot", "plot", type=path, metavar="FILE", help="Figure: .png, .svg, or both without a suffix."),
        file_option("-baseline", "--baseline", "baseline", help="Table of the subject at another time, to tell the change from."),
    )
