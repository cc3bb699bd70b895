"""A configuration adapted to the weights that a run starts from, and to the scans that it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spineseg_cli.training.choices import AUGMENTATIONS
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.data.datasets import learn_nyul_scale, with_label_maps_that_exist
from spineseg_cli.training.data.labeled_scans import LabeledScan
from spineseg_cli.training.data.missing_cords import with_cord_to_draw
from spineseg_cli.training.data.split import Split
from spineseg_cli.weights.model import Model

# Of networks that take the intensities of a whole scan, unless the configuration names another one that keeps them.
INTENSITY_KEEPING_PROFILE = "perone"


def adapt_to_weights(config: TrainingConfig, start: Model) -> TrainingConfig:
    """Return the configuration with what must be as it was for the weights to start from.

    The heatmap of a published centerline network is trained as the cord.
    """
    expected = config.inference
    # Thresholds belong to the loss, which is the configuration's; those of contrasts were chosen for the old weights.
    inference = replace(start.config, threshold=expected.threshold, contrast_thresholds=expected.contrast_thresholds)
    changes: dict[str, Any] = {
        "network": dict(start.network),
        "outputs": ["cord" if output == "centerline" else output for output in start.outputs],
        "inference": inference.to_dict(),
        "sampling.crop_depth": (config.sampling.crop_depth or inference.depth) if inference.depth else 0,
    }
    if (inference.spacing_mm, inference.window) != (expected.spacing_mm, expected.window):
        changes["sampling.crop_sizes"] = [inference.window]
    if not inference.per_slice and not AUGMENTATIONS[config.augmentation.profile].facts.get("keeps_intensities"):
        changes["augmentation.profile"] = INTENSITY_KEEPING_PROFILE
    return config.with_changes(changes, replaced=("network",))


def adapt_to_scans(
    config: TrainingConfig, scans: Sequence[LabeledScan], split: Split, folder: Path, maps_root: Path
) -> tuple[TrainingConfig, list[LabeledScan]]:
    """Return the configuration with the scans that are trained and validated on, and all scans.

    The Nyul scale that it asks for is learned, unless the weights to start from bring theirs; label maps that do not exist are
    left out. A scan without a mask of the cord, where the network has an output for it, gets the name of a file that is to be
    drawn in `folder`.

    Raises InputError if a scan that the Nyul scale is learned from is flat.
    """
    config, scans = with_label_maps_that_exist(config, maps_root), list(scans)
    changes: dict[str, Any] = {}
    if config.data.learn_nyul and not config.inference.landmarks:
        trained_on = [scan for scan in scans if split[scan.subject] == "train"]
        changes["inference.landmarks"] = learn_nyul_scale(config, trained_on)
    if {"gray_matter", "cord"} <= set(config.outputs):
        scans = [
            scan if scan.cord or split[scan.subject] == "test" else with_cord_to_draw(scan, folder / "cord") for scan in scans
        ]
    changes["data.labeled_scans"] = [_source(scan, config) for scan in scans if split[scan.subject] != "test"]
    return config.with_changes(changes), scans


def _source(scan: LabeledScan, config: TrainingConfig) -> dict[str, Any]:
    """Return a scan as a source of labeled scans, with the options of the configuration's first one."""
    template = config.data.labeled_scans[0]
    return {
        "image": str(scan.image),
        **{key: [str(path) for path in scan.masks.get(key, ())] for key in [config.structure] if key},
        "cord": str(scan.cord) if scan.cord else None,
        "spine": template.spine,
        "max_slices": None if config.sampling.crop_depth else template.max_slices,
        "trim_slices": template.trim_slices,
        "label_coverage": scan.label_coverage or template.label_coverage,
    }
