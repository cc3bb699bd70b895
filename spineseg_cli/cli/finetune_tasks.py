"""What `finetune` hands to its pipeline: the complete segmentation of each task, and the comparison with experts."""

from __future__ import annotations


def segment_gm(image, model, *, centerline=None, runtime=None):
    """Segment as `seg_gm` does."""
    from spineseg_cli.pipelines.gm import segment_gray_matter
    from spineseg_cli.weights import find_model

    finder = None if model.legacy else find_model("centerline")
    return segment_gray_matter(image, model, finder=finder, centerline=centerline, runtime=runtime)


def segment_cord(image, model, *, centerline=None, runtime=None):
    """Segment as `seg_cord` does."""
    from spineseg_cli.pipelines import cord
    from spineseg_cli.weights import find_model

    return cord.segment_cord(image, model, finder=find_model("centerline"), centerline=centerline, runtime=runtime)


SEGMENT = {"gm": segment_gm, "cord": segment_cord}


def compare(name, prediction, reference_names, references):
    """Return the rows of `compute_metrics` for a prediction and its references."""
    from spineseg_cli.pipelines.evaluate import Case, evaluate

    return evaluate([Case(name, prediction, tuple(reference_names), tuple(references))]).rows
