"""Gray matter of an axial scan."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass
from functools import partial

import numpy as np

from spineseg_cli.core.confidence.assessment import assess
from spineseg_cli.core.confidence.features import SAMPLE_MM
from spineseg_cli.core.image.cropped import CroppedVolume
from spineseg_cli.core.image.intensity import clip_outliers, without_padding
from spineseg_cli.core.image.orientation import box_from_rpi, from_rpi, to_rpi
from spineseg_cli.core.image.slice_windows import SliceWindows
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.postprocessing import (
    fill_holes,
    keep_inside,
    on_path,
    remove_small_components,
    trim_partial_superior_slices,
)
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.segmentation import Segmentation, checked_threshold, sharpen
from spineseg_cli.core.inference.symmetry import mirror_symmetry, overlap_when_aligned, unreliable_superior_slices
from spineseg_cli.core.inference.tissue_evidence import tissue_contrasts, with_tissue_evidence
from spineseg_cli.core.localization.absence import search_notes
from spineseg_cli.core.localization.centers import mask_on_grid
from spineseg_cli.core.localization.localizer import Localizer
from spineseg_cli.core.timing import timed

log = logging.getLogger(__name__)

CORD_THRESHOLD = 0.5


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
    predictor: Predictor,
    localizer: Localizer,
    *,
    cord: Volume | None = None,
    threshold: float | None = None,
    tta: bool = False,
) -> GrayMatter:
    """Segment the gray matter in every axial slice of a scan.

    Where no mask says where the cord is, gray matter ends at the top where it is no longer symmetric and like the slice below.

    Parameters
    ----------
    image : Volume
        The scan, shape (nx, ny, nz), stored in any orientation.
    predictor : Predictor
        A 2-D network with the output "gray_matter".
    localizer : Localizer
        What finds the cord: windows follow it, and slices below or above it are taken to be without cord. An
        `ImageCenterLocalizer` puts the windows at the center of each slice.
    cord : Volume, optional
        A mask of the cord on the grid of `image`; gray matter outside it is dropped.
    threshold : float, optional
        The probability above which a voxel is gray matter; the weights' own by default.
    tta : bool
        Average over augmented copies of the scan.

    Returns
    -------
    GrayMatter
        Empty if no cord was found.

    Raises
    ------
    GridMismatchError
        If the localizer's mask, or `cord`, is on another grid.
    InputError
        If the localizer's mask is empty, or `threshold` is not in [0, 1).
    """
    threshold = checked_threshold(threshold, predictor.config.threshold)
    scan = clip_outliers(without_padding(to_rpi(image)))
    cord_rpi = None if cord is None else mask_on_grid(cord, scan, "the cord mask")
    # Before the network is loaded: the localizer's mask may be empty.
    with timed("localization"):
        location = localizer.locate(scan)
    slices, has_cord = location.slices, "cord" in predictor.outputs
    if not slices:
        return _nothing(image, has_cord, threshold, search_notes(scan, location, localizer, is_found=False))
    config, at_center = predictor.config, location.source == "image_center"
    runtime = predictor.runtime_name  # loads the network
    windows = config.windows(scan, None if at_center else location.centers_vx)
    log.debug("%d windows of %dx%d samples of %g mm", len(slices), *windows.size, config.spacing_mm)
    with timed("segmentation"):
        prediction = predictor.predict(scan, windows, slices, tta=tta)
    on_grid = partial(_on_grid, scan, windows, slices)
    gray = prediction[..., predictor.channel("gray_matter")]
    # Slices are judged by the network alone, whatever the threshold: a higher one must not show more.
    likely, contrasts = gray > config.outline_probability, None
    if has_cord and config.tissue_evidence_weight:
        with timed("tissue evidence"):
            tissues = gray, prediction[..., predictor.channel("cord")], windows.extract(scan.data, slices), config.spacing_mm
            gray, contrasts = with_tissue_evidence(*tissues, config.tissue_evidence_weight), tissue_contrasts(*tissues)
    gray = sharpen(gray, config.outline_probability, config.logit_scale)
    probability = on_grid(gray)
    mask = on_grid(gray > threshold) > 0.5 if config.binarize_first else probability > threshold
    if cord_rpi is not None:
        cord_mask = cord_rpi.data > 0.5
        probability = keep_inside(probability, cord_mask)
    elif has_cord:
        # Where the two channels differ at the contour, sure gray matter counts as cord.
        likely_cord = np.maximum(on_grid(prediction[..., predictor.channel("cord")]), probability) > CORD_THRESHOLD
        if not at_center:
            likely_cord = on_path(likely_cord, location.centers_vx, scan.spacing_mm)
        cord_mask = trim_partial_superior_slices(fill_holes(likely_cord))
        probability = remove_small_components(keep_inside(probability, cord_mask))
        if location.source != "mask" and (unreliable := unreliable_superior_slices(likely, contrasts)):
            log.info("the top %d slices of the cord show no reliable gray matter", unreliable)
            probability[:, :, slices.stop - unreliable : slices.stop] = 0
    else:
        cord_mask = None
    mask &= probability > 0
    with timed("confidence"):
        confidence = assess(
            "gray_matter",
            scan.data,
            on_grid(prediction[..., predictor.channel("gray_matter")]),
            mask,
            scan.spacing_mm,
            location.confidence,
            more=_fine_features(likely, slices, scan.shape[2], scan.spacing_mm[2]),
        )
    return GrayMatter(
        mask=from_rpi(mask.astype(np.uint8), image),
        cropped_probability=CroppedVolume(probability.astype(np.float32), (0, 0, 0), image),
        cord=None if cord_mask is None else from_rpi(cord_mask.astype(np.uint8), image),
        threshold=threshold,
        crop_box_vx=box_from_rpi(windows.native_box(slices), image),
        models=(predictor.name,),
        runtime=runtime,
        notes=search_notes(scan, location, localizer, is_found=True),
        confidence=confidence,
    )


def _fine_features(windows: np.ndarray, slices: range, n: int, distance_mm: float) -> dict[str, np.ndarray]:
    """Return how symmetric the gray matter of each of n slices is, and how like that of its neighbors."""
    step = max(1, int(SAMPLE_MM / distance_mm))
    picked, at = windows[::step], np.array(slices[::step])
    pairs = [overlap_when_aligned(one, other) for one, other in itertools.pairwise(picked)] or [1.0]
    alike = [np.mean(pairs[max(0, k - 1) : k + 1]) for k in range(len(picked))]
    symmetry = [mirror_symmetry(window) for window in picked]
    return {name: np.interp(np.arange(n), at, values) for name, values in (("symmetry", symmetry), ("overlap", alike))}


def _on_grid(scan: Volume, windows: SliceWindows, slices: range, channel: np.ndarray) -> np.ndarray:
    """Return a channel of predictions of `windows` on the grid of `scan`, float32; 0 outside the `slices`."""
    whole = np.zeros(scan.shape, np.float32)
    whole[:, :, slices] = np.clip(windows.restore(channel, slices), 0, 1)
    return whole


def _nothing(image: Volume, with_cord: bool, threshold: float, notes: tuple[str, ...]) -> GrayMatter:
    """Return what is found in an image without cord."""
    empty = image.with_data(np.zeros(image.shape, np.uint8))
    return GrayMatter(
        mask=empty,
        cropped_probability=CroppedVolume(np.zeros((0, 0, 0), np.float32), (0, 0, 0), image),
        cord=empty if with_cord else None,
        threshold=threshold,
        crop_box_vx=[],
        models=(),
        runtime="none",
        notes=notes,
    )
