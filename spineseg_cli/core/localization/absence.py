"""What to report of a search for the cord: why none was found, or that the one found is doubtful because of the header."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from spineseg_cli.core.confidence.wording import listed_ranges
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.header_check import header_notes, other_orientation, other_size
from spineseg_cli.core.localization.localizer import Localizer, NetworkLocalizer
from spineseg_cli.core.localization.location import CordLocation

# In axial slices of less than this side, as of one sagittal slab, cords are missed.
MIN_SIDE_MM = 12.0

# No body is so wide and so deep.
MAX_SIDE_MM = 500.0

# Slices that each by itself is cord rather than not, without being part of the result, are named from so many millimeters on.
DOUBTFUL_MM = 10.0

REMEDY = "give its centerline"


def search_notes(
    scan: Volume,
    location: CordLocation,
    localizer: Localizer,
    *,
    is_found: bool,
    remedy: str = REMEDY,
    axes: tuple[int, ...] = (2,),
) -> tuple[str, ...]:
    """Return what users should know of a search for the cord; nothing where the cord was not searched for.

    Parameters
    ----------
    scan : Volume
        The scan, in RPI.
    location : CordLocation
        What `localizer` said of it.
    localizer : Localizer
        What located the cord.
    is_found : bool
        Whether there is a result; if not, the note says why: see `explain_absence`, also for `remedy`.
    axes : tuple of int
        The axes along which a cord in doubt may run: see `header_check.header_notes`.
    """
    if not isinstance(localizer, NetworkLocalizer):
        return ()
    locate = replace(localizer, brain=None).locate
    if not is_found:
        return (explain_absence(scan, location, locate, remedy),)
    if size := _too_large(scan):
        return (size,)
    doubtful = _beyond_ends(location) if localizer.brain is None else np.zeros(0, int)
    length_mm = len(doubtful) * scan.spacing_mm[2]
    left_out = (
        f"the axial slices {listed_ranges(doubtful.tolist())} from below ({length_mm:.3g} mm), above or below the cord that was "
        "found, look like cord by themselves: look at them",
    )
    return header_notes(scan, location, locate, axes) + (left_out if length_mm >= DOUBTFUL_MM else ())


def _too_large(scan: Volume) -> str:
    """Return a sentence if axial slices are larger than a body; else ""."""
    x_mm, y_mm = (count * spacing for count, spacing in zip(scan.shape[:2], scan.spacing_mm[:2], strict=True))
    if min(x_mm, y_mm) <= MAX_SIDE_MM:
        return ""
    return (
        f"axial slices of {x_mm:.0f} x {y_mm:.0f} mm are larger than a body: check the header's voxel size, and that the image "
        "is no mosaic of slices"
    )


def _beyond_ends(location: CordLocation) -> np.ndarray:
    """Return the slices below or above all cord that are cord rather than not, each judged by itself."""
    likely = np.flatnonzero(location.confidence > 0.5)
    return likely[(likely < location.slices.start) | (likely >= location.slices.stop)]


def explain_absence(scan: Volume, location: CordLocation, locate: Callable[[Volume], CordLocation], remedy: str = REMEDY) -> str:
    """Return a sentence on why no cord was found in an RPI scan.

    Parameters
    ----------
    scan : Volume
        The scan, in RPI.
    location : CordLocation
        The location that gave no mask.
    locate : callable
        Finds the cord in a volume; it is called again with the scan turned otherwise.
    remedy : str
        What to do if there is a cord after all.
    """
    n, distance_mm = scan.shape[2], scan.spacing_mm[2]
    best = int(np.argmax(location.confidence))
    looked = (
        f"{n} axial slices over {n * distance_mm:.0f} mm were looked at; the likeliest, slice {best} from below, is cord with a "
        f"probability of {location.confidence[best]:.2f}"
    )
    if scan.data.min() == scan.data.max() or not location.confidence.any():
        return f"{n} axial slices over {n * distance_mm:.0f} mm were looked at; they hold no signal"
    if location.present.any():
        return f"{looked}. What is there is too small for a cord, or without an outline; {remedy} if it is one"
    if size := _too_large(scan):
        return f"{looked}. Note that {size}"
    if phrase := other_orientation(scan, locate):
        return f"{looked}. The image looks like a scan of a cord {phrase}: correct the header's orientation"
    if phrase := other_size(scan, locate):
        return f"{looked}. The image looks like a scan of a cord {phrase}: check the header's voxel size"
    sides_mm = [count * spacing for count, spacing in zip(scan.shape[:2], scan.spacing_mm[:2], strict=True)]
    if min(sides_mm) < MIN_SIDE_MM:
        return f"{looked}. Axial slices of {sides_mm[0]:.3g} x {sides_mm[1]:.3g} mm hardly hold a cord"
    if (likely_mm := (location.confidence > 0.5).sum() * distance_mm) >= DOUBTFUL_MM:
        return f"{looked}. Slices over {likely_mm:.3g} mm look like cord by themselves, but not along it; if it is one, {remedy}"
    return f"{looked}. Scans of the brain, and of the canal below the conus, have no cord; if one is there, {remedy}"
