"""What to report when no cord was found: what was looked at, and the likeliest reason."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.location import CordLocation

# In axial slices of less than this side, as of one sagittal slab, cords are missed.
MIN_SIDE_MM = 12.0

# A cord as long as this along another axis shows that the header names the axes wrongly.
MIN_LENGTH_MM = 40.0

AXES = ("right-left", "back-front", "foot-head")


def explain_absence(scan: Volume, location: CordLocation, locate: Callable[[Volume], CordLocation]) -> str:
    """Return a sentence on why no cord was found in an RPI scan.

    Parameters
    ----------
    scan : Volume
        The scan, in RPI.
    location : CordLocation
        The location that gave no mask.
    locate : callable
        Finds the cord in a volume; it is called again with the other axes of the scan as the cord's.
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
        return f"{looked}. What is there is too small for a cord, or without an outline; give its centerline if it is one"
    sides_mm = [count * spacing for count, spacing in zip(scan.shape[:2], scan.spacing_mm[:2], strict=True)]
    if min(sides_mm) < MIN_SIDE_MM:
        return f"{looked}. Axial slices of {sides_mm[0]:.3g} x {sides_mm[1]:.3g} mm hardly hold a cord"
    for axis in (0, 1):
        if locate(_turned(scan, axis)).present.sum() * scan.spacing_mm[axis] >= MIN_LENGTH_MM:
            return (
                f"{looked}. The image looks like a scan of a cord that runs along what the header calls the {AXES[axis]} axis: "
                "correct the header's orientation"
            )
    return f"{looked}. Scans of the brain, and of the canal below the conus, have no cord; if one is there, give its centerline"


def _turned(scan: Volume, axis: int) -> Volume:
    """Return the scan with one of its in-plane axes and the axis of its slices exchanged."""
    spacing_mm = list(scan.spacing_mm)
    spacing_mm[axis], spacing_mm[2] = spacing_mm[2], spacing_mm[axis]
    return Volume(np.swapaxes(scan.data, axis, 2), np.diag([-spacing_mm[0], *spacing_mm[1:], 1.0]))
