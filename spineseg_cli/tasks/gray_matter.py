"""Segmentation of the gray matter in an axial scan."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from spineseg_cli.core.confidence.assessment import Confidence, MaskPart, assess
from spineseg_cli.core.confidence.features import SAMPLE_MM
from spineseg_cli.core.image.bounds import true_range
from spineseg_cli.core.image.cropped import Block, CroppedVolume
from spineseg_cli.core.image.intensity import prepared
from spineseg_cli.core.image.mask_check import mask_on_grid
from spineseg_cli.core.image.packed import PackedMasks
from spineseg_cli.core.image.signal_part import SignalPart
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.probabilities import OUTLINE
from spineseg_cli.core.inference.segmentation import Segmentation, checked_threshold
from spineseg_cli.core.localization.localizer import Localizer
from spineseg_cli.core.localization.notes import search_notes
from spineseg_cli.core.localization.view import centered_in_view
from spineseg_cli.core.one_thread import one_blas_thread
from spineseg_cli.core.outlines.certainty import averaged_weight, is_visible
from spineseg_cli.core.outlines.gray_matter import GrayMatterReader, GrayMatterSlices
from spineseg_cli.core.outlines.gray_matter_network import LONG_SCAN, GrayMatterNetwork
from spineseg_cli.core.outlines.postprocessing import whole_slices
from spineseg_cli.core.outlines.symmetry import mirror_symmetry, overlap_when_aligned, unreliable_superior_slices
from spineseg_cli.core.timing import timed

log = logging.getLogger(__name__)

# In a long scan, the network's certainty is that in about so many slices, evenly spaced.
SAMPLED_SLICES = 20

# A note says that slices were averaged with their neighbors if these have at least this weight.
NOTED_WEIGHT = 0.5

AVERAGED_NOTE = (
    "the gray matter is hard to see in single slices: each was averaged with its neighbors, so that the mask hardly shows what "
    "changes from slice to slice"
)
INVISIBLE_NOTE = (
    "the image shows hardly any contrast between gray and white matter: the mask says where gray matter usually is, not where it "
    "is seen"
)


@dataclass(frozen=True, kw_only=True)
class GrayMatter(Segmentation):
    """The gray matter of a scan; its mask and its probability are 0 outside the cord."""

    cropped_cord: CroppedVolume | None  # the mask that was given, or else the network's own, uint8; None if there is neither

    @cached_property
    def cord(self) -> Volume | None:
        """The cord mask on the grid of the image, uint8; None if there is none."""
        return None if self.cropped_cord is None else self.cropped_cord.whole()

    @property
    def white_matter(self) -> Volume | None:
        """Cord without gray matter, uint8; None without a cord mask."""
        white = self.cropped_white_matter
        return None if white is None else white.whole()

    @property
    def cropped_white_matter(self) -> CroppedVolume | None:
        """Cord without gray matter, uint8; None without a cord mask."""
        if self.cropped_cord is None:
            return None
        blocks = [
            Block(block.data & (1 - self.cropped_mask.within(block.box)), block.corner) for block in self.cropped_cord.blocks
        ]
        return replace(self.cropped_cord, blocks=blocks)


@one_blas_thread()
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

    Unless a mask gives the cord's extent, the gray matter ends superiorly where it stops being symmetric and similar to that of
    the slice below.

    Parameters
    ----------
    image : Volume
        The scan, shape (nx, ny, nz), stored in any orientation.
    predictor : Predictor
        A 2-D network with the output "gray_matter".
    localizer : Localizer
        The method that finds the cord: the network's windows follow it, and slices below or above it are left empty. An
        `ImageCenterLocalizer` puts the windows at the center of each slice.
    cord : Volume, optional
        A mask of the cord on the grid of `image`; gray matter outside it is removed.
    threshold : float, optional
        The probability above which a voxel is gray matter; by default that of the weights.
    tta : bool
        Whether to average over augmented copies of the scan (test-time augmentation).

    Returns
    -------
    GrayMatter
        The gray matter; empty if no cord was found.

    Raises
    ------
    GridMismatchError
        If the localizer's mask, or `cord`, is on another grid.
    InputError
        If the localizer's mask is empty, or `threshold` is not in [0, 1).
    """
    threshold = checked_threshold(threshold, predictor.config.threshold)
    part, scan = SignalPart.of(image), prepared(image)
    cord_rpi = None if cord is None else mask_on_grid(cord, part.whole, "the cord mask")
    given = None if cord_rpi is None else CroppedVolume([_filled((cord_rpi.data > OUTLINE).astype(np.uint8))], image, np.uint8)
    # Located before the network is loaded, so that an empty mask raises its error at once.
    with timed("localization"):
        location = localizer.within(part).locate(scan)
        if location.source == "network":  # the search is up to a millimeter off, and the window should be as in training
            location = centered_in_view(location)
    slices, has_cord = location.slices, "cord" in predictor.outputs
    if not slices:
        return _nothing(
            image, predictor, threshold, given, search_notes(scan, location, localizer, is_found=False, below=part.below)
        )
    runtime = predictor.runtime_name  # loads the network
    network = GrayMatterNetwork(location.shown_as.of(scan), location, predictor, tta)
    log.debug("%d windows of %dx%d samples of %g mm", len(slices), *network.windows.size, predictor.config.spacing_mm)
    with timed("segmentation"):
        network, notes = _against_noise(network)
        reader = GrayMatterReader(network, None if cord_rpi is None else part.cut(cord_rpi))
        gray = reader.read(threshold)
    if cord_rpi is None and has_cord:
        gray.end_cord(whole_slices(np.array(gray.cord_counts)))
        # Slices are judged by the network's probabilities, not by the mask: a higher threshold must not keep more slices.
        contrasts = np.array(gray.contrasts) if gray.contrasts else None
        if location.source != "mask" and (unreliable := unreliable_superior_slices(gray.likely, contrasts)):
            log.info("the top %d slices of the cord show no reliable gray matter", unreliable)
            gray.end_gray_matter(len(slices) - unreliable)
    with timed("confidence"):
        confidence = _confidence(reader, gray).by_header(location.shown_as.voxel_factor).between_ends(part.below, part.above)
    return GrayMatter(
        cropped_mask=part.on_image(gray.mask, np.uint8),
        cropped_probability=part.on_image(gray.probability, np.float32),
        cropped_cord=part.on_image(gray.cord, np.uint8) if given is None and has_cord else given,
        threshold=threshold,
        crop_box_vx=part.box_on_image(network.windows.native_box(slices)),
        model=predictor.name,
        sha256=predictor.sha256,
        runtime=runtime,
        notes=search_notes(scan, location, localizer, is_found=True, below=part.below) + notes,
        confidence=confidence,
    )


