"""Checks for a wrong orientation in a header.

The networks have learned how cords lie in a body: if they see more cord in the scan after another orientation is assumed, and are
sure of it then, the header is probably wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.location import CordLocation

# Largest number of slices that are tried, and least distance between them.
MOST_SLICES = 12
LEAST_DISTANCE_MM = 4.0

# Another orientation is reported if the networks are sure of the cord in it, the length of cord expected in it is larger by the
# factor TURNED_GAIN, and that is at least the fraction MOSTLY of its slices, or LONG_MM. On scans of seven subjects, the right
# one had 1.27 to 5 times that of the next. In scans of other parts of the body, the networks see much that is like cord from a
# side, but are not sure of it.
TURNED_GAIN = 1.2
MOSTLY = 0.8
LONG_MM = 40.0

AXES = ("right-left", "back-front", "foot-head")


def other_orientation(scan: Volume, locate: Callable[[Volume], CordLocation], axes: tuple[int, ...] = (2, 0, 1)) -> str:
    """Return a phrase on the orientation in which an RPI scan looks more like one of a cord; "" if there is none.

    Mirrored images are not tried: cords are symmetric from right to left, and slices are judged one by one.

    `locate` locates the cord in a volume; `axes` are those of the scan along which the cord may run.
    """
    stored = _thinned(scan, 2, 0)
    best_mm, best = TURNED_GAIN * _expected_mm(locate(stored), stored), ""
    if best_mm >= max(scan.shape[axis] * scan.spacing_mm[axis] for axis in axes):  # no orientation can hold more
        return best
    for axis, quarters, phrase in _orientations(axes):
        turned = _thinned(scan, axis, quarters)
        location = locate(turned)
        length_mm, is_mostly_cord = _expected_mm(location, turned), location.confidence.mean() >= MOSTLY
        if location.is_sure and length_mm > best_mm and (is_mostly_cord or length_mm >= LONG_MM):
            best_mm, best = length_mm, phrase
            if is_mostly_cord:
                break
    return best


def header_notes(
    scan: Volume, location: CordLocation, locate: Callable[[Volume], CordLocation], axes: tuple[int, ...] = (2,)
) -> tuple[str, ...]:
    """Return a note if the networks are unsure of the cord and the scan looks more like one in another orientation.

    `location` is that of the cord in the RPI `scan`. `locate` and `axes` are the parameters of `other_orientation`; by
    default, only rotations within the axial plane are tried.
    """
    phrase = "" if location.is_sure else other_orientation(scan, locate, axes)
    return (f"the image looks more like a scan of a cord {phrase}: check the header's orientation",) if phrase else ()


def _orientations(axes: tuple[int, ...]) -> Iterator[tuple[int, int, str]]:
    """Yield the other orientations: the axis of the cord, the quarter turns across it, and a phrase that describes both."""
    for axis in axes:
        along = "" if axis == 2 else f"that runs along what the header calls the {AXES[axis]} axis"
        for quarters in (2, 1, 3) if axis == 2 else range(4):
            turned = ("", "with its axial slices turned by 90 degrees", "with front and back exchanged")[
                min(quarters, 4 - quarters)
            ]
            yield axis, quarters, along or turned


def _thinned(scan: Volume, axis: int, quarters: int) -> Volume:
    """Return a few slices across an axis of an RPI scan, rotated by quarter turns, as if they were axial."""
    n, spacing_mm = scan.shape[axis], list(scan.spacing_mm)
    spacing_mm[axis], spacing_mm[2] = spacing_mm[2], spacing_mm[axis]
    step = max(1, round(LEAST_DISTANCE_MM / spacing_mm[2]), -(-n // MOST_SLICES))
    picked = [slice(None)] * 3
    picked[axis] = slice(min(step, n) // 2, None, step)
    data = np.rot90(np.swapaxes(scan.data[tuple(picked)], axis, 2), quarters)
    spacing_mm[2] *= step
    if quarters % 2:
        spacing_mm[:2] = spacing_mm[1::-1]
    return Volume(np.ascontiguousarray(data), np.diag([-spacing_mm[0], *spacing_mm[1:], 1.0]))


def _expected_mm(location: CordLocation, scan: Volume) -> float:
    """Return the expected length of cord at its location in a scan, mm."""
    return float(location.confidence.sum()) * scan.spacing_mm[2]
