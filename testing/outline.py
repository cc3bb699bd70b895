"""The judge of outlines that lies beside the development data: the area inside the edge that an image itself shows."""

import importlib.util
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np


@cache
def _judge(shared: Path):
    spec = importlib.util.spec_from_file_location("outline", shared / "tools" / "outline.py")
    judge = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(judge)
    return judge


def gray_step(shared: Path):
    """Return the judge of gray matter: a function that gives the step of intensity across the mask, in standard deviations."""
    return _judge(shared).gray_step


def edge_areas(shared: Path, image, mask) -> np.ndarray:
    """Return the area of a mask and that inside the image's own edge, mm2, of each axial slice with 15 mm2 or more; shape (n, 2).

    `shared` holds `tools/outline.py`; image and mask are volumes on one grid.
    """
    turned = [nib.as_closest_canonical(nib.Nifti1Image(part.data.astype(np.float32), part.affine)) for part in (image, mask)]
    return _judge(shared).edge_areas(turned[0].get_fdata(), turned[1].get_fdata() > 0.5, turned[0].header.get_zooms()[:3])


def area_to_edge(shared: Path, image, mask) -> float:
    """Return the area of a mask over that of the image's own edge around it, both summed over the axial slices."""
    areas = edge_areas(shared, image, mask)
    return float(areas[:, 0].sum() / areas[:, 1].sum())
