"""Search for the cord in the whole axial field of view, by a network's heatmap and the best path through it.

The network reads windows. First, a survey of a few slices, covered by windows from edge to edge, gives a rough path; then one
window per slice follows that path. The time therefore depends more on the cord's length than on the field of view.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.centers import in_all_slices
from spineseg_cli.core.localization.heatmap import Heatmaps
from spineseg_cli.core.localization.lost_signal import nearby_maximum

# Largest distance between the centers of neighboring windows in the survey, as a fraction of their side.
STRIDE = 0.9

# Distance of the slices in the survey, and the least and largest number of them.
SURVEY_MM = 15.0
SURVEY_SLICES = (5, 12)

# Distance of the slices in the second pass, along the rough path; the slices between them are interpolated.
FOLLOW_MM = 4.0

# A window in which nothing exceeds this fraction of the intensity of bright tissue nearby is air, and is not predicted.
AIR_FRACTION = 0.1

# Where a whole part of the scan is dim, its brightest voxel replaces the bright tissue, but no less than this fraction of it.
DIMMEST = 0.3

# A slice is empty if no voxel exceeds air; voxels are checked at this step along both axes.
EMPTY_STEP_VX = 4

# Approximate largest number of voxels from which the intensity of bright tissue is computed.
MOST_SAMPLED_VOXELS = 2_000_000


@dataclass(frozen=True)
class CordPath:
    """The path of a search through an RPI scan of nz axial slices."""

    centers_vx: np.ndarray  # shape (nz, 2): voxel coordinates of the path along x and y, also where there is no cord
    confidence: np.ndarray  # shape (nz,): the network's confidence that there is cord, 0 to 1


def search_cord(scan: Volume, predictor: Predictor, *, globally: bool = True) -> CordPath:
    """Return the center of the cord in each axial slice of an RPI scan.

    `predictor` is a 2-D network with the output "cord" or "centerline". With `globally`, the best path through all slices is
    followed; otherwise, each slice's own maximum is taken.
    """
    slices = np.arange(scan.shape[2])
    air, has_tissue = intensity_of_air(scan)
    searched = slices[has_tissue] if has_tissue.any() else slices
    path = np.tile((np.array(scan.shape[:2]) - 1) / 2, (len(slices), 1))
    heatmaps = Heatmaps(scan, predictor, air, globally)
    window_centers = _survey_centers(scan, predictor.config)
    if len(window_centers) > 1:
        count = int(np.clip(np.ceil(scan.shape[2] * scan.spacing_mm[2] / SURVEY_MM), *SURVEY_SLICES))
        surveyed = np.unique(searched[np.linspace(0, len(searched) - 1, count).round().astype(int)])
        path = in_all_slices(heatmaps.path(heatmaps.survey(surveyed, window_centers), surveyed), surveyed, len(slices))
    step = max(1, int(FOLLOW_MM / scan.spacing_mm[2]))
    followed = np.unique(np.append(searched[::step], searched[-1]))
    windows, heatmap, predictions = heatmaps.predict(followed, path)
    centers, confidence = heatmaps.centers(windows, predictions, followed, heatmaps.path(heatmap, followed))
    in_tissue = has_tissue * np.interp(slices, followed, confidence)
    return CordPath(in_all_slices(centers, followed, len(slices)), in_tissue)


def intensity_of_air(scan: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Return the intensity of air in each slice of an RPI scan, and whether each slice exceeds it; both have shape (nz,).

    The intensity of air is lower where the whole scan is dim, as beyond the end of a surface coil.
    """

    def make() -> tuple[np.ndarray, np.ndarray]:
        step, bright = EMPTY_STEP_VX, _bright(scan)
        highest = np.array([np.abs(scan.data[::step, ::step, k]).max() for k in range(scan.shape[2])])
        air = AIR_FRACTION * np.clip(nearby_maximum(highest, scan.spacing_mm[2]), DIMMEST * bright, bright)
        return air, highest > air

    return scan.cached("air", make)


def _survey_centers(scan: Volume, config: InferenceConfig) -> list[tuple[float, float]]:
    """Return the centers, in voxel coordinates, of windows that cover the field of view."""
    side_mm = config.window * config.spacing_mm
    axes = []
    for n, spacing in zip(scan.shape[:2], scan.spacing_mm[:2], strict=True):
        reach_mm = max(n * spacing - side_mm, 0) / 2
        count = int(np.ceil(2 * reach_mm / (STRIDE * side_mm))) + 1
        offsets_mm = np.linspace(-reach_mm, reach_mm, count) if count > 1 else np.zeros(1)
        axes.append((n - 1) / 2 + offsets_mm / spacing)
    return list(itertools.product(*axes))


def _bright(scan: Volume) -> np.floating:
    """Return the intensity of bright tissue: the 99th percentile, in magnitude, of voxels evenly spaced in the scan."""
    step = max(2, math.ceil((math.prod(scan.shape) / MOST_SAMPLED_VOXELS) ** (1 / 3)))
    sampled = np.abs(scan.data[::step, ::step, ::step]).ravel()
    return np.percentile(sampled, 99, overwrite_input=True)
