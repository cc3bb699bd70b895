"""What `finetune` hands to its pipeline: the complete command of each task, and the comparison with experts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from spineseg_cli.tasks.task import TASKS


def segment(task, image, model, *, centerline=None, runtime=None, finder=None, overlap=0.5):
    """Predict as the task's command does; the predictor `finder` searches in the place of the shipped one."""
    predictor = model.predictor(overlap=overlap)
    if runtime is not None:
        predictor = replace(predictor, open_runtime=lambda: runtime)
    if task.name == "centerline" and centerline is not None:
        from spineseg_cli.tasks.centerline import centerline_of_mask

        return centerline_of_mask(centerline)
    localizer = task.localizer(predictor, centerline)
    if finder is not None and getattr(localizer, "search", None) is not None:
        localizer = replace(localizer, search=finder)
    return task.predict(image, predictor, localizer)


SEGMENT = {name: partial(segment, task) for name, task in TASKS.items()}


def compare(name, found, reference_names, references):
    """Return the rows of metrics of a result, whatever its task, against its references."""
    task = TASKS["centerline" if hasattr(found, "points_mm") else "cord"]
    return task.evaluate(name, found, reference_names, references)
