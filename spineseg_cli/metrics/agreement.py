"""Every metric of one prediction against one reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spineseg_cli.core.extras import is_installed
from spineseg_cli.metrics import overlap
from spineseg_cli.metrics.distances import hausdorff_mm, mean_mm, median_mm, nearest_distances, points_mm, surface_voxels
from spineseg_cli.metrics.metric_set import METRICS
from spineseg_cli.metrics.skeleton import skeleton_voxels


def agreement(prediction: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float], voxel_mm3: float) -> dict[str, float]:
    """Compare two masks.

    Raises ValueError if the masks differ in shape.

    The masks are bool, shape (nx, ny, nz), in RPI order: the third axis is inferior to superior. With nz = 1, distances are
    in the plane of the slice. There is a value for each name in `METRICS`, in that order; those of skeletons are nan without
    scikit-image. Empty masks: see `spineseg_cli.metrics`.
    """
    counts = overlap.confusion(prediction, reference)
    surface = nearest_distances(*(points_mm(surface_voxels(mask), spacing_mm) for mask in (prediction, reference)))
    values = (
        overlap.dice(counts),
        overlap.jaccard(counts),
        overlap.conformity_pct(counts),
        mean_mm(surface),
        hausdorff_mm(surface),
        hausdorff_mm(surface, 95.0),
        *_skeleton_distances(prediction, reference, spacing_mm),
        overlap.tpr_pct(counts),
        overlap.tnr_pct(counts),
        overlap.ppv_pct(counts),
        overlap.accuracy_pct(counts),
        overlap.mcc(counts),
        overlap.volume_difference_mm3(counts, voxel_mm3),
        overlap.volume_difference_pct(counts),
        (counts.tp + counts.fp) * voxel_mm3,
        (counts.tp + counts.fn) * voxel_mm3,
    )
    return dict(zip(METRICS, (float(value) for value in values), strict=True))


def _skeleton_distances(prediction: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float]) -> tuple[float, float]:
    if not is_installed("skimage"):
        return float("nan"), float("nan")
    skeleton = nearest_distances(*(points_mm(skeleton_voxels(mask), spacing_mm) for mask in (prediction, reference)))
    return hausdorff_mm(skeleton), median_mm(skeleton)
