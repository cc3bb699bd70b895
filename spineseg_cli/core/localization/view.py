"""Application of a cord network in windows along a path."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.slabs import PREFETCHED_PARTS, prefetched
from spineseg_cli.core.image.slice_windows import batches
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.probabilities import (
    OUTLINE,
    neighbors_count,
    sharpen,
    shift_logits_to_threshold,
    smooth_uncertain_along_z,
)
from spineseg_cli.core.localization.location import AVERAGED_MM, CordLocation, CordView
from spineseg_cli.core.localization.neighbor_mean import mean_windows
from spineseg_cli.core.timing import timed

# The network's confidence in a slice is the highest mean of its probability over a square of this side.
CONFIDENCE_SIDE_MM = 2.0

# Slices with cord in which the network's confidence is lower are looked at again, each averaged with its neighbors.
UNSURE = 0.9


def view_cord(scan: Volume, centers_vx: np.ndarray, slices: np.ndarray, predictor: Predictor) -> CordView:
    """Return the predictions of a cord network in some slices of an RPI scan, in windows around a path.

    `centers_vx`, shape (nz, 2), are the centers of the slices' windows, in voxel coordinates along x and y; `slices`, int,
    shape (n,), are one or more slices in increasing order; `predictor` has the output "cord".
    """
    config, distance_mm = predictor.config, scan.spacing_mm[2]
    runtime = predictor.runtime_name  # loads the network
    with timed(f"segmentation, {predictor.name}"):
        windows = config.windows(scan, centers_vx)
        channel = predictor.channel("cord")
        gaps = np.flatnonzero(np.diff(slices) > 1) + 1
        parts = _parts(slices, gaps, predictor)

        def predict(part: np.ndarray) -> np.ndarray:
            return predictor.predict(windows.extract(scan.data, part), windows.inside(part), distance_mm)[..., channel]

        cord = np.concatenate(list(prefetched(predict, parts, threads=PREFETCHED_PARTS)))
    cord = _on_outline(cord, config)
    if not config.depth:  # a 3-D network has already seen the neighbors
        cord = smooth_uncertain_along_z(cord, distance_mm, gaps)
    confidence = np.concatenate([_confidence_in(cord[part], config) for part in batches(np.arange(len(cord)))])
    return CordView(windows, slices, cord, confidence, runtime)


def look_again(scan: Volume, view: CordView, present: np.ndarray, predictor: Predictor) -> None:
    """Apply the network also to the mean of the neighbors of each slice of which it is not sure, and keep the surer prediction.

    Only slices with cord are looked at again, `present`, bool, shape (nz,): if the mean had a part in deciding where cord is, it
    would go on into the medulla. The arrays of the view are changed in place, to save the memory of second ones. Nothing changes
    for networks that need several slices at once.
    """
    config, channel, distance_mm = predictor.config, predictor.channel("cord"), scan.spacing_mm[2]
    if config.needs_all_slices:
        return
    parts = batches(np.flatnonzero(present[view.slices] & (view.confidence < UNSURE)))

    def predict(part: np.ndarray) -> np.ndarray:
        means, inside = mean_windows(scan, view.windows, view.slices[part], AVERAGED_MM), view.windows.inside(view.slices[part])
        return _on_outline(predictor.predict(means, inside, distance_mm)[..., channel], config)

    with timed(f"segmentation, {predictor.name}"):
        for part, cord in zip(parts, prefetched(predict, parts, threads=PREFETCHED_PARTS), strict=True):
            confidence = _confidence_in(cord, config)
            surer = confidence > view.confidence[part]
            view.probability[part[surer]], view.confidence[part[surer]] = cord[surer], confidence[surer]


def sees_slices_by_themselves(predictor: Predictor, distance_mm: float) -> bool:
    """Return whether `view_cord` predicts each slice independently of the others; neighboring slices are `distance_mm` apart."""
    return not predictor.config.needs_all_slices and not neighbors_count(distance_mm)


def centers_in_view(view: CordView, centers_vx: np.ndarray) -> np.ndarray:
    """Return the center of the cord that the network sees in each slice, or that of `centers_vx` where it sees none.

    `centers_vx` and the result are voxel coordinates along x and y, shape (nz, 2).
    """
    seen, windows, slices = np.array(centers_vx, float), view.windows, view.slices
    if not len(slices):
        return seen
    cord = (view.probability > OUTLINE) & windows.inside(slices)
    counts = cord.sum(axis=(1, 2))
    with_cord = np.flatnonzero(counts)
    for axis in (0, 1):
        positions = windows.voxel_positions(axis, slices[with_cord])
        sums = np.einsum("ns,ns->n", cord.sum(axis=2 - axis)[with_cord], positions)
        seen[slices[with_cord], axis] = sums / counts[with_cord]
    return seen


def centered_in_view(location: CordLocation) -> CordLocation:
    """Return a location with the centers of the cord that the network sees; slices between those that it saw are moved alike."""
    view, centers = location.view, location.centers_vx
    if view is None or not len(view.slices):
        return location
    moved = (centers_in_view(view, centers) - centers)[view.slices]
    slices = np.arange(len(centers))
    return replace(location, centers_vx=centers + np.stack([np.interp(slices, view.slices, by) for by in moved.T], axis=-1))


def _on_outline(probability: np.ndarray, config: InferenceConfig) -> np.ndarray:
    """Return a network's probabilities of cord such that 0.5 lies on the outline.

    They are converted on the fine grid of the windows, so that a large voxel that is half cord lies on the outline, whatever the
    network's threshold.
    """
    return shift_logits_to_threshold(sharpen(probability, config.outline_probability, config.logit_scale), config.threshold)


def _confidence_in(probability: np.ndarray, config: InferenceConfig) -> np.ndarray:
    """Return the network's confidence that there is cord, shape (n,), from its probability in windows, shape (n, side, side)."""
    side = max(1, round(CONFIDENCE_SIDE_MM / config.spacing_mm))
    return ndimage.uniform_filter(probability, (0, side, side), mode="constant").max(axis=(1, 2))


def _parts(slices: np.ndarray, gaps: np.ndarray, predictor: Predictor) -> list[np.ndarray]:
    """Return the slices divided into parts that can be predicted one after the other."""
    config = predictor.config
    if config.landmarks or not config.per_slice:  # intensities of all slices are scaled together
        return [slices]
    if config.depth:  # stacks of neighbors
        return np.split(slices, gaps)
    return batches(slices)