def _against_noise(network: GrayMatterNetwork) -> tuple[GrayMatterNetwork, tuple[str, ...]]:
    """Return the network such that noise hides the gray matter least, and a note for the user if there is one.

    The less sure it is of single slices, the more what it sees in each averaged with its neighbors counts, provided that gray
    matter can be seen then. Published networks see each slice as their authors applied them.
    """
    predictor, slices = network.predictor, np.array(network.location.slices)
    if predictor.published or predictor.config.needs_all_slices:
        return network, ()
    if len(slices) >= LONG_SCAN:
        step = len(slices) // SAMPLED_SLICES
        slices = slices[step // 2 :: step]
    weight = averaged_weight(network.probability(slices), predictor.config.outline_probability)
    if weight == 0:
        return network, ()
    tissues = [one.tissues for one in replace(network, averaged_weight=1.0).predict(slices)]
    if not is_visible([one.contrast for one in tissues if one is not None]):
        return network, (INVISIBLE_NOTE,)
    return replace(network, averaged_weight=weight), (AVERAGED_NOTE,) if weight >= NOTED_WEIGHT else ()


def _filled(mask: np.ndarray) -> Block:
    """Return the block of a mask that holds all of its voxels above 0."""
    slices = true_range(mask.any(axis=(0, 1)))
    return Block(mask[:, :, slices], (0, 0, slices.start)).around(mask[:, :, slices] > 0)


def _confidence(reader: GrayMatterReader, gray: GrayMatterSlices) -> Confidence:
    """Return the confidence in the gray matter of each slice."""
    scan, location = reader.network.scan, reader.network.location
    first = location.slices.start
    mask = CroppedVolume(gray.mask, scan, bool)

    def planes(k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        here = slice(0, scan.shape[0]), slice(0, scan.shape[1]), slice(first + k, first + k + 1)
        network = gray.network.get(first + k) or reader.network_probability(first + k)
        return scan.data[:, :, first + k], network.within(here)[..., 0], mask.within(here)[..., 0]

    part = MaskPart(planes, np.array(gray.counts), first)
    return assess("gray_matter", part, scan.spacing_mm, location.confidence, _fine_features(gray.likely, scan.spacing_mm[2]))


def _fine_features(likely: PackedMasks, distance_mm: float) -> dict[str, np.ndarray]:
    """Return the mirror symmetry of each slice's gray matter, and its overlap with that of the neighboring slices.

    Both are computed in slices `SAMPLE_MM` apart and interpolated between them.
    """
    sampled = range(0, len(likely), max(1, int(SAMPLE_MM / distance_mm)))
    masks = [likely[k] for k in sampled]
    pairs = [overlap_when_aligned(one, other) for one, other in itertools.pairwise(masks)] or [1.0]
    features = {
        "symmetry": [likely.cached(mirror_symmetry, k) for k in sampled],
        "overlap": [float(np.mean(pairs[max(0, k - 1) : k + 1])) for k in range(len(masks))],
    }
    return {name: np.interp(np.arange(len(likely)), sampled, values) for name, values in features.items()}


def _nothing(
    image: Volume, predictor: Predictor, threshold: float, cord: CroppedVolume | None, notes: tuple[str, ...]
) -> GrayMatter:
    """Return the empty result for an image without cord, with the `cord` mask that was given."""
    empty = CroppedVolume([], image, np.uint8)
    return GrayMatter(
        cropped_mask=empty,
        cropped_probability=CroppedVolume([], image, np.float32),
        cropped_cord=empty if cord is None and "cord" in predictor.outputs else cord,
        threshold=threshold,
        crop_box_vx=[],
        model=predictor.name,
        sha256=predictor.sha256,
        runtime="none",
        notes=notes,
    )
