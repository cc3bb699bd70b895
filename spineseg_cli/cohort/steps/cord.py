"""The step `cord`: the cord's mask, by the networks (along the centerline made by hand, if there is one) or made by hand."""

from __future__ import annotations

from spineseg_cli.cohort.ledger import CORRECTED, DONE, EMPTY
from spineseg_cli.cohort.settings import as_dict
from spineseg_cli.cohort.steps.step import Outcome, Step
from spineseg_cli.cohort.steps.work import Work
from spineseg_cli.tasks.registry import TASKS


def make_cord(work: Work) -> Outcome:
    """Segment the cord, or take the mask that was made by hand."""
    label, facts = work.label("cord"), {}
    if label:
        mask, message = work.binary(label), ""
        files = work.write("cord", mask, [label], {"Description": "Cord mask made or corrected by hand"})
    else:
        predictor, line = work.predictor("cord"), work.label("centerline")
        localizer = work.networks.guided_localizer("cord", predictor, work.mask(line)) if line else work.localizer("cord")
        segmentation = TASKS["cord"].predict(
            work.image, predictor, localizer, threshold=work.settings.cord.threshold, remedy=work.remedy
        )
        mask, message = segmentation.mask, " ".join(segmentation.notes)
        details = segmentation.details(predictor.name, predictor.sha256) | {"Threshold": segmentation.threshold}
        files = work.write("cord", mask, [work.scan.path, *([line] if line else [])], details)
        if segmentation.confidence is not None:
            facts["confidence_cord"] = round(segmentation.confidence.scan, 3)
    facts["cord_mm3"] = round(mask.volume_mm3, 1)
    if not mask.data.any():
        return Outcome(EMPTY, files, message or "no cord found", facts)
    return Outcome(CORRECTED if label else DONE, files, message, facts)


CORD = Step(
    revision=7,
    run=make_cord,
    options=lambda settings: as_dict(settings.cord) | {"labels": settings.labels, "volumes": settings.volumes},
    weights=lambda work: work.weights("cord"),
    reads=lambda work: work.inputs("cord", "centerline"),
)
