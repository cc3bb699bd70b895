"""The outputs of `measure_cord`: the table, a figure, and an entry in a report."""

from __future__ import annotations

from pathlib import Path

from spineseg_cli.cli.console import complain, print_result, report
from spineseg_cli.cli.outputs import check_outputs
from spineseg_cli.cli.qc import Report, check_report, write_report
from spineseg_cli.core.extras import is_installed, require
from spineseg_cli.core.ranges import counted
from spineseg_cli.errors import InputError

# Suffixes of figures that are not written. Other suffixes may be part of a name, as in areas.v2.
OTHER_FIGURES = frozenset({".pdf", ".eps", ".ps", ".jpg", ".jpeg", ".tif", ".tiff", ".gif", ".bmp", ".webp"})


def check_measure_outputs(output: Path | None, append: bool, plot: Path | None, qc: Report | None, inputs: list[Path]) -> None:
    """Raise InputError if an output cannot be written, or would replace an input."""
    from spineseg_cli.core.provenance import sidecar_path
    from spineseg_cli.morphometry.tables.files import check_table_path, dictionary_path

    if plot:
        require("--plot", "matplotlib")
        if plot.suffix.lower() in OTHER_FIGURES:
            raise InputError(f"a figure must end in .png or .svg, or have no suffix; got {str(plot)!r}")
    if append and not output:
        raise InputError("--append adds to a table: name it with -o")
    tables = [plot] if plot else []
    if output:
        check_table_path(output, append)
        tables += [path for path in (output, sidecar_path(output), dictionary_path(output)) if path]
    check_outputs([], inputs, tables=tables)
    check_report(qc)


def write_table(output: Path | None, rows: list[dict], style: str, append: bool, inputs: list[Path], details: dict, verbose: int):
    """Write the table with its data dictionary and its sidecar; without `output`, print it."""
    from spineseg_cli.core.provenance import write_sidecar
    from spineseg_cli.morphometry.tables.files import sct_row, to_text, write_dictionary, write_rows

    if not output:
        print_result(to_text(rows), verbose)
        return
    written = [sct_row(row) for row in rows] if style == "sct" else rows
    count = write_rows(output, written, append)
    write_dictionary(output, list(written[0]))
    write_sidecar(output, inputs, {"Format": style, **details})
    report(f"wrote {output}: {counted(count, 'row')}", verbose)


def draw_figure(measures, norms, baseline, title: str, verbose: int):
    """Return a figure of the profile, None without matplotlib; `baseline` holds the rows of another time point, or None."""
    from spineseg_cli.morphometry.tables.rows import make_rows
    from spineseg_cli.reports.pictures.cord_profile import draw_profile

    if is_installed("matplotlib"):
        bands = norms.bands(measures.level_kind) if norms else None
        return draw_profile(make_rows(measures), title=title, norms=bands, baseline=baseline)
    if verbose:
        complain("measure_cord: the report has no figure: it needs matplotlib; pip install 'spineseg[plot]'")
    return None


def write_measure_report(qc: Report, cord: Path, measures, figure, image, details: dict, verbose: int) -> None:
    """Add the mask on `image`, a `Volume`, and the figure, if there is one, to a report."""
    from spineseg_cli.core.image.orientation import from_rpi
    from spineseg_cli.reports.pictures.cord_profile import figure_pixels

    mask = from_rpi((measures.profile.mask.volume.data >= 0.5).astype("uint8"), image)
    figures = {"profile": figure_pixels(figure)} if figure else {}
    shown = {"image": image, "details": details, "views": ("axial", "sagittal"), "figures": figures}
    write_report(qc, cord, verbose, masks={"cord": mask}, **shown)


def warn_of(measures, norms, rows: list[dict], alignment: str, verbose: int) -> None:
    """Print notes on the numbers in `rows` on stderr; `alignment` is the method that aligned a baseline, "" without one."""
    from spineseg_cli.morphometry.tables.columns import Z

    if not verbose:
        return
    flags = [flag for flags_of_slice in measures.profile.flags for flag in flags_of_slice.split(";") if flag]
    for flag in sorted(set(flags)):
        complain(f"measure_cord: {flag.replace('_', ' ')} in {counted(flags.count(flag), 'slice')}; see the column flags")
    if measures.segments is not None:
        source = "an experimental estimate" if measures.levels.any() else "not estimated: too little of the cord is in view"
        complain(f"measure_cord: spinal segments are {source}")
    if norms and not any(row.get(name + Z) is not None for row in rows for name in norms.measures):
        complain(f"measure_cord: none of the rows has a norm; there are norms of {norms.levels}")
    elif norms:
        caution = "areas by other tools, contrasts and voxel sizes differ by several percent"
        complain(f"measure_cord: norms: {norms.source}; {caution}")
    if alignment:
        complain(f"measure_cord: the baseline is aligned by {alignment}")
