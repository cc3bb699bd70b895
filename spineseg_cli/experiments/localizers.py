"""The localizers of test scans in an experiment, by the names in its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spineseg_cli.core.registry import Entry, Registry

if TYPE_CHECKING:
    from spineseg_cli.core.inference.predictor import Predictor
    from spineseg_cli.tasks.task import Task
    from spineseg_cli.training.evaluation import Localize

_HERE = "spineseg_cli.experiments.localizers"

# Each is a function of a task and of the variant's own localizer network, if it has one. It returns a function that returns a
# localizer for a labeled scan, or None for the localizer of the command.
LOCALIZERS = Registry(
    "localizers",
    {
        "network": Entry(f"{_HERE}:by_network", "as the command finds it"),
        "image_center": Entry(f"{_HERE}:at_image_center", "at the center of each slice"),
        "mask": Entry(f"{_HERE}:by_mask", "where the expert's mask is", facts={"needs_labels": True}),
    },
)


def by_network(task: Task, search: Predictor | None) -> Localize | None:
    """Find the cord as the command of the task does; if the variant has its own search network, use that one."""
    if search is None:
        return None
    from spineseg_cli.core.localization.localizer import NetworkLocalizer
    from spineseg_cli.weights.find import find_model

    cord = find_model(task.companions["cord"]).predictor(search.device) if "cord" in task.companions else None
    localizer = NetworkLocalizer(search=search, cord=cord)
    return lambda scan: localizer


def at_image_center(task: Task, search: Predictor | None) -> Localize:
    """Take the cord to be at the center of each slice."""
    from spineseg_cli.core.localization.localizer import ImageCenterLocalizer

    return lambda scan: ImageCenterLocalizer()


def by_mask(task: Task, search: Predictor | None) -> Localize:
    """Take the cord to be where the expert's mask is."""
    from spineseg_cli.core.image.nifti import read_volume
    from spineseg_cli.core.localization.localizer import MaskLocalizer

    return lambda scan: MaskLocalizer(mask=read_volume(scan.masks_of(task.label)[0], kind="mask"))
