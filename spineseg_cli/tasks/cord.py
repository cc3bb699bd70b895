"""The cord's mask, in a scan of any contrast, whole or in part."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.intensity import without_padding, without_spikes
from spineseg_cli.core.image.orientation import box_from_rpi, from_rpi, to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.contour import move_to_edge
from spineseg_cli.core.inference.postprocessing import fill_holes, keep_inside, on_path
from spineseg_cli.core.inference.runtime import Runtime
from spineseg_cli.core.inference.segmentation import Segmentation
from spineseg_cli.core.localization.absence import reason_for_absence
from spineseg_cli.core.localization.extent import runs_of
from spineseg_cli.core.localization.location import CordLocation, follow_line, locate_cord
from spineseg_cli.core.localization.search import Finder
from spineseg_cli.core.timing import timed
from spineseg_cli.errors import InputError
from spineseg_cli.weights.model import Model

# A mask without any slice of this area is no cord, but a clump of roots or noise.
LEAST_AREA_MM2 = 12.0

# Probabilities are blurred along the cord over this distance: what thin slices gain, thick ones do not need.
ALONG_SIGMA_MM = 1.0

# Probability of voxels on the outline.
OUTLINE = 0.5


def segment_cord(
    image: Volume,
    model: Model,
    *,
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
    finder : Model, optional
        A model of the task "centerline", which finds the cord if no `centerline` is given, or where that lies beside it.
    centerline : Volume, optional
        Mask of the cord or of its centerline on the grid of `image`; slices below or above it are taken to be without cord.
    globally : bool
        Look for the best path through all slices, or for the cord in each slice by itself.
    brain : bool, optional
        See `core.location.locate_cord`.
    contrast : {"auto", "t1", "t2", "t2s", "dwi"}
        Takes the model's threshold for that contrast, if it has one.
    threshold : float, optional
        Share of a voxel inside the outline above which it is cord, 0.5 by default.
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
    threshold = OUTLINE if threshold is None else threshold
    scan = without_spikes(without_padding(to_rpi(image)))
    options = {"contrast": contrast, "overlap": overlap, "device": device, "runtime": runtime}
    locate = partial(locate_cord, finder=finder, model=model, globally=globally, brain=brain, **options)
    found = locate(scan) if centerline is None else follow_line(scan, centerline, model, finder, **options)
    share = _share_inside(scan, found)
    kept = fill_holes(on_path(share > threshold, found.centers_vx, scan.spacing_mm))
    if (kept.sum(axis=(0, 1)) * np.prod(scan.spacing_mm[:2])).max(initial=0) < LEAST_AREA_MM2:
        kept = np.zeros_like(kept)
    notes = _gaps(kept, scan.spacing_mm[2])
    if centerline is None and not kept.any():
        notes = (reason_for_absence(scan, found, partial(locate, brain=None)),)
    return Segmentation(
        mask=from_rpi(kept.astype(np.uint8), image),
        probability=from_rpi(keep_inside(share, ndimage.binary_dilation(kept, iterations=2)), image),
        threshold=threshold,
        crop_box_vx=box_from_rpi(found.look.windows.native_box(found.look.slices), image) if found.look else [],
        models=(model.name,) if found.look else (),
        runtime=found.look.runtime if found.look else "none",
        notes=notes,
    )


def _gaps(mask: np.ndarray, distance_mm: float) -> tuple[str, ...]:
    """Return a sentence on each run of slices without cord between others that have it."""
    filled = mask.any(axis=(0, 1))
    ends = np.flatnonzero(filled)
    if len(ends) == 0:
        return ()
    gaps = [run for run in runs_of(~filled) if ends[0] < run.start < ends[-1]]
    return tuple(
        f"no cord can be seen in the axial slices {gap.start} to {gap.stop - 1} from below ({len(gap) * distance_mm:.3g} mm), "
        "between others that have it"
        for gap in gaps
    )


def _share_inside(scan: Volume, found: CordLocation) -> np.ndarray:
    """Return the share of each voxel that lies inside the cord's outline, float32; 0 in slices without cord."""
    share = np.zeros(scan.shape, np.float32)
    if not found.present.any():
        return share
    look, first, end = found.look, found.slices.start, found.slices.stop
    x, y, _ = (slice(*side) for side in look.windows.native_box(look.slices))
    around = share[x, y, first:end]  # a view: all that the windows saw
    for k, window in zip(look.slices, look.given_cord, strict=True):
        if found.present[k]:
            around[..., k - first] = np.clip(look.windows.restore(window[None], [k])[x, y, 0], 0, 1)
    with timed("outline"):
        sigma = ALONG_SIGMA_MM / scan.spacing_mm[2]
        present = found.present[first:end]
        weight = np.maximum(ndimage.gaussian_filter1d(present.astype(np.float32), sigma, mode="nearest"), 1e-6)
        smooth = ndimage.gaussian_filter1d(around, sigma, axis=2, mode="nearest") / weight * present
        centers = found.centers_vx[first:end] - (x.start, y.start)
        smooth[(smooth > OUTLINE) & ~on_path(smooth > OUTLINE, centers, scan.spacing_mm)] = 0
        around[:] = move_to_edge(scan.data[x, y, first:end], smooth, scan.spacing_mm)
    share[:, :, ~found.present] = 0
    return share
