"""What a run validates on: labeled scans as they are, cut as they are trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spineseg_cli.core.image.intensity import standardize
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.data.augmentation import augment
from spineseg_cli.training.data.labeled_slices import ScanSlice
from spineseg_cli.training.data.nyul_scale import on_nyul_scale
from spineseg_cli.training.data.stacks import augment_stack, patches_of


def validation_set(config: TrainingConfig, scans: Sequence[Sequence[ScanSlice]]) -> tuple[np.ndarray, np.ndarray]:
    """Return crops of labeled scans to validate on, as `validation_crops` gives them, or stacks for a 3-D network.

    Stacks have shape (n, size, size, crop_depth, ...), do not overlap but for the last ones of a scan, and are of each scan's
    first rater.
    """
    inference, depth, size = config.inference, config.sampling.crop_depth, max(config.sampling.crop_sizes)
    scans = [on_nyul_scale(scan, inference) for scan in scans]
    if not depth:
        return validation_crops(scans, size, config.outputs, inference.per_slice, inference.normalization)
    images, targets = [], []
    for patch in (patch for scan in scans for patch in patches_of(scan, depth, 0)):
        stack, target = augment_stack(patch, size, np.random.default_rng(0), "none", config.outputs)
        images.append(patch.resample(standardize(stack, normalization=inference.normalization) if inference.per_slice else stack))
        targets.append(patch.resample(target))
    return np.stack(images)[..., None], np.stack(targets)


def validation_crops(
    scans: Sequence[Sequence[ScanSlice]], size: int, outputs: Sequence[str], per_slice: bool = True, normalization: str = "zscore"
) -> tuple[np.ndarray, np.ndarray]:
    """Return the central crop of every slice as it is, once for each rater.

    Returns
    -------
    images : ndarray, shape (n, size, size, 1), float32
    targets : ndarray, shape (n, size, size, outputs), float32
    """
    images, targets = [], []
    for scan_slice in (part for scan in scans for part in scan):
        for drawn in scan_slice.structure or (None,):
            one = ScanSlice(scan_slice.image, () if drawn is None else (drawn,), scan_slice.cord)
            image, target = augment(one, size, np.random.default_rng(0), "none", outputs)
            images.append(standardize(image[None], normalization=normalization)[0] if per_slice else image)
            targets.append(target)
    return np.stack(images)[..., None], np.stack(targets)
