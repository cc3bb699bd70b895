"""Where the cord is, and in which slices: a search of the whole field of view, then a closer look along its path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.slice_windows import SliceWindows
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.inference.runtime import Runtime
from spineseg_cli.core.inference.segmentation import calibrated, sharpen, steadied
from spineseg_cli.core.inference.stack import predict_stack
from spineseg_cli.core.inference.tta import predict_mirrored
from spineseg_cli.core.localization.centers import centers_from_mask, mask_on_grid
from spineseg_cli.core.localization.extent import log_odds, runs_of, slices_of_cord
from spineseg_cli.core.localization.search import Finder, find_cord
from spineseg_cli.core.timing import timed

# The closer look is worth its time where the search has seen as much as this, and so far above and below.
LEAST_SEEN = 0.1
MARGIN_MM = 30.0

# Evidence that a slice holds cord: the weights of the search's log-odds and of the cord network's, and a constant. By logistic
# regression on the development scans, subjects left out.
EVIDENCE = (0.76, 0.82, -1.52)

# The conus tapers, and the network is less sure of it the thinner it is: below the last slice of evident cord it goes on while
# the network is as sure as this, for the length over which a conus tapers at most.
LEAST_SURE_OF_CONUS = 0.3
CONUS_MM = 20.0

# A window this far off the cord's center is moved there. A search is followed instead of a line where it is surer by so much.
OFF_CENTER_MM = 3.0
SURER = 0.05

# Windows that are cut and predicted at a time: memory does not grow with the scan's length.
CHUNK = 64

# Probability on the outline.
OUTLINE = 0.5

# The signal is lost where intensities this near the path spread less than such a share of what is usual in the scan.
AROUND_MM = 12.0
LOST = 0.1

# The cord network is as sure of a slice as its mean probability over the surest square of this side.
SURE_MM = 2.0


@dataclass(frozen=True)
class Look:
    """What a cord network sees in windows along a path.

    Parameters
    ----------
    windows : SliceWindows
    slices : ndarray of int, shape (n,)
        Those it looked at.
    probability : ndarray, shape (n, side, side)
        Of cord, on the windows' grid; 0.5 on the outline.
    sureness : ndarray, shape (n,)
        How sure the network is that each slice holds cord, 0 to 1.
    runtime : str
        What ran the network.
    """

    windows: SliceWindows
    slices: np.ndarray
    probability: np.ndarray
    sureness: np.ndarray
    runtime: str

    @property
    def given_cord(self) -> np.ndarray:
        """The probability where the slice is known to hold cord: a conus in doubt as a whole has an outline all the same."""
        return np.clip(self.probability / np.maximum(self.sureness, LEAST_SURE_OF_CONUS)[:, None, None], 0, 1)


@dataclass(frozen=True)
class CordLocation:
    """Where the cord lies in an RPI scan of nz axial slices.

    Parameters
    ----------
    centers_vx : ndarray, shape (nz, 2)
        Voxel coordinates along x and y, also where there is no cord.
    confidence : ndarray, shape (nz,)
        Probability that the slice holds cord; 0 where the signal is lost.
    present : ndarray of bool, shape (nz,)
        The slices of cord, in one run or several.
    look : Look or None
        The closer look; None without a cord network, or where there was nothing to look at.
    """

    centers_vx: np.ndarray
    confidence: np.ndarray
    present: np.ndarray
    look: Look | None

    @property
    def slices(self) -> range:
        """From the first to the last slice of cord; empty without any."""
        found = np.flatnonzero(self.present)
        return range(int(found[0]), int(found[-1]) + 1) if len(found) else range(0)


def locate_cord(
    scan: Volume,
    finder: Finder,
    model: Finder | None = None,
    *,
    globally: bool = True,
    brain: bool | None = None,
    contrast: str = "auto",
    overlap: float = 0.5,
    device: str = "auto",
    runtime: Runtime | None = None,
) -> CordLocation:
    """Return where the cord is in an RPI scan: its path, and the slices that the search and the cord network hold for cord.

    Parameters
    ----------
    scan : Volume
    finder : Finder
        A model of the task "centerline".
    model : Finder, optional
        Of the task "cord"; without one the search decides alone.
    globally : bool
        Look for the best path through all slices, or for the cord in each slice by itself.
    brain : bool, optional
        If False, the scan shows no brain: the cord goes on to the topmost slice. If True, it does: nothing above the longest
        run of cord is cord. By default, evidence alone decides.
    contrast, overlap, device, runtime
        See `look_closely`.
    """
    with timed("centerline"):
        found = find_cord(scan, finder, device, globally=globally)
    distance_mm = scan.spacing_mm[2]
    near = ndimage.binary_dilation(found.confidence >= LEAST_SEEN, np.ones(1 + 2 * round(MARGIN_MM / distance_mm)))
    look, sure = None, found.confidence
    if model is not None:
        sure = np.zeros(len(near))
        if near.any():
            options = {"contrast": contrast, "overlap": overlap, "device": device, "runtime": runtime}
            look = look_closely(scan, found.centers_vx, np.flatnonzero(near), model, **options)
            sure[near] = look.sureness
    of_search, of_network, constant = EVIDENCE
    evidence = of_search * log_odds(found.confidence) + of_network * log_odds(sure) + constant
    lost = _lost(scan, found.centers_vx)
    evidence[lost] = 0
    present = _to_the_tip(slices_of_cord(evidence, distance_mm), sure, distance_mm) & ~lost
    return CordLocation(found.centers_vx, ~lost / (1 + np.exp(-evidence)), _heeding_brain(present, brain), look)


def follow_line(scan: Volume, line: Volume, model: Finder, finder: Finder | None = None, **options) -> CordLocation:
    """Return the location that a mask of the cord or of its centerline gives, on the grid of the RPI `scan`.

    Slices below or above the line are taken to be without cord. Windows are centered again on the cord that the network sees, or
    on what the `finder` finds where the network is surer of that.

    Raises
    ------
    GridMismatchError
        If the line is on another grid.
    InputError
        If it is empty.
    """
    centers, slices = centers_from_mask(mask_on_grid(line, scan, "the centerline"))
    present = np.isin(np.arange(scan.shape[2]), slices)
    look = look_closely(scan, centers, np.array(slices), model, **options)
    better = _seen_centers(look, centers)
    if finder is not None:
        searched = find_cord(scan, finder, options.get("device", "auto")).centers_vx
        other = look_closely(scan, searched, np.array(slices), model, **options)
        surer = np.array(slices)[other.sureness > look.sureness + SURER]
        better[surer] = searched[surer]
    if np.hypot(*((better - centers) * scan.spacing_mm[:2]).T).max() > OFF_CENTER_MM:
        centers, look = better, look_closely(scan, better, np.array(slices), model, **options)
    confidence = np.zeros(len(present))
    confidence[present] = look.sureness
    return CordLocation(centers, confidence, present, look)


def look_closely(
    scan: Volume,
    centers_vx: np.ndarray,
    slices: np.ndarray,
    model: Finder,
    *,
    contrast: str = "auto",
    overlap: float = 0.5,
    device: str = "auto",
    runtime: Runtime | None = None,
) -> Look:
    """Return what the network of `model` sees in some slices of an RPI scan, in windows around a path.

    Parameters
    ----------
    scan : Volume
    centers_vx : ndarray, shape (nz, 2)
    slices : ndarray of int, shape (n,)
        One or more, rising.
    model : Finder
        Of the task "cord", with a 2-D or a 3-D network.
    contrast : str
        Takes the model's threshold for that contrast, if it has one.
    overlap : float
        Of a 3-D network's patches: see `core.stack.predict_stack`.
    device : {"auto", "cpu", "gpu"}
    runtime : Runtime, optional
        A loaded `model`.
    """
    steps, distance_mm = model.config, scan.spacing_mm[2]
    with timed(f"loading {model.name}"):
        runtime = runtime or model.open_runtime(device)
    with timed(f"segmentation, {model.name}"):
        windows = steps.windows(scan, centers_vx)
        channel = model.outputs.index("cord")
        jumps = np.flatnonzero(np.diff(slices) > 1) + 1
        if steps.landmarks or not steps.per_slice:  # scaled together
            parts = [slices]
        else:  # stacks of neighbors for a 3-D network, or any slices
            parts = np.split(slices, jumps) if steps.depth else np.array_split(slices, -(-len(slices) // CHUNK))
        cord = np.concatenate([_predict(runtime, scan, windows, part, steps, overlap)[..., channel] for part in parts])
    cord = sharpen(cord, steps.outline_probability, steps.logit_scale)
    # On the fine grid: a thick voxel whose half is cord is on the outline, whatever the network's threshold.
    cord = calibrated(cord, steps.contrast_thresholds.get(contrast, steps.threshold))
    if not steps.depth:  # a 3-D network has seen the neighbors itself
        cord = np.concatenate([steadied(part, distance_mm) for part in np.split(cord, jumps)])
    side = max(1, round(SURE_MM / steps.spacing_mm))
    sureness = ndimage.uniform_filter(cord, (0, side, side), mode="constant").max(axis=(1, 2))
    return Look(windows, slices, cord, sureness, type(runtime).__name__)


def _predict(
    runtime: Runtime, scan: Volume, windows: SliceWindows, slices: np.ndarray, steps: InferenceConfig, overlap: float
) -> np.ndarray:
    """Return the network's prediction for the windows of some slices, shape (n, side, side, classes)."""
    inputs = steps.standardize(windows.extract(scan.data, slices), windows.inside(slices))
    if steps.depth:
        return predict_stack(runtime, inputs, scan.spacing_mm[2], steps, overlap)
    return predict_mirrored(runtime, inputs) if steps.mirror else runtime.predict(inputs)


