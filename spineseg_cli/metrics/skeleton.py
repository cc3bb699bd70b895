"""The skeleton of a mask, axial slice by axial slice.

Gray matter is a butterfly in each axial slice and slices are thick, so the challenge compares 2-D skeletons (Prados et al.
2017): thinning by Zhang and Suen (1984), as in SCT's `sct_compute_hausdorff_distance`. What differs from that tool:
distances of a volume are between the stacked skeletons in 3-D (there, each slice alone), a slice with one empty mask is
infinitely far (there, at 0), and points at distance 0 count in the median (there, they are left out).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def skeleton_voxels(mask: np.ndarray) -> np.ndarray:
    """Return the in-plane skeleton of every slice `mask[:, :, k]` of a bool mask, shape (nx, ny, nz), as a bool array.

    A part of the mask never loses its last voxel; an empty slice has an empty skeleton. It needs scikit-image.
    """
    from skimage.morphology import skeletonize

    skeleton = np.zeros(mask.shape, bool)
    for k in np.flatnonzero(mask.any(axis=(0, 1))):
        box = ndimage.find_objects(mask[:, :, k].astype(np.uint8))[0]
        # A rim of background makes the skeleton independent of where in the image the object lies.
        index = (*box, k)
        skeleton[index] = skeletonize(np.pad(mask[index], 1))[1:-1, 1:-1]
    return skeleton
