"""Cord masks for scans that have none: a network that finds gray matter and cord is to go on finding the cord."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np

from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.localization.localizer import MaskLocalizer
from spineseg_cli.tasks.registry import GRAY_MATTER
from spineseg_cli.training.data.labeled_scans import LabeledScan
from spineseg_cli.weights.model import find_model

log = logging.getLogger(__name__)


def draw_missing_cords(scans: Iterable[LabeledScan]) -> None:
    """Write the cord masks that are named and not there yet: the cord, about the gray matter, as the shipped weights find it."""
    missing = [(scan, scan.cord) for scan in scans if scan.cord and not scan.cord.is_file()]
    if not missing:
        return
    model = find_model(GRAY_MATTER.model_name())
    log.warning("%d scans without a cord mask: the cord that %s finds in them is trained on", len(missing), model.name)
    predictor = model.predictor()
    for scan, path in missing:
        gray = read_volume(scan.masks_of(GRAY_MATTER.label)[0], kind="mask")
        segmentation = GRAY_MATTER.predict(read_volume(scan.image), predictor, MaskLocalizer(mask=gray))
        assert segmentation.cord is not None  # the shipped weights find it too
        write_volume(path, gray.with_data(np.maximum(segmentation.cord.data, gray.data > 0.5)), np.uint8)
