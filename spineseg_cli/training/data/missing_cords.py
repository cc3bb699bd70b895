"""Masks of the cord for scans with gray matter labels only, drawn by the shipped weights.

A network for gray matter that also predicts the cord needs them, so that fine-tuning does not unlearn the cord.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from spineseg_cli.core.files import file_sha256
from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.image.orientation import turned_to
from spineseg_cli.core.localization.localizer import MaskLocalizer
from spineseg_cli.core.ranges import counted
from spineseg_cli.tasks.registry import GRAY_MATTER
from spineseg_cli.training.data.labeled_scans import LabeledScan
from spineseg_cli.weights.find import find_model

log = logging.getLogger(__name__)


def with_cord_to_draw(scan: LabeledScan, folder: Path) -> LabeledScan:
    """Return a scan with a path in `folder` for its mask of the cord, which depends on the content of the scan and its labels."""
    sums = "".join(file_sha256(path) for path in (scan.image, *scan.masks_of(GRAY_MATTER.label)))
    name = f"{scan.subject}_{hashlib.sha256(sums.encode()).hexdigest()[:12]}_seg.nii.gz"
    return scan.with_cord(folder / name)


def draw_missing_cords(scans: Iterable[LabeledScan]) -> None:
    """Write the masks of the cord whose files do not exist yet."""
    missing = [(scan, scan.cord) for scan in scans if scan.cord and not scan.cord.is_file()]
    if not missing:
        return
    model = find_model(GRAY_MATTER.model_name())
    number = counted(len(missing), "scan")
    log.warning("%s without a cord mask: there, the cord that %s finds is trained on", number, model.name)
    predictor = model.predictor()
    for scan, path in missing:
        image = read_volume(scan.image)
        gray = turned_to(read_volume(scan.masks_of(GRAY_MATTER.label)[0], kind="mask"), image)
        segmentation = GRAY_MATTER.predict(image, predictor, MaskLocalizer(mask=gray))
        assert segmentation.cord is not None  # the shipped weights find it too
        write_volume(path, image.with_data(np.maximum(segmentation.cord.data, gray.data > 0.5)), np.uint8)
