"""The step `centerline`: from a mask or centerline that was made by hand if there is one, otherwise by the networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from spineseg_cli.cohort.ledger import CORRECTED, DONE, EMPTY
from spineseg_cli.cohort.steps.step import Step, StepContext, StepResult
from spineseg_cli.core.tables import write_rows
from spineseg_cli.tasks.registry import TASKS


def make_centerline(context: StepContext) -> StepResult:
    """Find the centerline, and write it as an image and a table."""
    from spineseg_cli.tasks.centerline import centerline_of_mask

    options = context.settings.centerline
    curve: dict[str, Any] = {"algorithm": options.algorithm, "smooth_mm": options.smooth_mm}
    label = context.label("centerline") or context.label("cord")
    if label:
        centerline = centerline_of_mask(context.drawn(label), **curve)
        details = centerline.details("fitseg", curve)
    else:
        predictor = context.predictor("centerline")
        localizer = context.localizer("centerline")
        centerline = TASKS["centerline"].predict(context.image, predictor, localizer, remedy=context.remedy, **curve)
        details = centerline.details(options.method, curve, predictor)
    images = context.write("centerline", centerline.mask, [label or context.scan.path], details)
    files = (*images, context.output("centerline_table"))
    write_rows(files[-1], *centerline.table())
    message = " ".join(centerline.notes)
    if not len(centerline.slices):
        return StepResult(EMPTY, files, message or "no cord found")
    facts = {"confidence": round(float(np.median(centerline.confidence)), 3)}
    return StepResult(CORRECTED if label else DONE, files, message, facts)


CENTERLINE = Step(
    revision=15,
    run=make_centerline,
    weights=lambda context: context.weights("centerline"),
    reads=lambda context: context.inputs("centerline", "cord"),
)
