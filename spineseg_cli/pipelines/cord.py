"""The cord's mask, in a scan of any contrast, whole or in part."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from spineseg_cli.core.centerline import centres_from_mask, filled_slices, mask_on_grid, slices_with_cord, too_short
from spineseg_cli.core.cropping import SliceWindows
from spineseg_cli.core.inference import Runtime
from spineseg_cli.core.intensity import without_spikes
from spineseg_cli.core.joining import agree, join_conus
from spineseg_cli.core.orientation import box_from_rpi, from_rpi, to_rpi
from spineseg_cli.core.postprocessing import clean_cord, keep_inside
from spineseg_cli.core.search import Finder, find_cord
from spineseg_cli.core.segmentation import Segmentation, calibrated, sharpen, steadied
from spineseg_cli.core.stack import predict_stack
from spineseg_cli.core.timing import timed
from spineseg_cli.core.tta import predict_mirrored
from spineseg_cli.core.volume import Volume
from spineseg_cli.errors import InputError
from spineseg_cli.weights import Model

# An object without any slice of this area is no cord, but a clump of roots or noise. Where the cord is searched for, it has as
# many of them as a cord is long.
LEAST_AREA_MM2 = 12.0

# Probabilities are blurred along the cord over this distance: what thin slices gain, thick ones do not need.
ALONG_SIGMA_MM = 1.0


# Probability of voxels on the outline.
OUTLINE = 0.5


class _Seen(NamedTuple):
    """What one network sees: probabilities in some slices, the box of voxels that it read, the model's name and its runtime's."""

    cord: np.ndarray
    box_vx: list[list[int]]
    model: str
    runtime: str


def segment_cord(
    image: Volume,
    model: Model,
    *,
    lower: Model | None = None,
    finder: Finder | None = None,
    centerline: Volume | None = None,
    globally: bool = True,
    brain: bool | None = None,
    contrast: str = "auto",
    threshold: float | None = None,
    overlap: float = 0.5,
    device: str = "auto",
    runtime: Runtime | None = None,
) -> Segmentation:
    """Segment the cord in every axial slice that has one.

    Parameters
    ----------
    image : Volume
        Shape (nx, ny, nz), stored in any orientation.
    model : Model
        Of the task "cord", with a 2-D or a 3-D network.
    lower : Model, optional
        Weights for the lumbosacral cord, used where the conus is in view and both networks see the same cord above it: see
        `core.joining`.
    finder : Model, optional
        A model of the task "centerline", which finds the cord if no `centerline` is given.
    centerline : Volume, optional
        Mask of the cord or of its centerline on the grid of `image`; slices below or above it are taken to be without cord.
    globally : bool
        Look for the best path through all slices, or for the cord in each slice by itself.
    brain : bool, optional
        See `core.centerline.slices_with_cord`.
    contrast : {"auto", "t1", "t2", "t2s", "dwi"}
        Takes the model's threshold for that contrast, if it has one.
    threshold : float, optional
        Probability above which a voxel is cord, 0.5 by default: where the model's own threshold lies, half a voxel is cord.
    overlap : float
        Of a 3-D network's patches: see `core.stack.predict_stack`.
    device : {"auto", "cpu", "gpu"}
    runtime : Runtime, optional
        A loaded `model`, to segment several scans without loading it for each.

    Returns
    -------
    Segmentation
        Empty if no cord was found.

    Raises
    ------
    GridMismatchError
        If `centerline` is on another grid.
    InputError
        If `centerline` is empty, there is neither it nor a `finder`, or `threshold` is not in [0, 1).
    """
    if threshold is not None and not 0 <= threshold < 1:  # NaN too
        raise InputError(f"expected a threshold from 0 to below 1; got {threshold}")
    if centerline is None and finder is None:
        raise InputError("expected a centerline, or a model that finds one; got neither")
    scan = without_spikes(to_rpi(image))
    if centerline is not None:
        centres, slices = centres_from_mask(mask_on_grid(centerline, scan, "the centerline"))
    else:
        with timed("centerline"):
            found = find_cord(scan, finder, device, globally=globally)
        centres = found.centres_vx
        slices = slices_with_cord(found.confidence, scan.spacing_mm[2], brain, filled_slices(scan))
    look = partial(_look, scan, centres, contrast=contrast, overlap=overlap, device=device)
    probability, seen = np.zeros(scan.shape, np.float32), []
    if slices:
        seen = [look(model, slices, runtime=runtime)]
        probability[:, :, slices] = seen[0].cord
        if lower:
            seen += _follow_conus(probability, slices, scan.spacing_mm[2], partial(look, lower), search=centerline is None)
    threshold = OUTLINE if threshold is None else threshold
    kept = clean_cord(probability > threshold, scan.spacing_mm[2])
    if not _is_cord(kept, scan, searched=centerline is None):
        kept = np.zeros_like(kept)
    return Segmentation(
        mask=from_rpi(kept.astype(np.uint8), image),
        probability=from_rpi(keep_inside(probability, ndimage.binary_dilation(kept, iterations=2)), image),
        threshold=threshold,
        crop_box_vx=box_from_rpi(_hull([part.box_vx for part in seen]), image) if seen else [],
        models=tuple(part.model for part in seen),
        runtime=seen[-1].runtime if seen else "none",
    )


def _look(
    scan: Volume, centres: np.ndarray, model: Model, slices: range, *, contrast: str, overlap: float, device: str, runtime=None
) -> _Seen:
    """Return what the network of `model` sees in `slices` of the RPI `scan`, around the `centres`."""
    with timed(f"loading {model.name}"):
        runtime = runtime or model.open_runtime(device)
    with timed(f"segmentation, {model.name}"):
        windows = model.preprocessing.windows(scan, centres)
        cord = _predict(scan, windows, slices, model, runtime, contrast, overlap)
    return _Seen(cord, windows.native_box(slices), model.name, type(runtime).__name__)


def _follow_conus(
    probability: np.ndarray, slices: range, spacing_mm: float, look: Callable[[range], _Seen], search: bool
) -> list[_Seen]:
    """Let the lumbosacral network, which `look` asks, take over in `probability` where the cord ends: see `core.joining`.

    Returns what it saw, if it took over.
    """
    joined, shares = join_conus(slices, spacing_mm, search)
    if not shares.any():
        return []
    shares = shares[: np.count_nonzero(shares) + 1].astype(np.float32)  # one slice more: neighbours count
    own = joined[: len(shares)]
    below, above = look(own), probability[:, :, own]
    seam = (shares > 0) & (shares < 1)
    if not agree(above[..., seam] > OUTLINE, below.cord[..., seam] > OUTLINE):
        return []
    probability[:, :, own] = shares * below.cord + (1 - shares) * above
    return [below]


def _is_cord(mask: np.ndarray, scan: Volume, searched: bool) -> bool:
    """Return whether a mask has a slice as thick as a cord, and, where that was searched for, as many as a cord is long."""
    thick = int((mask.sum(axis=(0, 1)) * np.prod(scan.spacing_mm[:2]) >= LEAST_AREA_MM2).sum())
    return thick > 0 and not (searched and too_short(thick, filled_slices(scan), scan.spacing_mm[2]))


def _hull(boxes: list[list[list[int]]]) -> list[list[int]]:
    """Return the smallest box around `boxes`."""
    return [[min(first), max(end)] for first, end in (zip(*sides, strict=True) for sides in zip(*boxes, strict=True))]


def _predict(
    scan: Volume, windows: SliceWindows, slices: range, model: Model, runtime: Runtime, contrast: str, overlap: float
) -> np.ndarray:
    """Return the cord's probability in `slices`, shape (nx, ny, len(slices)), smoothed from slice to slice."""
    steps, distance_mm = model.preprocessing, scan.spacing_mm[2]
    inputs = steps.standardise(windows.extract(scan.data, slices), windows.inside(slices))
    if steps.depth:
        prediction = predict_stack(runtime, inputs, distance_mm, steps, overlap)
    elif steps.mirror:
        prediction = predict_mirrored(runtime, inputs)
    else:
        prediction = runtime.predict(inputs)
    cord = sharpen(prediction[..., model.outputs.index("cord")], steps.half, steps.sharpness)
    # On the fine grid: a thick voxel whose half is cord is on the outline, whatever the network's threshold.
    cord = calibrated(cord, steps.contrast_thresholds.get(contrast, steps.threshold))
    if not steps.depth:  # a 3-D network has seen the neighbours itself
        cord = steadied(cord, distance_mm)
    cord = np.clip(windows.restore(cord, slices), 0, 1)
    return ndimage.gaussian_filter1d(cord, ALONG_SIGMA_MM / distance_mm, axis=2, mode="nearest")
