"""The registries of tasks, and of methods of `seg_cord`. Slow imports are deferred until a task predicts or evaluates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spineseg_cli.core.registry import Entry, LoadedRegistry, Registry
from spineseg_cli.metrics.metric_set import CENTERLINE_METRICS, MASK_METRICS
from spineseg_cli.tasks.task import CORD_LABEL, GRAY_MATTER_LABEL, LabelKind, Task

if TYPE_CHECKING:
    from spineseg_cli.core.image.volume import Volume
    from spineseg_cli.core.inference.predictor import Predictor
    from spineseg_cli.core.inference.segmentation import Segmentation
    from spineseg_cli.core.localization.localizer import Localizer
    from spineseg_cli.tasks.centerline import Centerline
    from spineseg_cli.tasks.gray_matter import GrayMatter


class GrayMatterTask(Task):
    """Segmentation of the gray matter in an axial scan."""

    def predict(self, scan: Volume, predictor: Predictor, localizer: Localizer, **options: Any) -> GrayMatter:
        """Return the gray matter; see `tasks.gray_matter.segment_gray_matter`."""
        from spineseg_cli.tasks.gray_matter import segment_gray_matter

        return segment_gray_matter(scan, predictor, localizer, **options)


class CordTask(Task):
    """Segmentation of the cord in a scan of any contrast."""

    def predict(self, scan: Volume, predictor: Predictor, localizer: Localizer, **options: Any) -> Segmentation:
        """Return the cord; see `tasks.cord.segment_cord`."""
        from spineseg_cli.tasks.cord import segment_cord

        return segment_cord(scan, predictor, localizer, **options)


class CenterlineTask(Task):
    """Detection of the cord's centerline."""

    def predict(self, scan: Volume, predictor: Predictor, localizer: Localizer, **options: Any) -> Centerline:
        """Return the centerline; see `tasks.centerline.find_centerline`. The `predictor` is used by the localizer alone."""
        from spineseg_cli.tasks.centerline import find_centerline

        return find_centerline(scan, localizer, **options)

    def evaluate(
        self, name: str, result: Centerline, reference_names: Sequence[str], references: Sequence[Volume]
    ) -> list[dict[str, Any]]:
        """Return one row for each reference: the errors of a centerline against that cord mask."""
        from spineseg_cli.metrics.path import path_agreement

        keys = {"level": "volume", "statistic": "value", "prediction": name, "rater": "1", "slice": None}
        return [
            keys | {"reference": reference_name} | path_agreement(result.slices, result.points_mm, reference)
            for reference_name, reference in zip(reference_names, references, strict=True)
        ]


GRAY_MATTER = GrayMatterTask(
    name="gm",
    display_name="gray matter",
    command="seg_gm",
    outputs=("gray_matter",),
    extra_outputs=("cord",),
    label=GRAY_MATTER_LABEL,
    metrics=MASK_METRICS,
    models={2: "gm"},
    training_configs={2: "finetune_gm"},
    companions={"search": "centerline", "cord": "cord"},
    color=(255, 60, 60),
)
CORD = CordTask(
    name="cord",
    display_name="cord",
    command="seg_cord",
    outputs=("cord",),
    label=CORD_LABEL,
    metrics=MASK_METRICS,
    models={2: "cord", 3: "cord3d"},
    training_configs={2: "finetune_cord", 3: "finetune_cord3d"},
    companions={"search": "centerline"},
    color=(80, 200, 255),
)
CENTERLINE = CenterlineTask(
    name="centerline",
    display_name="centerline",
    command="get_centerline",
    outputs=("cord", "centerline"),
    label=CORD_LABEL,
    metrics=CENTERLINE_METRICS,
    models={2: "centerline"},
    training_configs={2: "finetune_centerline"},
    companions={"cord": "cord"},
    color=(255, 220, 50),
)

# Other packages add tasks by their metadata: see docs/how-to/new_task.md.
TASKS = LoadedRegistry[Task]("tasks", {"gm": Entry(GRAY_MATTER), "cord": Entry(CORD), "centerline": Entry(CENTERLINE)})

# Methods of `seg_cord`, to which other packages add by the entry point group `spineseg.cord_methods`. Each is a function that
# takes a scan, a `localizer` and a `threshold`, and returns a `Segmentation`. The localizer is None if the user gives no
# centerline; for the method "network", which also needs a predictor, the task creates one. Sidecars name the result's `model`.
CORD_METHODS = Registry(
    "cord_methods",
    {
        "network": Entry("spineseg_cli.tasks.cord:segment_cord", "the cord's networks"),
        "propseg": Entry(
            "spineseg_cli.tasks.propseg:propagate_cord",
            "an outline carried from slice to slice, from a Hough transform or, with --centerline, from there; for comparison",
        ),
    },
)


def label_kinds() -> dict[str, LabelKind]:
    """Return the kinds of masks that tasks learn from, by key. The cord, whose file pattern is the widest, comes last."""
    kinds = {task.label.key: task.label for task in TASKS.values()}
    return {key: kind for key, kind in kinds.items() if kind is not CORD_LABEL} | {CORD_LABEL.key: CORD_LABEL}
