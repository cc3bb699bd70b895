"""The step `gm`: gray and white matter within the cord's mask, where the scan is axial and fine enough."""

from __future__ import annotations

from pathlib import Path

from spineseg_cli.cohort.ledger import CORRECTED, DONE, EMPTY, SKIPPED
from spineseg_cli.cohort.settings import as_dict
from spineseg_cli.cohort.steps.step import Outcome, Step
from spineseg_cli.cohort.steps.work import Work
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.localizer import MaskLocalizer
from spineseg_cli.tasks.registry import TASKS


def make_gray_matter(work: Work) -> Outcome:
    """Segment gray matter, or take the mask that was made by hand; white matter is the rest of the cord."""
    label = work.label("gray")
    if not label and (reason := _unfit_for_gray_matter(work.image, work.settings.gm.max_in_plane_mm)):
        return Outcome(SKIPPED, message=reason)
    cord = work.binary(work.output("cord"))
    if not cord.data.any():
        return Outcome(SKIPPED, message="no cord was found")
    gray, details, facts = _from_label(work, label) if label else _from_network(work, cord)
    white = gray.with_data(cord.data & (1 - gray.data))
    sources = [label or work.scan.path, work.output("cord")]
    files = (*work.write("gray", gray, sources, details), *work.write("white", white, sources, details))
    facts["gray_mm3"] = round(gray.volume_mm3, 1)
    if not gray.data.any():
        return Outcome(EMPTY, files, "no gray matter found", facts)
    return Outcome(CORRECTED if label else DONE, files, facts=facts)


def _from_label(work: Work, label: Path) -> tuple[Volume, dict, dict]:
    return work.binary(label), {"Description": "Gray-matter mask made or corrected by hand"}, {}


def _from_network(work: Work, cord: Volume) -> tuple[Volume, dict, dict]:
    """Return the gray matter within the cord's mask, what its sidecar says, and numbers for the table.

    The cord mask is followed if it, or its centerline, was made by hand, and by published networks always; else the cord is
    searched for as `seg_gm` does, which tells where gray matter ends.
    """
    options, predictor = work.settings.gm, work.predictor("gm")
    follow = bool(work.label("cord") or work.label("centerline")) or predictor.published
    localizer = MaskLocalizer(mask=cord, name="the cord mask") if follow else work.localizer("gm")
    segmentation = TASKS["gm"].predict(
        work.image, predictor, localizer, cord=cord if follow else None, threshold=options.threshold, tta=options.tta
    )
    facts = {} if segmentation.confidence is None else {"confidence_gray": round(segmentation.confidence.scan, 3)}
    details = segmentation.details(predictor.name, predictor.sha256) | {"Threshold": segmentation.threshold, "TTA": options.tta}
    # The cord's own mask counts: gray and white matter add up to it.
    return segmentation.mask.with_data(segmentation.mask.data & cord.data), details, facts


def _unfit_for_gray_matter(image: Volume, max_in_plane_mm: float) -> str:
    """Return why gray matter cannot be seen in a scan; "" if it may be."""
    right_left, front_back, along = to_rpi(image, copy=False).spacing_mm
    in_plane = max(right_left, front_back)
    if in_plane > max_in_plane_mm + 1e-3:
        return f"axial voxels of {right_left:.2g} x {front_back:.2g} mm are too large for gray matter"
    return "the scan is not axial" if along < in_plane - 1e-3 else ""


GRAY_MATTER = Step(
    revision=6,
    run=make_gray_matter,
    options=lambda settings: as_dict(settings.gm) | {"labels": settings.labels, "volumes": settings.volumes},
    weights=lambda work: work.weights("gm"),
    reads=lambda work: work.inputs("gray", "cord", "centerline") | work.existing("cord"),
)
