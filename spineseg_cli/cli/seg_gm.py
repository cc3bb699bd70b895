"""`seg_gm`: gray matter of an axial scan."""

from __future__ import annotations

import click

from spineseg_cli.cli.common import EXIT_CODES, SpinesegCommand, is_given
from spineseg_cli.cli.confidence import check_confidence_file, confidence_option, end_segmentation
from spineseg_cli.cli.options import common_options, file_option, model_options, option, threshold_options
from spineseg_cli.cli.outputs import (
    check_outputs,
    default_output,
    mask_details,
    segmentation_details,
    write_output,
    write_segmentation,
)
from spineseg_cli.cli.qc import check_report, qc_option, write_report
from spineseg_cli.cli.volumes import read_scan, volumes_option
from spineseg_cli.errors import InputError
from spineseg_cli.tasks.registry import GRAY_MATTER


@click.command(name="seg_gm", cls=SpinesegCommand, epilog=EXIT_CODES, counts_seconds=True)
@file_option("-i", "--input", dest="image_path", required=True, help="Scan: NIfTI in any orientation; its axial slices are read.")
@file_option("-o", "--output", help="Gray-matter mask. [default: INPUT_gmseg.nii.gz beside the input]")
@model_options(GRAY_MATTER.name)
@threshold_options("Probability", "the weights' own; 0.5 for the shipped ones")
@file_option("centerline", help="Mask of the cord or its centerline to follow. [default: the cord is searched for]")
@file_option("cord", help="Cord mask of the scan: nothing outside it is gray matter, and --wm is cut from it.")
@file_option("wm", help="Also write the white matter, --cord (or else the networks' cord) less gray matter, to this file.")
@option("tta", is_flag=True, help="Average over mirrored and rotated copies: slower, a little smoother.")
@volumes_option
@confidence_option
@qc_option
@common_options
@click.pass_context
def main(ctx, image_path, output, model, custom, device, precision, threshold, soft, centerline, cord, wm, tta, volumes,
         confidence_path, qc, verbose):  # fmt: skip
    """Segment the spinal cord's gray matter on an axial scan.

    \b
    seg_gm -i t2s.nii.gz
    seg_gm -i t2s.nii.gz -o gm.nii.gz --cord cord.nii.gz --wm wm.nii.gz
    """
    from spineseg_cli.api.images import load_mask
    from spineseg_cli.core.image.non_finite import non_finite_details

    if custom and is_given(ctx, "model"):
        raise InputError("--custom and -m both name a model: leave out one of them")
    output = output or default_output(image_path, "_gmseg")
    inputs = [path for path in (image_path, centerline, cord) if path]
    check_outputs([path for path in (output, wm) if path], inputs, tables=check_confidence_file(confidence_path))
    check_report(qc)
    image, *others = read_scan(image_path, volumes)
    guide, cord_mask = (load_mask(path) for path in (centerline, cord))
    chosen = GRAY_MATTER.find_model(custom or model)
    if wm and cord_mask is None and "cord" not in chosen.outputs:
        raise InputError(f"--wm needs a cord mask with the model {chosen.name!r}: give one with --cord")

    predictor = chosen.predictor(device, precision=precision)
    localizer = GRAY_MATTER.localizer(predictor, guide, cord_mask)
    options = {"cord": cord_mask, "threshold": threshold or None, "tta": tta}
    results = [GRAY_MATTER.predict(one, predictor, localizer, **options) for one in (image, *others)]
    result = results[0]
    details = segmentation_details(result, threshold, soft, TTA=tta) | non_finite_details(image, guide, cord_mask)
    is_filled = write_segmentation(output, results, inputs, details, verbose)
    if wm:
        write_output(wm, [one.cropped_white_matter for one in results], inputs, details | mask_details(result), verbose)
    masks, confidences = {"cord": result.cropped_cord, "gray matter": result.cropped_mask}, {"gray matter": result.confidence}
    write_report(qc, image_path, verbose, image=image, masks=masks, details=details, confidences=confidences)
    advice = "look whether the mask given lies in it" if guide or cord_mask else "give --centerline"
    why_empty = " ".join(result.notes) or f"if a cord is there, {advice}"
    end_segmentation(ctx, "gray matter", result, None if is_filled else why_empty, confidence_path, verbose)


if __name__ == "__main__":
    main()
