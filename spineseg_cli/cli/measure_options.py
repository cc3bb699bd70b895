"""Options of `measure_cord`."""

from __future__ import annotations

from pathlib import Path

import click

from spineseg_cli.cli.options import file_option, option, switch, with_options

KINDS = ("vertebral", "spinal")
FORMATS = ("tidy", "sct")
PUBLISHED = "published"


def input_options(function):
    """Add the images to measure, and those that define levels."""
    kind = click.Choice(KINDS)
    return with_options(
        function,
        file_option("-i", "--input", dest="cord", required=True, help="Mask of the cord, binary or soft, in any orientation."),
        file_option("gray", help="Mask of the gray matter, for its area and its ratio to the cord."),
        file_option("white", help="Mask of the white matter. [default: cord less gray matter]"),
        file_option("image", help="The scan, for the area inside its own edge: area_edge_mm2."),
        file_option("centerline", help="Mask that the cord's direction is taken from."),
        file_option("-vertfile", "levels", help="Map of SCT's levels, or labels of TotalSpineSeg."),
        file_option("-discfile", "discs", help="Labels of discs, as SCT numbers them, instead of --levels."),
        option("level-kind", type=kind, default=KINDS[0], help="Which levels the map has."),
        switch("estimate-levels", dest="estimate", help="Spinal segments from the cord alone; experimental."),
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
        option("z", dest="slices", metavar="LIST", help="Axial slices, 0 the most inferior: 5:20 or 3,4,7:9."),
        option("vert", dest="level_list", metavar="LIST", help="Levels: 2:4 or C2:C4."),
        switch("-perslice", "--per-slice", help="One row for each slice."),
        switch("-perlevel", "--per-level", help="One row for each level."),
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
        switch("append", help="Add to the table instead of replacing it."),
        option("format", dest="style", type=click.Choice(FORMATS), default=FORMATS[0], help=style_help),
        option("norms", is_flag=False, flag_value=PUBLISHED, metavar="[FILE]", help=norms_help),
        option("plot", type=path, metavar="FILE", help="Figure: .png, .svg, or both without a suffix."),
        file_option("baseline", help="Table of the subject at another time, to tell the change from."),
    )
