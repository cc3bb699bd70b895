"""Adaptation of a training configuration to the initial weights and to the scans of a run."""

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

# The augmentation profile for networks that standardize a whole scan, if the profile of the configuration changes intensities.
INTENSITY_KEEPING_PROFILE = "perone"


def adapt_to_weights(config: TrainingConfig, start: Model) -> TrainingConfig:
    """Return the configuration with the network, outputs and inference of the initial weights.

    The heatmap of a published centerline network is trained as a mask of the cord.
    """
    expected = config.inference
    # Thresholds are those of the configuration: they depend on its loss, and those of contrasts were chosen for the old weights.
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
    """Return the configuration with the training and validation scans, and the list of all scans.

    If the configuration asks for a Nyul scale, it is learned, unless the initial weights have one. Label maps that do not exist
    are left out; their globs are relative to `maps_root`. If the network has an output for the cord, scans without a mask of the
    cord get the name of a file in `folder`, that of the run, into which a mask is drawn later.

    Raises InputError if a scan that the Nyul scale is learned from has constant intensity.
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
    """Return a scan as an entry of `data.labeled_scans`, with the options of the first entry of the configuration."""
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