def _seen_centers(look: Look, centers_vx: np.ndarray) -> np.ndarray:
    """Return the center of the cord that the network sees in each slice; where it sees none, `centers_vx`."""
    better = np.array(centers_vx, float)
    native = look.windows.restore(look.probability > OUTLINE, look.slices) if len(look.slices) else []
    for place, k in enumerate(look.slices):
        inside = native[..., place] > OUTLINE
        if inside.any():
            better[k] = np.argwhere(inside).mean(axis=0)
    return better


def _to_the_tip(present: np.ndarray, sure: np.ndarray, distance_mm: float) -> np.ndarray:
    """Return `present` with the slices below the lowest that the conus tapers through; `sure` says how sure a network is."""
    longer = present.copy()
    first = int(present.argmax())
    for k in range(first - 1, max(-1, first - 1 - round(CONUS_MM / distance_mm)), -1):
        # The slice in which the cord ends is filled in part: half of the sureness will do for it.
        if not present.any() or sure[k] < LEAST_SURE_OF_CONUS / 2:
            break
        longer[k] = True
        if sure[k] < LEAST_SURE_OF_CONUS:
            break
    return longer


def _heeding_brain(present: np.ndarray, brain: bool | None) -> np.ndarray:
    runs = runs_of(present)
    if not runs or brain is None:
        return present
    heeded = present.copy()
    if brain:
        heeded[max(runs, key=len).stop :] = False
    else:
        heeded[runs[0].start :] = True
    return heeded


def _lost(scan: Volume, centers_vx: np.ndarray) -> np.ndarray:
    """Return the slices in which the signal around the path is lost: nothing there can tell whether there is cord."""
    radius = np.ceil(AROUND_MM / np.array(scan.spacing_mm[:2])).astype(int)
    bright = np.zeros(scan.shape[2])
    for k, center in enumerate(np.round(centers_vx).astype(int)):
        first, end = np.maximum(center - radius, 0), np.maximum(center + radius + 1, 1)
        part = scan.data[first[0] : end[0], first[1] : end[1], k]
        bright[k] = np.ptp(np.percentile(part, (2, 98))) if part.size else 0
    return bright <= LOST * np.median(bright)
