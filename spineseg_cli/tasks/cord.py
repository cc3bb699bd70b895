"""The cord's mask, in a scan of any contrast, whole or in part."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from spineseg_cli.core.confidence.assessment import Confidence, MaskPart, assess
from spineseg_cli.core.image.cropped import Box, CroppedVolume
from spineseg_cli.core.image.intensity import prepared
from spineseg_cli.core.image.signal_part import SignalPart
from spineseg_cli.core.image.thin_slices import averaged_thin_slices
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.probabilities import OUTLINE
from spineseg_cli.core.inference.segmentation import Segmentation, checked_threshold
from spineseg_cli.core.localization.extent import runs_of
from spineseg_cli.core.localization.localizer import Localizer
from spineseg_cli.core.localization.location import CordLocation
from spineseg_cli.core.localization.notes import REMEDY, search_notes
from spineseg_cli.core.one_thread import one_blas_thread
from spineseg_cli.core.outlines.cord import CordOutliner, Outlined
from spineseg_cli.core.ranges import listed_ranges
from spineseg_cli.core.timing import timed

# If no slice of a mask reaches this area, the mask is not a cord, but nerve roots or noise.
MIN_AREA_MM2 = 12.0


@one_blas_thread()
def segment_cord(
    image: Volume, predictor: Predictor, localizer: Localizer, *, threshold: float | None = None, remedy: str = REMEDY
) -> Segmentation:
    """Segment the cord in every axial slice that has one.

    Parameters
    ----------
    image : Volume
        The scan, shape (nx, ny, nz), stored in any orientation.
    predictor : Predictor
        A 2-D or 3-D network with the output "cord".
    localizer : Localizer
        The method that finds the cord; the `predictor` is applied along its path.
    threshold : float, optional
        The fraction of a voxel inside the outline above which it is cord; by default 0.5, or, where voxels are large in the
        axial plane, the value for which each slice's mask has the area of its outline.
    remedy : str
        Advice in the note for users whose cord was not found.

    Returns
    -------
    Segmentation
        The cord; empty if none was found.

    Raises
    ------
    GridMismatchError
        If the localizer's mask is on another grid.
    InputError
        If the localizer's mask is empty, or `threshold` is not in [0, 1).
    """
    used_threshold = checked_threshold(threshold, OUTLINE)
    part, stored = SignalPart.of(image), prepared(image)
    localizer = replace(localizer, cord=predictor).within(part)
    location = localizer.locate(stored)
    scan = location.shown_as.of(stored)
    outliner = CordOutliner(averaged_thin_slices(scan), location, predictor)
    with timed("outline"):
        cord = outliner.outline(threshold)
    if cord.counts.max(initial=0) * np.prod(scan.spacing_mm[:2]) < MIN_AREA_MM2:
        cord = replace(cord, mask=[], probability=[], counts=np.zeros_like(cord.counts))
    box, is_found = outliner.box, bool(cord.counts.any())
    with timed("confidence"):
        confidence = _confidence(scan, location, box, cord).by_header(location.shown_as.voxel_factor)
        confidence = confidence.between_ends(part.below, part.above)
    notes = _gaps(cord.counts > 0, stored.spacing_mm[2], part.below + box[2].start)
    # The search notes locate the cord again in widely spaced slices, but a 3-D network needs all slices between them.
    if not (is_found and predictor.config.depth):
        notes += search_notes(stored, location, localizer, is_found=is_found, remedy=remedy, below=part.below)
    is_predicted = len(outliner.predicted_slices) > 0
    return Segmentation(
        cropped_mask=part.on_image(cord.mask, np.uint8),
        cropped_probability=part.on_image(cord.probability, np.float32),
        threshold=used_threshold,
        crop_box_vx=part.box_on_image(outliner.windows.native_box(outliner.predicted_slices)) if is_predicted else [],
        model=predictor.name,
        sha256=predictor.sha256,
        runtime=predictor.runtime_name if is_predicted else "none",
        notes=notes,
        confidence=confidence,
    )


def _confidence(scan: Volume, location: CordLocation, box: Box, cord: Outlined) -> Confidence:
    """Return the confidence in the mask of each slice."""
    mask, (x, y, z) = CroppedVolume(cord.mask, scan, bool), box

    def planes(k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = z.start + k
        here = (x, y, slice(at, at + 1))
        return scan.data[x, y, at], cord.network.within(here)[..., 0], mask.within(here)[..., 0]

    part = MaskPart(planes, cord.counts, z.start, location.centers_vx[z] - [x.start, y.start])
    of_outline = {name: cord.of_sections(name) for name in ("trust", "moved_mm")}
    return assess("cord", part, scan.spacing_mm, location.confidence, of_outline)


def _gaps(filled: np.ndarray, distance_mm: float, first: int) -> tuple[str, ...]:
    """Return a note on the gaps in the cord, if there are any.

    `filled`, bool, tells which slices hold cord; `first` is the index of its first slice, `distance_mm` the slice distance.
    """
    gaps = [range(below.stop, above.start) for below, above in itertools.pairwise(runs_of(filled))]
    if not gaps:
        return ()
    missing = [first + k for gap in gaps for k in gap]
    slices = "slice" if len(missing) == 1 else "slices"
    extent = f"{len(missing) * distance_mm:.3g} mm"
    if len(gaps) > 1:
        extent += f" in {len(gaps)} gaps"
    return (
        f"no cord can be seen in the axial {slices} {listed_ranges(missing)} from below ({extent}), between others that have it",
    )
