"""The step `cord`: a mask of the cord made by hand, or by the networks, along a centerline made by hand if there is one."""

from __future__ import annotations

from spineseg_cli.cohort.ledger import CORRECTED, DONE, EMPTY
from spineseg_cli.cohort.steps.step import Step, StepContext, StepResult
from spineseg_cli.tasks.registry import TASKS


def make_cord(context: StepContext) -> StepResult:
    """Segment the cord, or copy the mask that was made by hand."""
    label = context.label("cord")
    facts: dict[str, float] = {}
    if label:
        mask = context.binary(label)
        message = "" if mask.data.any() else f"{label.name} is empty"
        files = context.write("cord", mask, [label], {"Description": "Cord mask made or corrected by hand"})
    else:
        predictor, line = context.predictor("cord"), context.label("centerline")
        localizer = (
            context.networks.guided_localizer("cord", predictor, context.drawn(line)) if line else context.localizer("cord")
        )
        segmentation = TASKS["cord"].predict(
            context.image, predictor, localizer, threshold=context.settings.cord.threshold, remedy=context.remedy
        )
        mask, message = segmentation.mask, " ".join(segmentation.notes)
        details = segmentation.details() | {"Threshold": segmentation.threshold}
        files = context.write("cord", mask, [context.scan.path, *([line] if line else [])], details)
        if segmentation.confidence is not None:
            facts["confidence_cord"] = round(segmentation.confidence.scan, 3)
    facts["cord_mm3"] = round(mask.volume_mm3, 1)
    if not mask.data.any():
        return StepResult(EMPTY, files, message or "no cord found", facts)
    return StepResult(CORRECTED if label else DONE, files, message, facts)


CORD = Step(
    revision=17,
    run=make_cord,
    weights=lambda context: context.weights("cord"),
    reads=lambda context: context.inputs("cord", "centerline"),
)
