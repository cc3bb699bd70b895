"""What is implausible about the masks of a scan, so that their user can look at them before a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.tasks.task import CORD_LABEL, GRAY_MATTER_LABEL

# The usual range of the median area of a mask in its slices, from a child's conus to a cord with a wide outline.
USUAL_AREA_MM2 = {CORD_LABEL.key: (15.0, 200.0), GRAY_MATTER_LABEL.key: (3.0, 60.0)}

# The share of the voxels of gray matter beyond which those outside the cord are no matter of the outline.
MOST_OUTSIDE = 0.25

# A cord fills no more of its slices than an ellipse does of the box about it. A mask that does is that of the background.
MOST_FILLED = 0.9

# A voxel belongs to a mask if at least this much of it does.
HALF = 0.5


def labeled_slices(mask: Volume) -> list[int]:
    """Return the indices of the axial slices of a mask, in RPI, that are labeled."""
    return np.flatnonzero((mask.data > HALF).any(axis=(0, 1))).tolist()


def filled_fraction(mask: Volume, slices: Sequence[int]) -> float:
    """Return the fraction of the voxels of some slices of a mask, in RPI, that are in it."""
    return float((mask.data[:, :, slices] > HALF).mean())


def dark_slices(image: Volume, slices: Sequence[int]) -> list[int]:
    """Return those of some slices of an image, in RPI, in which all voxels are 0."""
    return [k for k in slices if not image.data[:, :, k].any()]


def implausible(image: Volume, masks: Mapping[str, Sequence[Volume]]) -> list[str]:
    """Return what is implausible about the masks of a scan, as phrases; none if nothing is.

    All volumes are in RPI on one voxel grid, and no mask is empty. `masks` has those of each rater by kind (a key of
    `tasks.registry.label_kinds`).
    """
    phrases = []
    pixel_mm2 = float(np.prod(image.spacing_mm[:2]))
    for kind, drawn in masks.items():
        name = kind.replace("_", " ")
        for mask in drawn:
            slices = labeled_slices(mask)
            area = pixel_mm2 * float(np.median((mask.data[:, :, slices] > HALF).sum(axis=(0, 1))))
            low, high = USUAL_AREA_MM2.get(kind, (0.0, np.inf))
            if not low <= area <= high:
                phrases.append(
                    f"{name} of {round(area) if area >= 10 else round(area, 1)} mm2, where {low:g} to {high:g} are usual"
                )
            if dark := dark_slices(image, slices):
                phrases.append(f"{name} in {len(dark)} of {len(slices)} slices where the image is 0")
    return phrases + _outside(masks)


def _outside(masks: Mapping[str, Sequence[Volume]]) -> list[str]:
    """Return a phrase for each mask of gray matter of which much lies outside the cord."""
    shares = [
        float(np.mean(cord.data[gray.data > HALF] <= HALF))
        for cord in masks.get(CORD_LABEL.key, ())
        for gray in masks.get(GRAY_MATTER_LABEL.key, ())
    ]
    return [f"{share:.0%} of the gray matter outside the cord" for share in shares if share > MOST_OUTSIDE]
