"""The cord's mask, in a scan of any contrast, whole or in part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from spineseg_cli.core.confidence.assessment import assess
from spineseg_cli.core.image.cropped import CroppedVolume
from spineseg_cli.core.image.intensity import clip_outliers, without_padding
from spineseg_cli.core.image.orientation import box_from_rpi, to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.contour import Edge, find_edge
from spineseg_cli.core.inference.postprocessing import fill_holes, keep_inside, on_path
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.segmentation import Segmentation, checked_threshold
from spineseg_cli.core.localization.absence import search_notes
from spineseg_cli.core.localization.extent import runs_of
from spineseg_cli.core.localization.localizer import Localizer
from spineseg_cli.core.localization.location import CordLocation
from spineseg_cli.core.localization.view import view_cord
from spineseg_cli.core.timing import timed

# A mask without any slice of this area is not a cord, but a clump of roots or noise.
MIN_AREA_MM2 = 12.0

# Probabilities are blurred along the cord over this distance: thin slices gain by it, thick ones do not need it.
ALONG_SIGMA_MM = 1.0

# Probability of voxels on the outline.
OUTLINE = 0.5


def segment_cord(image: Volume, predictor: Predictor, localizer: Localizer, *, threshold: float | None = None) -> Segmentation:
    """Segment the cord in every axial slice that has one.

    Parameters
    ----------
    image : Volume
        The scan, shape (nx, ny, nz), stored in any orientation.
    predictor : Predictor
        A 2-D or 3-D network with the output "cord".
    localizer : Localizer
        What finds the cord; the `predictor` looks along the path that it gives.
    threshold : float, optional
        The fraction of a voxel inside the outline above which it is cord, 0.5 by default.

    Returns
    -------
    Segmentation
        Empty if no cord was found.

    Raises
    ------
    GridMismatchError
        If the localizer's mask is on another grid.
    InputError
        If the localizer's mask is empty, or `threshold` is not in [0, 1).
    """
    threshold = checked_threshold(threshold, OUTLINE)
    localizer = replace(localizer, cord=predictor)
    scan = clip_outliers(without_padding(to_rpi(image, copy=False)))
    location = localizer.locate(scan)
    if location.view is None and location.present.any():
        whole = view_cord(scan, location.centers_vx, np.flatnonzero(location.present), predictor)
        location = replace(location, view=whole)
    box = _box_of(location)
    corner = [side.start for side in box]
    centers = location.centers_vx[box[2]] - corner[:2]
    fraction, network, edge = _fraction_inside(scan, location, box)
    kept = fill_holes(on_path(fraction > threshold, centers, scan.spacing_mm))
    if (kept.sum(axis=(0, 1)) * np.prod(scan.spacing_mm[:2])).max(initial=0) < MIN_AREA_MM2:
        kept = np.zeros_like(kept)
    notes = _gaps(kept, scan.spacing_mm[2], corner[2])
    view = location.view
    probability = keep_inside(fraction, ndimage.binary_dilation(kept, iterations=2))
    with timed("confidence"):
        confidence = assess(
            "cord",
            scan.data[box],
            network,
            kept,
            scan.spacing_mm,
            location.confidence,
            first=corner[2],
            centers_vx=centers,
            more={"trust": edge.trust, "moved_mm": edge.moved_mm},
        )
    if not (kept.any() and predictor.config.depth):  # a 3-D network needs the slices between those that are looked at again
        notes += search_notes(scan, location, localizer, is_found=bool(kept.any()))
    return Segmentation(
        mask=CroppedVolume(kept.astype(np.uint8), corner, image).whole(),
        cropped_probability=CroppedVolume(probability, corner, image),
        threshold=threshold,
        crop_box_vx=box_from_rpi(view.windows.native_box(view.slices), image) if view else [],
        models=(predictor.name,) if view else (),
        runtime=view.runtime if view else "none",
        notes=notes,
        confidence=confidence,
    )


def _gaps(mask: np.ndarray, distance_mm: float, first: int) -> tuple[str, ...]:
    """Return a sentence on each run of slices without cord between others that have it; `first` is the lowest slice of `mask`."""
    filled = mask.any(axis=(0, 1))
    ends = np.flatnonzero(filled)
    if len(ends) == 0:
        return ()
    gaps = [run for run in runs_of(np.logical_not(filled)) if ends[0] < run.start < ends[-1]]
    return tuple(
        f"no cord can be seen in the axial {_named(gap, first)} from below ({len(gap) * distance_mm:.3g} mm), "
        "between others that have it"
        for gap in gaps
    )


def _named(gap: range, first: int) -> str:
    low, high = first + gap.start, first + gap.stop - 1
    return f"slice {low}" if low == high else f"slices {low} to {high}"


def _box_of(location: CordLocation) -> tuple[slice, slice, slice]:
    """Return the voxels, in RPI, that a network saw from the first to the last slice of cord; none where there is no cord."""
    slices = location.slices
    if location.view is None or not slices:
        return slice(0, 0), slice(0, 0), slice(0, 0)
    x, y, _ = (slice(*side) for side in location.view.windows.native_box(location.view.slices))
    return x, y, slice(slices.start, slices.stop)


def _fraction_inside(
    scan: Volume, location: CordLocation, box: tuple[slice, slice, slice]
) -> tuple[np.ndarray, np.ndarray, Edge]:
    """Return the fraction of each voxel of the box that lies inside the cord's outline, float32; 0 in slices without cord.

    And the same by the network alone, and the edge that the outline was moved to.
    """
    view, present = location.view, location.present[box[2]]
    fraction = np.zeros(scan.data[box].shape, np.float32)
    if view is None or fraction.size == 0:
        return fraction, fraction, Edge(fraction, np.zeros(len(present)), np.zeros(len(present)))
    for k, window in zip(view.slices, view.probability_given_cord, strict=True):
        if location.present[k]:
            fraction[..., k - box[2].start] = np.clip(view.windows.restore(window[None], [k], box[:2])[..., 0], 0, 1)
    with timed("outline"):
        sigma = ALONG_SIGMA_MM / scan.spacing_mm[2]
        weight = np.maximum(ndimage.gaussian_filter1d(present.astype(np.float32), sigma, mode="nearest"), 1e-6)
        smooth = ndimage.gaussian_filter1d(fraction, sigma, axis=2, mode="nearest")
        smooth /= weight
        smooth *= present
        centers = location.centers_vx[box[2]] - [side.start for side in box[:2]]
        smooth[(smooth > OUTLINE) & ~on_path(smooth > OUTLINE, centers, scan.spacing_mm)] = 0
        edge = find_edge(scan.data[box], smooth, scan.spacing_mm)
    return np.multiply(edge.fraction, present, out=fraction), smooth, edge
