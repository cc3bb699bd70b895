"""`seg_gm`: gray matter of an axial scan."""

from __future__ import annotations

from pathlib import Path

import click

from spineseg_cli.cli.common import (
    EXIT_EMPTY,
    SpinesegCommand,
    check_outputs,
    file_option,
    report,
    verbosity_option,
    version_option,
)
from spineseg_cli.errors import InputError
from spineseg_cli.registry import model_names


@click.command(name="seg_gm", cls=SpinesegCommand)
@file_option(
    "-i", "--input", "image_path", required=True, help="Scan: 3-D NIfTI, stored in any orientation; axial slices are read."
)
@file_option("-o", "--output", help="Gray-matter mask. [default: INPUT_gmseg.nii.gz beside the input]")
@click.option("-m", "--model", type=click.Choice(model_names("gm")), default=model_names("gm")[0], show_default=True)
@click.option(
    "-custom", "--custom", metavar="FILE", help="Your own weights, a published Keras-2 file, or a model's name; replaces -m."
)
@click.option(
    "-thr",
    "--thr",
    "threshold",
    type=click.FloatRange(0, 1, max_open=True),
    metavar="P",
    help="Probability above which a voxel is gray matter; 0 gives the soft result. [default: the model's]",
)
@click.option(
    "-soft",
    "--soft",
    is_flag=True,
    help="Write probabilities (float) instead of a mask; those below -thr, if given, become 0.",
)
@file_option(
    "-centerline", "--centerline", help="Mask of the cord or its centerline, where the cord is not near the image's centre."
)
@file_option("-cord", "--cord", help="Cord mask of the scan: nothing outside it is gray matter, and --wm is cut from it.")
@file_option("-wm", "--wm", help="Also write the white matter, the cord without its gray matter, to this file.")
@click.option("-tta", "--tta", is_flag=True, help="Average over mirrored and turned copies: slower, a little smoother.")
@click.option("-device", "--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True)
@verbosity_option
@version_option
@click.pass_context
def main(ctx, image_path, output, model, custom, threshold, soft, centerline, cord, wm, tta, device, verbose):
    """Segment the spinal cord's gray matter on an axial scan.

    \b
    seg_gm -i t2s.nii.gz
    seg_gm -i t2s.nii.gz -o gm.nii.gz --cord cord.nii.gz --wm wm.nii.gz
    """
    from spineseg_cli import weights
    from spineseg_cli.core import nifti
    from spineseg_cli.core.files import file_sha256
    from spineseg_cli.core.provenance import write_sidecar

    outputs = [path for path in (output or beside(image_path, "_gmseg"), wm) if path]
    inputs = [path for path in (image_path, centerline, cord) if path]
    check_outputs(outputs, inputs)
    image = nifti.read_volume(image_path)
    guide, cord_mask = (nifti.read_volume(path, kind="mask") if path else None for path in (centerline, cord))
    chosen = weights.find_custom(custom, "gray_matter") if custom else weights.find_model(model)
    if wm and cord_mask is None and "cord" not in chosen.outputs:
        raise InputError(f"--wm needs a cord mask with the model {chosen.name!r}: give one with --cord")

    from spineseg_cli.pipelines.gm import segment_gray_matter

    result = segment_gray_matter(
        image, chosen, centerline=guide, cord=cord_mask, threshold=threshold or None, tta=tta, device=device
    )
    soft = soft or threshold == 0
    gray = result.soft(threshold or 0) if soft else result.mask
    sources = {str(path): file_sha256(path) for path in inputs}
    details = {
        "Model": {"Name": chosen.name, "SHA256": chosen.sha256},
        "TTA": tta,
        "CropBox": result.crop_box_vx,
    }
    results = [(gray, soft, threshold or 0.0 if soft else result.threshold), (result.white_matter, False, result.threshold)]
    for path, (volume, is_soft, floor) in zip(outputs, results, strict=False):
        nifti.write_volume(path, volume, volume.data.dtype)
        write_sidecar(path, sources, {**details, "Soft": is_soft, "Threshold": floor})
        report(f"{path}: {volume.volume_mm3:.1f} mm3", verbose)
    if not gray.data.any():
        click.echo(
            "seg_gm: no gray matter found; an empty mask was written. Is the cord off-centre? Then give --centerline.",
            err=True,
        )
        ctx.exit(EXIT_EMPTY)


def beside(path: Path, suffix: str) -> Path:
    """Return `folder/scan<suffix>.nii.gz` for `folder/scan.nii.gz`."""
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + f"{suffix}.nii.gz")
