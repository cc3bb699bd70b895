"""What `finetune` hands to its pipeline: the complete command of each task, and the comparison with experts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


def segment_gm(image, model, *, finder=None, centerline=None, runtime=None):
    """Segment as `seg_gm` does."""
    from spineseg_cli.tasks.gray_matter import segment_gray_matter
    from spineseg_cli.weights.model import find_model

    finder = None if model.legacy else finder or find_model("centerline")
    cord_model = finder and find_model("cord")
    return segment_gray_matter(image, model, finder=finder, cord_model=cord_model, centerline=centerline, runtime=runtime)


def segment_cord(image, model, *, finder=None, centerline=None, runtime=None, overlap=0.5):
    """Segment as `seg_cord` does."""
    from spineseg_cli.tasks import cord
    from spineseg_cli.weights.model import find_model

    options = {"centerline": centerline, "overlap": overlap, "runtime": runtime}
    return cord.segment_cord(image, model, finder=finder or find_model("centerline"), **options)


def find_path(image, model, *, centerline=None, runtime=None):
    """Find the centerline as `get_centerline` does, or that of the mask `centerline`."""
    from spineseg_cli.tasks.centerline import centerline_of_mask, find_centerline
    from spineseg_cli.weights.model import find_model

    if centerline is not None:
        return centerline_of_mask(centerline)
    finder = model if runtime is None else _Loaded(model.name, model.outputs, model.config, runtime)
    return find_centerline(image, finder, cord=find_model("cord"))


SEGMENT = {"gm": segment_gm, "cord": segment_cord, "centerline": find_path}


def compare(name, found, reference_names, references):
    """Return the rows of `compute_metrics` for a segmentation, or its mask, and its references, or the errors of a centerline."""
    from spineseg_cli.metrics.evaluate import Case, evaluate
    from spineseg_cli.tasks.centerline import Centerline

    if isinstance(found, Centerline):
        return [_row_of_path(name, found, *parts) for parts in zip(reference_names, references, strict=True)]
    return evaluate([Case(name, getattr(found, "mask", found), tuple(reference_names), tuple(references))]).rows


def _row_of_path(name, found, reference_name, reference):
    from spineseg_cli.metrics.path import path_agreement

    keys = {"level": "volume", "statistic": "value", "prediction": name, "reference": reference_name, "rater": "1", "slice": None}
    return keys | path_agreement(found.slices, found.points_mm, reference)


@dataclass(frozen=True)
class _Loaded:
    """A finder whose network is loaded already: see `core.search.Finder`."""

    name: str
    outputs: tuple[str, ...]
    config: Any
    runtime: Any

    def open_runtime(self, device):
        return self.runtime
