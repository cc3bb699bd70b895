"""What a run validates on: labeled scans as they are, cut as they are trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spineseg_cli.core.image.intensity import standardize
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.training.configs.recipe import Recipe
from spineseg_cli.training.data.augmentation import augment
from spineseg_cli.training.data.labeled_slices import ScanSlice
from spineseg_cli.training.data.stacks import augment_stack, patches_of
from spineseg_cli.training.data.standard_scale import on_standard_scale


def validation_set(recipe: Recipe, scans: Sequence[Sequence[ScanSlice]]) -> tuple[np.ndarray, np.ndarray]:
    """Return what a recipe validates on, of labeled scans: crops as `validation_crops` gives them, or for a 3-D network stacks.

    Stacks have shape (n, size, size, `recipe.crop_depth`, ...), do not overlap but for the last ones of a scan, and are of each
    scan's first rater.
    """
    steps, size = InferenceConfig.from_dict(recipe.preprocessing), max(recipe.crop_sizes)
    scans = [on_standard_scale(scan, steps) for scan in scans]
    if not recipe.crop_depth:
        return validation_crops(scans, size, recipe.outputs, steps.per_slice, steps.normalization)
    images, targets = [], []
    for patch in (patch for scan in scans for patch in patches_of(scan, recipe.crop_depth, 0)):
        stack, target = augment_stack(patch, size, np.random.default_rng(0), "none", recipe.outputs)
        images.append(patch.resample(standardize(stack, normalization=steps.normalization) if steps.per_slice else stack))
        targets.append(patch.resample(target))
    return np.stack(images)[..., None], np.stack(targets)


def validation_crops(
    scans: Sequence[Sequence[ScanSlice]], size: int, outputs: Sequence[str], per_slice: bool = True, normalization: str = "zscore"
) -> tuple[np.ndarray, np.ndarray]:
    """Return the central crop of every slice as it is, once a rater.

    Returns
    -------
    images : ndarray, shape (n, size, size, 1), float32
    targets : ndarray, shape (n, size, size, outputs), float32
    """
    images, targets = [], []
    for scan_slice in (part for scan in scans for part in scan):
        for gray in scan_slice.grays or (None,):
            one = ScanSlice(scan_slice.image, () if gray is None else (gray,), scan_slice.cord)
            image, target = augment(one, size, np.random.default_rng(0), "none", outputs)
            images.append(standardize(image[None], normalization=normalization)[0] if per_slice else image)
            targets.append(target)
    return np.stack(images)[..., None], np.stack(targets)
