"""Gray matter of an axial scan."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial

import numpy as np

from spineseg_cli.core.image.intensity import without_padding, without_spikes
from spineseg_cli.core.image.orientation import box_from_rpi, from_rpi, to_rpi
from spineseg_cli.core.image.slice_windows import SliceWindows
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.postprocessing import fill_holes, keep_inside, on_path, without_specks, without_torn_top
from spineseg_cli.core.inference.runtime import Runtime
from spineseg_cli.core.inference.segmentation import Segmentation, sharpen
from spineseg_cli.core.inference.symmetry import torn_top
from spineseg_cli.core.inference.tta import predict_augmented, predict_mirrored
from spineseg_cli.core.localization.centers import centers_from_mask, mask_on_grid
from spineseg_cli.core.localization.location import locate_cord
from spineseg_cli.core.localization.search import Finder
from spineseg_cli.core.timing import timed
from spineseg_cli.errors import InputError
from spineseg_cli.weights.model import Model

log = logging.getLogger(__name__)

CORD_THRESHOLD = 0.5

# Slices are judged where gray matter is likelier than not, whatever the threshold: a higher one must not show more.
LIKELY = 0.5


@dataclass(frozen=True, kw_only=True)
class GrayMatter(Segmentation):
    """Gray matter: like its mask, its probability is 0 outside the cord.

    Parameters
    ----------
    cord : Volume or None
        The cord mask given, or else the one that the network predicts beside the gray matter; uint8.
    """

    cord: Volume | None

    @property
    def white_matter(self) -> Volume | None:
        """Cord without gray matter, uint8; None without a cord mask."""
        return None if self.cord is None else self.cord.with_data(self.cord.data & (1 - self.mask.data))


def segment_gray_matter(
    image: Volume,
    model: Model,
    *,
    finder: Finder | None = None,
    cord_model: Model | None = None,
    centerline: Volume | None = None,
    cord: Volume | None = None,
    threshold: float | None = None,
    tta: bool = False,
    device: str = "auto",
    runtime: Runtime | None = None,
) -> GrayMatter:
    """Segment the gray matter in every axial slice of a scan.

    Where the cord is searched for, gray matter ends at the top where it is no longer like its mirror image and the slice below.

    Parameters
    ----------
    image : Volume
        Shape (nx, ny, nz), stored in any orientation.
    model : Model
        Of the task "gm".
    finder : Model, optional
        A model of the task "centerline", which finds the cord if neither `centerline` nor `cord` is given: where it finds none
        there is no gray matter. Without it, windows sit at the center of each slice.
    cord_model : Model, optional
        A model of the task "cord", which looks closely at which slices hold cord where it is searched for.
    centerline : Volume, optional
        Mask of the cord or of its centerline on the grid of `image`: windows follow it, and slices below or above it
        are taken to be without cord. By default `cord` is followed.
    cord : Volume, optional
        Mask of the cord on the grid of `image`; gray matter outside it is dropped.
    threshold : float, optional
        Probability above which a voxel is gray matter; the model's own by default.
    tta : bool
        Average over augmented copies of the scan.
    device : {"auto", "cpu", "gpu"}
    runtime : Runtime, optional
        A loaded `model`, to segment several scans without loading it for each.

    Returns
    -------
    GrayMatter
        Empty if no cord was found.

    Raises
    ------
    GridMismatchError
        If `centerline` or `cord` is on another grid.
    InputError
        If `centerline` is empty, or `threshold` is not in [0, 1).
    """
    if threshold is not None and not 0 <= threshold < 1:  # NaN too
        raise InputError(f"expected a threshold from 0 to below 1; got {threshold}")
    scan = without_spikes(without_padding(to_rpi(image)))
    cord_rpi = None if cord is None else mask_on_grid(cord, scan, "the cord mask")
    guide = cord_rpi if centerline is None else mask_on_grid(centerline, scan, "the centerline")
    steps = model.config
    threshold = steps.threshold if threshold is None else threshold
    # Before the network is loaded: the guide may be empty.
    with timed("centerline"):
        centers, slices = centers_from_mask(guide) if guide is not None else _search(scan, finder, cord_model, device)
    if not slices:
        return _nothing(image, "cord" in model.outputs, threshold)
    with timed("loading the network"):
        runtime = runtime or model.open_runtime(device)
    windows = steps.windows(scan, None if guide is None and finder is None else centers)
    inputs = steps.standardize(windows.extract(scan.data, slices), windows.inside(slices))
    log.debug("%d windows of %dx%d samples of %g mm", *inputs.shape, steps.spacing_mm)
    with timed("segmentation"):
        prediction = _predict(runtime, inputs, mirror=steps.mirror, tta=tta)
    on_grid = partial(_on_grid, scan, windows, slices)
    gray = sharpen(prediction[..., model.outputs.index("gray_matter")], steps.outline_probability, steps.logit_scale)
    probability = on_grid(gray)
    mask = on_grid(gray > threshold) > 0.5 if steps.binarize_first else probability > threshold
    if cord_rpi is not None:
        cord_mask = cord_rpi.data > 0.5
        probability = keep_inside(probability, cord_mask)
    elif "cord" in model.outputs:
        # Where the two channels differ at the contour, sure gray matter counts as cord.
        likely_cord = np.maximum(on_grid(prediction[..., model.outputs.index("cord")]), probability) > CORD_THRESHOLD
        if guide is not None or finder is not None:
            likely_cord = on_path(likely_cord, centers, scan.spacing_mm)
        cord_mask = without_torn_top(fill_holes(likely_cord))
        probability = without_specks(keep_inside(probability, cord_mask))
        if guide is None and (torn := torn_top(gray > LIKELY)):
            log.info("the top %d slices of the cord have no gray matter that can be told", torn)
            probability[:, :, slices.stop - torn : slices.stop] = 0
    else:
        cord_mask = None
    mask &= probability > 0
    return GrayMatter(
        mask=from_rpi(mask.astype(np.uint8), image),
        probability=from_rpi(probability.astype(np.float32), image),
        cord=None if cord_mask is None else from_rpi(cord_mask.astype(np.uint8), image),
        threshold=threshold,
        crop_box_vx=box_from_rpi(windows.native_box(slices), image),
        models=(model.name,),
        runtime=type(runtime).__name__,
    )


def _search(scan: Volume, finder: Finder | None, cord_model: Model | None, device: str) -> tuple[np.ndarray, range]:
    """Return the cord's centers and slices; without a `finder`, the image's center, and all slices."""
    if finder is None:
        return np.tile((np.array(scan.shape[:2]) - 1) / 2, (scan.shape[2], 1)), range(scan.shape[2])
    found = locate_cord(scan, finder, cord_model, device=device)
    return found.centers_vx, found.slices


def _predict(runtime: Runtime, inputs: np.ndarray, mirror: bool, tta: bool) -> np.ndarray:
    if tta:
        return predict_augmented(runtime, inputs)
    return predict_mirrored(runtime, inputs) if mirror else runtime.predict(inputs)


def _on_grid(scan: Volume, windows: SliceWindows, slices: range, channel: np.ndarray) -> np.ndarray:
    """Return a channel of predictions of `windows` on the grid of `scan`, float32; 0 outside the `slices`."""
    whole = np.zeros(scan.shape, np.float32)
    whole[:, :, slices] = np.clip(windows.restore(channel, slices), 0, 1)
    return whole


def _nothing(image: Volume, with_cord: bool, threshold: float) -> GrayMatter:
    """Return what is found in an image without cord."""
    empty = image.with_data(np.zeros(image.shape, np.uint8))
    return GrayMatter(
        mask=empty,
        probability=image.with_data(np.zeros(image.shape, np.float32)),
        cord=empty if with_cord else None,
        threshold=threshold,
        crop_box_vx=[],
        models=(),
        runtime="none",
    )
