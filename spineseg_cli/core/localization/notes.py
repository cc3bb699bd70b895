"""Notes on a search for the cord: why none was found, or why the result is doubtful."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from spineseg_cli.core.image.bounds import true_range
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.header_check import header_notes, other_orientation
from spineseg_cli.core.localization.localizer import Localizer, NetworkLocalizer
from spineseg_cli.core.localization.location import CordLocation, ShownAs
from spineseg_cli.core.localization.search import intensity_of_air
from spineseg_cli.core.ranges import listed_ranges

# Cords are missed in axial slices with a shorter side, such as those of a single sagittal slab.
MIN_SIDE_MM = 12.0

# Axial slices of which both sides are shorter show less than a neck.
MIN_NECK_MM = 40.0

# No body is both wider and deeper than this.
MAX_SIDE_MM = 500.0

# Slices outside the result that are likely cord when judged alone are reported if they add up to at least this length.
DOUBTFUL_MM = 10.0

REMEDY = "give its centerline"

# Notes on a scan that was shown to the networks in another way: see `localizer.OTHER_WAYS`.
SEGMENTED_AS = {
    ShownAs(voxel_factor=2.0): "by its header, the cord is so small that voxels were taken to be twice as large: check the "
    "header's voxel size, unless this is an infant or an animal",
    ShownAs(
        voxel_factor=0.5
    ): "by its header, the cord is so large that voxels were taken to be half as large: check the header's voxel size",
    ShownAs(is_averaged=True): "the cord is hard to see in single slices: each was averaged with its neighbors, so that the mask "
    "hardly shows what changes from slice to slice",
}


def search_notes(
    scan: Volume,
    location: CordLocation,
    localizer: Localizer,
    *,
    is_found: bool,
    remedy: str = REMEDY,
    axes: tuple[int, ...] = (2,),
    below: int = 0,
) -> tuple[str, ...]:
    """Return notes for the user on a search for the cord; none if the localizer did not search.

    Parameters
    ----------
    scan : Volume
        The scan, in RPI.
    location : CordLocation
        What the localizer returned for the scan.
    localizer : Localizer
        The method that found the cord.
    is_found : bool
        Whether there is a result; if not, the note explains why: see `explain_absence`.
    remedy : str
        Advice for users whose scan holds a cord after all.
    axes : tuple of int
        The axes along which a doubtful cord may run: see `header_check.header_notes`.
    below : int
        The number of the image's slices below the scan; slices are counted from the lowest one of the image.
    """
    if not isinstance(localizer, NetworkLocalizer):
        return ()
    locate = replace(localizer, brain=None).locate_by_header
    if not is_found:
        return (explain_absence(scan, location, locate, remedy, below),)
    if location.shown_as in SEGMENTED_AS:
        return (SEGMENTED_AS[location.shown_as],)
    if size := _too_large(scan):
        return (size,)
    notes = header_notes(scan, location, locate, axes)
    beyond = _beyond_ends(location)
    length_mm = len(beyond) * scan.spacing_mm[2]
    if localizer.brain is None and length_mm >= DOUBTFUL_MM:
        numbers = listed_ranges((below + beyond).tolist())
        notes += (
            f"the axial slices {numbers} from below ({length_mm:.3g} mm), above or below the cord that was found, look like cord "
            "by themselves: look at them",
        )
    return notes


def _too_large(scan: Volume) -> str:
    """Return a note if the axial slices are larger than a body, and what they show is, too; else ""."""
    x_mm, y_mm = _sides_mm(scan)
    if min(x_mm, y_mm) <= MAX_SIDE_MM or min(_sides_of_tissue_mm(scan)) <= MAX_SIDE_MM:
        return ""
    return (
        f"axial slices of {x_mm:.0f} x {y_mm:.0f} mm are larger than a body: check the header's voxel size, and that the image "
        "is no mosaic of slices"
    )


def _sides_mm(scan: Volume) -> tuple[float, float]:
    """Return the sides of the axial slices along x and y."""
    return scan.shape[0] * scan.spacing_mm[0], scan.shape[1] * scan.spacing_mm[1]


def _sides_of_tissue_mm(scan: Volume) -> tuple[float, float]:
    """Return the sides along x and y of what is brighter than air in any axial slice: scans may be padded by air."""
    air, _ = intensity_of_air(scan)
    tissue = np.zeros(scan.shape[:2], bool)
    for k, threshold in enumerate(air):
        tissue |= np.abs(scan.data[:, :, k]) > threshold
    x, y = (true_range(tissue.any(axis=axis)) for axis in (1, 0))
    return (x.stop - x.start) * scan.spacing_mm[0], (y.stop - y.start) * scan.spacing_mm[1]


def _beyond_ends(location: CordLocation) -> np.ndarray:
    """Return the slices below or above the located cord that are likely cord, each judged alone."""
    likely = np.flatnonzero(location.confidence > 0.5)
    return likely[(likely < location.slices.start) | (likely >= location.slices.stop)]


def explain_absence(
    scan: Volume, location: CordLocation, locate: Callable[[Volume], CordLocation], remedy: str = REMEDY, below: int = 0
) -> str:
    """Return a note that explains why no cord was found in an RPI scan.

    `location` gave no mask. `locate` locates the cord; it is called with the scan in other orientations. `remedy` is
    advice for users whose scan holds a cord after all; `below` is the number of the image's slices below the scan.
    """
    n, distance_mm = scan.shape[2], scan.spacing_mm[2]
    slices = "1 axial slice was" if n == 1 else f"{n} axial slices over {n * distance_mm:.0f} mm were"
    best = int(np.argmax(location.confidence))
    if scan.data.min() == scan.data.max() or not location.confidence.any():
        return f"{slices} looked at, without signal"
    summary = (
        f"{slices} looked at; the likeliest, slice {below + best} from below, is cord with a "
        f"probability of {location.confidence[best]:.2f}"
    )
    if location.present.any():
        return f"{summary}. What is there is too small for a cord, or without an outline; {remedy} if it is one"
    if size := _too_large(scan):
        return f"{summary}. Note that {size}"
    if phrase := other_orientation(scan, locate):
        return f"{summary}. The image looks like a scan of a cord {phrase}: correct the header's orientation"
    sides_mm = _sides_mm(scan)
    if min(sides_mm) < MIN_SIDE_MM:
        return f"{summary}. Axial slices of {sides_mm[0]:.3g} x {sides_mm[1]:.3g} mm hardly hold a cord"
    if max(sides_mm) < MIN_NECK_MM:
        sizes = f"{sides_mm[0]:.3g} x {sides_mm[1]:.3g} mm"
        return f"{summary}. Axial slices of {sizes} are smaller than a neck: check the header's voxel size, or {remedy}"
    if (likely_mm := (location.confidence > 0.5).sum() * distance_mm) >= DOUBTFUL_MM:
        return f"{summary}. Slices over {likely_mm:.3g} mm look like cord by themselves, but not along it; if it is one, {remedy}"
    return f"{summary}. Scans of the brain, and of the canal below the conus, have no cord; if one is there, {remedy}"
