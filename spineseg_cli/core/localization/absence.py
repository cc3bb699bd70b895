"""What to report of a search for the cord: why none was found, or that the one found is doubtful because of the header."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.header_check import header_notes, other_orientation
from spineseg_cli.core.localization.localizer import Localizer, NetworkLocalizer
from spineseg_cli.core.localization.location import CordLocation

# In axial slices of less than this side, as of one sagittal slab, cords are missed.
MIN_SIDE_MM = 12.0

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
    return header_notes(scan, location, locate, axes) if is_found else (explain_absence(scan, location, locate, remedy),)


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
    if phrase := other_orientation(scan, locate):
        return f"{looked}. The image looks like a scan of a cord {phrase}: correct the header's orientation"
    sides_mm = [count * spacing for count, spacing in zip(scan.shape[:2], scan.spacing_mm[:2], strict=True)]
    if min(sides_mm) < MIN_SIDE_MM:
        return f"{looked}. Axial slices of {sides_mm[0]:.3g} x {sides_mm[1]:.3g} mm hardly hold a cord"
    return f"{looked}. Scans of the brain, and of the canal below the conus, have no cord; if one is there, {remedy}"
