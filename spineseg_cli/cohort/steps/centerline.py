"""The step `centerline`: of the mask or centerline made by hand if there is one, else as the networks see it."""

from __future__ import annotations

from typing import Any

import numpy as np

from spineseg_cli.cohort.ledger import CORRECTED, DONE, EMPTY
from spineseg_cli.cohort.settings import as_dict
from spineseg_cli.cohort.steps.step import Outcome, Step
from spineseg_cli.cohort.steps.work import Work
from spineseg_cli.core.tables import write_rows
from spineseg_cli.tasks.registry import TASKS


def make_centerline(work: Work) -> Outcome:
    """Find the centerline, and write it as an image and as a table."""
    from spineseg_cli.tasks.centerline import centerline_of_mask

    options = work.settings.centerline
    fit: dict[str, Any] = {"algorithm": options.algorithm, "smooth_mm": options.smooth_mm}
    label = work.label("centerline") or work.label("cord")
    if label:
        centerline = centerline_of_mask(work.mask(label), **fit)
        details: dict[str, Any] = {"Method": "fitseg"}
    else:
        predictor = work.predictor("centerline")
        centerline = TASKS["centerline"].predict(work.image, predictor, work.localizer("centerline"), remedy=work.remedy, **fit)
        details = {"Method": options.method, "Model": {"Name": predictor.name, "SHA256": predictor.sha256}}
    details |= {"Curve": fit} | ({"Notes": list(centerline.notes)} if centerline.notes else {})
    images = work.write("centerline", centerline.mask, [label or work.scan.path], details)
    files = (*images, work.output("centerline_table"))
    write_rows(files[-1], *centerline.table())
    message = " ".join(centerline.notes)
    if not len(centerline.slices):
        return Outcome(EMPTY, files, message or "no cord found")
    facts = {"confidence": round(float(np.median(centerline.confidence)), 3)}
    return Outcome(CORRECTED if label else DONE, files, message, facts)


CENTERLINE = Step(
    revision=7,
    run=make_centerline,
    options=lambda settings: as_dict(settings.centerline) | {"labels": settings.labels, "volumes": settings.volumes},
    weights=lambda work: work.weights("centerline"),
    reads=lambda work: work.inputs("centerline", "cord"),
)
