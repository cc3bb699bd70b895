"""`seg_cord`: cord mask of a scan of any contrast."""

from __future__ import annotations

import logging
from functools import partial

import click

from spineseg_cli.cli.common import EXIT_CODES, SpinesegCommand, is_given
from spineseg_cli.cli.confidence import check_confidence_file, confidence_option, end_segmentation
from spineseg_cli.cli.cord_options import brain_option, centerline_method, centerline_options, contrast_option
from spineseg_cli.cli.options import common_options, custom_options, file_option, option, threshold_options
from spineseg_cli.cli.outputs import check_outputs, default_output, segmentation_details, write_segmentation
from spineseg_cli.cli.qc import check_report, qc_option, write_report
from spineseg_cli.cli.registry_option import RegistryOption
from spineseg_cli.cli.volumes import read_scan, volumes_option
from spineseg_cli.errors import InputError
from spineseg_cli.tasks.registry import CORD, CORD_METHODS

log = logging.getLogger(__name__)

FRACTION = click.FloatRange(0, 1, max_open=True)
KERNELS = [f"{dimensions}d" for dimensions in CORD.models]
# The parameters of options that only the networks have.
NETWORK_OPTIONS = ("custom", "kernel", "overlap", "contrast", "brain", "confidence_path")
KERNEL_HELP = "2d: slice by slice. 3d: stacks of 16 slices, up to three times slower. [default: 2d, or that of --custom]"


@click.command(name="seg_cord", cls=SpinesegCommand, epilog=EXIT_CODES, counts_seconds=True)
@file_option("-i", "--input", dest="image_path", required=True, help="Scan: NIfTI in any orientation; its axial slices are read.")
@file_option("-o", "--output", help="Cord mask. [default: INPUT_seg.nii.gz beside the input]")
@option("method", dest="algorithm", cls=RegistryOption, registry=CORD_METHODS, default="network", show_default=True)
@contrast_option("It has no effect with the shipped weights, only with --custom weights that have thresholds by contrast.")
@option("kernel", type=click.Choice(KERNELS), help=KERNEL_HELP)
@centerline_options
@option("overlap", type=FRACTION, default=0.5, show_default=True, help="Overlap of neighboring 3-D patches.")
@threshold_options("Fraction of a voxel inside the cord's outline", "0.5")
@brain_option
@custom_options(CORD.name)
@volumes_option
@confidence_option
@qc_option
@common_options
@click.pass_context
def main(ctx, image_path, output, algorithm, contrast, kernel, method, centerline, overlap, threshold, soft, brain, custom,
         device, precision, volumes, confidence_path, qc, verbose):  # fmt: skip
    """Segment the spinal cord on a scan of any contrast, whole or in part.

    \b
    seg_cord -i t2.nii.gz
    seg_cord -i t1.nii.gz -o cord.nii.gz -centerline file -file_centerline centerline.nii.gz
    """
    from spineseg_cli.api.images import load_mask
    from spineseg_cli.core.image.non_finite import non_finite_details

    method = centerline_method(method, centerline)
    if centerline and brain is not None:
        raise InputError("--file-centerline says where the cord ends: leave out --brain")
    output = output or default_output(image_path, "_seg")
    inputs = [path for path in (image_path, centerline) if path]
    check_outputs([output], inputs, tables=check_confidence_file(confidence_path))
    check_report(qc)
    image, *others = read_scan(image_path, volumes)
    guide = load_mask(centerline)
    if algorithm == "network":
        model = _find_model(ctx, custom, kernel, contrast)
        predictor = model.predictor(device, precision=precision, contrast=contrast, overlap=overlap)
        localizer = CORD.localizer(predictor, guide, method="cnn" if method == "cnn" else "optic", brain=brain)
        predict = partial(CORD.predict, predictor=predictor, localizer=localizer)
    else:
        predict, method = _without_network(ctx, algorithm, guide, method, device)
    results = [predict(one, threshold=threshold or None) for one in (image, *others)]
    result = results[0]
    details = segmentation_details(result, threshold, soft, Contrast=contrast, Centerline=method)
    details |= non_finite_details(image, guide)
    is_filled = write_segmentation(output, results, inputs, details, verbose)
    shown = {"image": image, "details": details, "views": ("axial", "sagittal"), "confidences": {"cord": result.confidence}}
    write_report(qc, image_path, verbose, masks={"cord": result.cropped_mask}, **shown)
    why_empty = "look whether the centerline lies in it" if guide else " ".join(result.notes)
    end_segmentation(ctx, "cord", result, None if is_filled else why_empty, confidence_path, verbose)


def _find_model(ctx, custom, kernel, contrast):
    """Return the weights that the options select, and warn of options that have no effect on them."""
    model = CORD.find_model(custom, int(kernel[0]) if kernel else None)
    if kernel and kernel != f"{model.dimensions}d":
        fact = f"whose network is {model.dimensions}d: leave out --kernel"
        raise InputError(f"--kernel {kernel} does not fit --custom {custom}, {fact}")
    if model.dimensions == 2 and is_given(ctx, "overlap"):
        log.warning("--overlap is of the patches of --kernel 3d, and has no effect here")
    if contrast != "auto" and contrast not in model.config.contrast_thresholds:
        log.warning("-c %s has no effect: the weights %s have no threshold for it", contrast, model.name)
    return model


def _without_network(ctx, algorithm, guide, method, device):
    """Return the function that segments a scan by another method, and how its starting point is found."""
    from spineseg_cli.core.localization.localizer import MaskLocalizer, NetworkLocalizer
    from spineseg_cli.weights.find import find_model

    for param in ctx.command.params:
        if param.name in NETWORK_OPTIONS and is_given(ctx, param.name):
            raise InputError(f"{param.opts[-1]} is of the cord's networks: leave it out with --method {algorithm}")
    localizer = None
    if guide:
        localizer = MaskLocalizer(mask=guide)
    elif is_given(ctx, "method"):
        localizer = NetworkLocalizer(search=find_model("centerline").predictor(device), method=method)
    return partial(CORD_METHODS.load(algorithm), localizer=localizer), method if localizer else "none"


if __name__ == "__main__":
    main()
