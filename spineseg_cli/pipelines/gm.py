"""Gray matter of an axial scan."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.centerline import centres_from_mask
from spineseg_cli.core.inference import Runtime
from spineseg_cli.core.nifti import check_same_grid
from spineseg_cli.core.orientation import from_rpi, to_rpi
from spineseg_cli.core.postprocessing import clean_cord, keep_inside, without_specks
from spineseg_cli.core.search import search_cord
from spineseg_cli.core.tta import predict_augmented, predict_mirrored
from spineseg_cli.core.volume import Volume
from spineseg_cli.errors import InputError
from spineseg_cli.weights import Model

log = logging.getLogger(__name__)

CORD_THRESHOLD = 0.5


@dataclass(frozen=True)
class GrayMatter:
    """What `segment_gray_matter` finds, on the grid of the image.

    Parameters
    ----------
    mask : Volume
        Gray matter, uint8.
    probability : Volume
        Its probability, float32 in [0, 1]; like `mask`, 0 outside the cord.
    cord : Volume or None
        The cord mask given, or else the one that the network predicts beside the gray matter; uint8.
    threshold : float
        Probability above which `mask` is 1.
    crop_box_vx : list
        [first, last + 1] of the voxels that the network saw, right to left and posterior to anterior.
    runtime : str
        What ran the network: equal bytes are promised for equal runtimes.
    """

    mask: Volume
    probability: Volume
    cord: Volume | None
    threshold: float
    crop_box_vx: list[list[int]]
    runtime: str

    def soft(self, threshold: float = 0.0) -> Volume:
        """Probability where it exceeds `threshold`, 0 elsewhere; float32."""
        data = self.probability.data
        return self.probability.with_data(np.where(data > threshold, data, np.float32(0)))

    @property
    def white_matter(self) -> Volume | None:
        """Cord without gray matter, uint8; None without a cord mask."""
        return None if self.cord is None else self.cord.with_data(self.cord.data & (1 - self.mask.data))


def segment_gray_matter(
    image: Volume,
    model: Model,
    *,
    centerline: Volume | None = None,
    cord: Volume | None = None,
    threshold: float | None = None,
    tta: bool = False,
    device: str = "auto",
    runtime: Runtime | None = None,
) -> GrayMatter:
    """Segment the gray matter in every axial slice of a scan.

    Parameters
    ----------
    image : Volume
        Shape (nx, ny, nz), stored in any orientation.
    model : Model
        Of the task "gm".
    centerline : Volume, optional
        Mask of the cord or of its centerline on the grid of `image`: windows follow it, and slices below or above it
        are taken to be without cord. By default `cord` is followed; without it, the network looks for the cord itself;
        where it finds none, or cannot (published weights), windows sit at the centre of each slice.
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

    Raises
    ------
    GridMismatchError
        If `centerline` or `cord` is on another grid.
    InputError
        If `centerline` is empty, or `threshold` is not in [0, 1).
    """
    if threshold is not None and not 0 <= threshold < 1:  # NaN too
        raise InputError(f"expected a threshold from 0 to below 1; got {threshold}")
    scan = to_rpi(image)
    cord_rpi = None if cord is None else _to_rpi_on_grid(cord, scan, "the cord mask")
    guide = cord_rpi if centerline is None else _to_rpi_on_grid(centerline, scan, "the centerline")
    steps = model.preprocessing
    threshold = steps.threshold if threshold is None else threshold
    guided = None if guide is None else centres_from_mask(guide)  # before a network is loaded: the guide may be empty
    runtime = runtime or model.open_runtime(device)
    centres, slices = guided or _search(scan, model, runtime)
    windows = steps.windows(scan, centres)
    inputs = steps.standardise(windows.extract(scan.data, slices), windows.inside(slices))
    log.debug("%d windows of %dx%d samples of %g mm", *inputs.shape, steps.spacing_mm)
    if tta:
        prediction = predict_augmented(runtime, inputs)
    else:
        prediction = predict_mirrored(runtime, inputs) if steps.mirror else runtime.predict(inputs)

    def on_scan_grid(channel: np.ndarray) -> np.ndarray:
        whole = np.zeros(scan.shape, np.float32)
        whole[:, :, slices] = np.clip(windows.restore(channel, slices), 0, 1)
        return whole

    gray = prediction[..., model.outputs.index("gray_matter")]
    probability = on_scan_grid(gray)
    mask = on_scan_grid(gray > threshold) > 0.5 if steps.binarise_first else probability > threshold
    if cord_rpi is not None:
        cord_mask = cord_rpi.data > 0.5
        mask, probability = (keep_inside(part, cord_mask) for part in (mask, probability))
    elif "cord" in model.outputs:
        cord_probability = on_scan_grid(prediction[..., model.outputs.index("cord")])
        # Where the two channels differ at the contour, sure gray matter counts as cord.
        cord_mask = clean_cord(np.maximum(cord_probability, probability) > CORD_THRESHOLD)
        probability = without_specks(keep_inside(probability, cord_mask))
        mask &= probability > 0
    else:
        cord_mask = None
    return GrayMatter(
        mask=from_rpi(mask.astype(np.uint8), image),
        probability=from_rpi(probability.astype(np.float32), image),
        cord=None if cord_mask is None else from_rpi(cord_mask.astype(np.uint8), image),
        threshold=threshold,
        crop_box_vx=windows.native_box(),
        runtime=type(runtime).__name__,
    )


def _search(scan: Volume, model: Model, runtime: Runtime) -> tuple[np.ndarray | None, Sequence[int]]:
    """Return the cord's centres and slices if the network can find it, otherwise None, for the image's centre, and all slices."""
    found = None
    if "cord" in model.outputs and model.preprocessing.pad:
        found = search_cord(scan, model.preprocessing, runtime, model.outputs.index("cord"))
    return (None, range(scan.shape[2])) if found is None else found


def _to_rpi_on_grid(mask: Volume, scan: Volume, name: str) -> Volume:
    turned = to_rpi(mask)
    check_same_grid(scan, turned, "the image", name)
    return turned
