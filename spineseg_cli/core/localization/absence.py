"""What to report when no cord was found: what was looked at, and the likeliest reason."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.header_check import other_orientation
from spineseg_cli.core.localization.location import CordLocation

# In axial slices of less than this side, as of one sagittal slab, cords are missed.
MIN_SIDE_MM = 12.0


def explain_absence(
    scan: Volume, location: CordLocation, locate: Callable[[Volume], CordLocation], remedy: str = "give its centerline"
) -> str:
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
    if not scan.data.any() or np.ptp(scan.data) == 0 or not location.confidence.any():
        return f"{n} axial slices over {n * distance_mm:.0f} mm were looked at; they hold no signal"
    if location.present.any():
        return f"{looked}. What is there is too small for a cord, or without an outline; {remedy} if it is one"
    sides_mm = [count * spacing for count, spacing in zip(scan.shape[:2], scan.spacing_mm[:2], strict=True)]
    if min(sides_mm) < MIN_SIDE_MM:
        return f"{looked}. Axial slices of {sides_mm[0]:.3g} x {sides_mm[1]:.3g} mm hardly hold a cord"
    if phrase := other_orientation(scan, locate):
        return f"{looked}. The image looks like a scan of a cord {phrase}: correct the header's orientation"
    return f"{looked}. Scans of the brain, and of the canal below the conus, have no cord; if one is there, {remedy}"
