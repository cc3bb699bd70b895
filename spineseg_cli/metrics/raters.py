"""The majority of several raters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MAJORITY = "majority"  # name of the combined rater in tables


def majority(masks: Sequence[np.ndarray]) -> np.ndarray:
    """Return the voxels that at least half of the raters marked, a bool array of the masks' common shape.

    A tie is foreground: horns of gray matter are a voxel or two thin, and would be lost where two of four raters agree. For
    two raters this is the union. Raises ValueError without masks.
    """
    if not masks:
        raise ValueError("a majority needs at least one mask")
    votes = np.zeros(masks[0].shape, np.uint16)
    for mask in masks:
        votes += mask
    return 2 * votes >= len(masks)
