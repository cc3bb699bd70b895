"""The step `gm`: gray and white matter in the mask of the cord, if the scan is axial and its resolution is sufficient."""

from __future__ import annotations

from spineseg_cli.cohort.ledger import CORRECTED, DONE, EMPTY, SKIPPED
from spineseg_cli.cohort.steps.step import Step, StepContext, StepResult
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.tasks.registry import TASKS


def make_gray_matter(context: StepContext) -> StepResult:
    """Segment gray matter, or copy the mask that was made by hand; white matter is the rest of the cord."""
    label = context.label("gray")
    if not label and (reason := _unfit_for_gray_matter(context.image, context.settings.gm.max_in_plane_mm)):
        return StepResult(SKIPPED, message=reason)
    cord = context.binary(context.output("cord"))
    if not cord.data.any():
        return StepResult(SKIPPED, message="no cord was found")
    facts: dict[str, float] = {}
    if label:
        gray, details = context.binary(label), {"Description": "Gray-matter mask made or corrected by hand"}
    else:
        gray, details, facts = _from_network(context, cord)
    white = gray.with_data(cord.data & (1 - gray.data))
    sources = [label or context.scan.path, context.output("cord")]
    files = (*context.write("gray", gray, sources, details), *context.write("white", white, sources, details))
    facts["gray_mm3"] = round(gray.volume_mm3, 1)
    if not gray.data.any():
        return StepResult(EMPTY, files, "no gray matter found", facts)
    return StepResult(CORRECTED if label else DONE, files, facts=facts)


def _from_network(context: StepContext, cord: Volume) -> tuple[Volume, dict, dict]:
    """Return the gray matter in the mask of the cord, the details for its sidecar, and numbers for the table.

    Slices are centered on the mask of the cord if this mask, or its centerline, was made by hand, or the network is a published
    one. Otherwise the cord is searched for as in `seg_gm`, which also decides where gray matter ends.
    """
    options, predictor = context.settings.gm, context.predictor("gm")
    follow = bool(context.label("cord") or context.label("centerline")) or predictor.published
    localizer, given = (TASKS["gm"].localizer(predictor, cord=cord), cord) if follow else (context.localizer("gm"), None)
    segmentation = TASKS["gm"].predict(
        context.image, predictor, localizer, cord=given, threshold=options.threshold, tta=options.tta
    )
    facts = {} if segmentation.confidence is None else {"confidence_gray": round(segmentation.confidence.scan, 3)}
    details = segmentation.details() | {"Threshold": segmentation.threshold, "TTA": options.tta}
    # Gray matter is restricted to the mask of the cord, so that gray and white matter add up to it.
    return segmentation.mask.with_data(segmentation.mask.data & cord.data), details, facts


def _unfit_for_gray_matter(image: Volume, max_in_plane_mm: float) -> str:
    """Return the reason why gray matter cannot be segmented in a scan, "" if there is none."""
    right_left, front_back, along = to_rpi(image, copy=False).spacing_mm
    in_plane = max(right_left, front_back)
    if in_plane > max_in_plane_mm + 1e-3:
        return f"axial voxels of {right_left:.2g} x {front_back:.2g} mm are too large for gray matter"
    return "the scan is not axial" if along < in_plane - 1e-3 else ""


GRAY_MATTER = Step(
    revision=17,
    run=make_gray_matter,
    weights=lambda context: context.weights("gm"),
    reads=lambda context: context.inputs("gray", "cord", "centerline") | context.existing("cord"),
)
