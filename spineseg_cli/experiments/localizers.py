"""What finds the cord in the test scans of an experiment, by the name that its configuration gives it."""

from __future__ import annotations

from spineseg_cli.core.registry import Entry, Registry

_HERE = "spineseg_cli.experiments.localizers"

# Each is a function of a task and of the variant's own network that finds the cord, if it has one. It returns a function that
# returns a localizer for a labeled scan; or None, for what the task's command takes by itself.
LOCALIZERS = Registry(
    "localizers",
    {
        "network": Entry(f"{_HERE}:by_network", "as the command finds it"),
        "image_center": Entry(f"{_HERE}:at_image_center", "at the center of each slice"),
        "mask": Entry(f"{_HERE}:by_mask", "where the expert's mask is", facts={"needs_labels": True}),
    },
)


def by_network(task, search):
    """Find the cord as the command of the task does, or by the variant's own network."""
    if search is None:
        return None
    from spineseg_cli.core.localization.localizer import NetworkLocalizer
    from spineseg_cli.weights.find import find_model

    companions = {part: find_model(name).predictor(search.device) for part, name in task.companions.items() if part != "search"}
    localizer = NetworkLocalizer(search=search, **companions)
    return lambda scan: localizer


def at_image_center(task, search):
    """Take the cord to be at the center of each slice."""
    from spineseg_cli.core.localization.localizer import ImageCenterLocalizer

    return lambda scan: ImageCenterLocalizer()


def by_mask(task, search):
    """Take the cord to be where the expert's mask is."""
    from spineseg_cli.core.image.nifti import read_volume
    from spineseg_cli.core.localization.localizer import MaskLocalizer

    return lambda scan: MaskLocalizer(mask=read_volume(scan.masks_of(task.label)[0], kind="mask"))
