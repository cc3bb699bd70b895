"""A centerline against the cord's mask.

The fraction of slices in which the centerline lies inside the cord is the localization rate of Gros et al., Automatic spinal cord
localization, robust to MRI contrasts using global curve optimization, Medical Image Analysis 44:215, 2018.
"""

from __future__ import annotations

from collections.abc import Sequence

import nibabel as nib
import numpy as np

from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.centers import centers_from_mask
from spineseg_cli.metrics.metric_set import PATH_METRICS


def path_agreement(slices: Sequence[int] | np.ndarray, points_mm: np.ndarray, cord: Volume) -> dict[str, float]:
    """Compare the points of a centerline with the cord, in the axial slices that show cord.

    `slices` are the axial slices of the points, counted from the most inferior one; `points_mm`, shape (n, 3), are world
    coordinates, where n may be 0; `cord` is above 0.5 inside. There is a value for each name in `PATH_METRICS`: the median
    and the largest distance from the cord's center of mass, mm (NaN if no slice is found), and the fractions of the cord's
    slices that have a point, and that have it in the mask, %. All are NaN if the mask is empty.
    """
    scan = to_rpi(cord)
    inside = scan.data > 0.5
    labeled = set(np.flatnonzero(inside.any(axis=(0, 1))).tolist())
    if not labeled:
        return dict.fromkeys(PATH_METRICS, np.nan)
    covered = [index for index, k in enumerate(slices) if int(k) in labeled]
    levels = np.asarray(slices, int)[covered]
    points = np.asarray(points_mm, float).reshape(-1, 3)[covered]
    centers, _ = centers_from_mask(scan.with_data(inside.astype(np.uint8)))
    distances = np.linalg.norm(points - nib.affines.apply_affine(scan.affine, np.column_stack([centers[levels], levels])), axis=1)
    voxels = np.floor(nib.affines.apply_affine(np.linalg.inv(scan.affine), points) + 0.5).astype(int)
    in_image = ((voxels >= 0) & (voxels < scan.shape)).all(axis=1)
    hits = int(inside[tuple(voxels[in_image].T)].sum())
    values = (
        np.median(distances) if covered else np.nan,
        distances.max() if covered else np.nan,
        100 * len(covered) / len(labeled),
        100 * hits / len(labeled),
    )
    return dict(zip(PATH_METRICS, (float(value) for value in values), strict=True))
