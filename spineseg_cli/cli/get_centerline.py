"""`get_centerline`: the cord's centerline in a scan of any contrast."""

from __future__ import annotations

import logging

import click

from spineseg_cli.cli.common import EXIT_CODES, EXIT_EMPTY, SpinesegCommand
from spineseg_cli.cli.console import complain
from spineseg_cli.cli.cord_options import brain_option, contrast_option
from spineseg_cli.cli.options import common_options, custom_options, file_option, option, switch
from spineseg_cli.cli.outputs import check_outputs, default_output, write_csv_output, write_output
from spineseg_cli.cli.qc import check_report, qc_option, write_report
from spineseg_cli.cli.volumes import read_scan
from spineseg_cli.core.image.file_names import stem_of
from spineseg_cli.core.localization.choices import CURVES, SEARCH_METHODS, in_words
from spineseg_cli.errors import InputError
from spineseg_cli.tasks.registry import CENTERLINE

log = logging.getLogger(__name__)

OUTPUT_HELP = "Image of the centerline (.nii.gz may be left out); a CSV goes beside it. [default: INPUT_centerline.nii.gz]"
METHOD_HELP = f"{in_words(SEARCH_METHODS)}, or fitseg (the centers of a mask)."
FIT_HELP = f"The curve through the centers: {in_words(CURVES)}."
SMOOTH_HELP = "Undulations of a shorter wavelength are smoothed out."
WAVELENGTH = click.FloatRange(0, min_open=True)


@click.command(name="get_centerline", cls=SpinesegCommand, epilog=EXIT_CODES, counts_seconds=True)
@file_option("-i", "--input", dest="image_path", required=True, help="Scan, or with fitseg a mask: 3-D NIfTI in any orientation.")
@file_option("-o", "--output", help=OUTPUT_HELP)
@option("method", type=click.Choice([*SEARCH_METHODS, "fitseg"]), default="optic", show_default=True, help=METHOD_HELP)
@contrast_option("It has no effect: the search serves every contrast alike.")
@option("centerline-algo", dest="algorithm", type=click.Choice(list(CURVES)), default="bspline", show_default=True, help=FIT_HELP)
@option("centerline-smooth", dest="smooth_mm", type=WAVELENGTH, default=30.0, show_default=True, metavar="MM", help=SMOOTH_HELP)
@option("space", type=click.Choice(["pix", "phys"]), help="Coordinates in the CSV: voxels or world mm. [default: both]")
@switch("extrapolation", dest="extrapolate", help="Go on to the first and last slice.")
@brain_option
@custom_options(CENTERLINE.name)
@qc_option
@common_options
@click.pass_context
def main(ctx, image_path, output, contrast, method, algorithm, smooth_mm, space, extrapolate, brain, custom, device,
         precision, qc, verbose):  # fmt: skip
    """Find the spinal cord's centerline in a scan of any contrast.

    \b
    get_centerline -i t2.nii.gz
    get_centerline -i cord_seg.nii.gz --method fitseg -o centerline.nii.gz
    """
    from spineseg_cli.core.image.nifti import read_volume

    if method == "fitseg" and (custom or brain is not None):
        raise InputError("--method fitseg follows a mask, and searches for no cord: leave out --custom and --brain")
    if contrast != "auto":
        log.warning("-c %s has no effect: the search serves every contrast alike", contrast)
    if output and not output.suffix and not output.is_dir():  # as in SCT
        output = output.with_name(f"{output.name}.nii.gz")
    output = output or default_output(image_path, "_centerline")
    table = output.with_name(stem_of(output.name) + ".csv")
    check_outputs([output], [image_path], tables=[table])
    check_report(qc)
    curve = {"algorithm": algorithm, "smooth_mm": smooth_mm, "extrapolate": extrapolate}
    predictor = None
    if method == "fitseg":
        from spineseg_cli.tasks.centerline import centerline_of_mask

        result = centerline_of_mask(read_volume(image_path, kind="mask"), **curve)
    else:
        (image,) = read_scan(image_path)
        model = CENTERLINE.find_model(custom)
        if model.dimensions == 3:
            raise InputError(f"expected weights of a 2-D network; that of {custom} is 3-D, and is for seg_cord alone")
        predictor = model.predictor(device, precision=precision)
        result = CENTERLINE.predict(image, predictor, CENTERLINE.localizer(predictor, method=method, brain=brain), **curve)
    details = result.details(method, curve, predictor)
    write_output(output, [result.cropped_mask], [image_path], details, verbose, size=f"{result.length_mm:.1f} mm long")
    write_csv_output(table, *result.table(space), verbose)
    masks = {"centerline": result.cropped_mask}
    write_report(qc, image_path, verbose, image=result.image, masks=masks, details=details, views=("axial", "sagittal"))
    is_empty = len(result.points_vx) == 0
    note = " ".join(result.notes)
    if is_empty:
        note = "no cord found; an empty image was written" + (f": {note}" if note else "")
    if verbose and note:
        complain(f"get_centerline: {note}")
    if is_empty:
        ctx.exit(EXIT_EMPTY)


if __name__ == "__main__":
    main()
