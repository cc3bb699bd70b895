"""Whether a header turns its image, or names wrong voxel sizes: the networks see more of a cord in another orientation or size.

They know how cords lie in a body, and how large they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.location import CordLocation

# Other orientations are looked at where the median confidence of the slices with cord is less. On 25 development scans it is
# above 0.92, and with front and back exchanged less in 10 of 15; the header is named in all of those.
SURE = 0.9

# So many slices are looked at, and none closer to each other than this.
MOST_SLICES = 12
LEAST_DISTANCE_MM = 4.0

# Another orientation is named where the networks expect so many times the length of cord in it, and there is cord in most of
# its slices, or so much of it. On scans of seven subjects, the right one had 1.27 to 5 times that of the next.
GAIN = 1.2
MOSTLY = 0.8
LONG_MM = 40.0

AXES = ("right-left", "back-front", "foot-head")


def other_orientation(scan: Volume, locate: Callable[[Volume], CordLocation], axes: tuple[int, ...] = (2, 0, 1)) -> str:
    """Return how an RPI scan would look more like one of a cord, as a phrase; "" if it would not.

    Mirrored images are not tried: cords are symmetric from right to left, and slices are looked at one by one.

    Parameters
    ----------
    scan : Volume
        The scan, in RPI.
    locate : callable
        Finds the cord in a volume.
    axes : tuple of int
        The axes of the scan along which the cord may run.
    """
    stored_mm, _ = _expected_mm(_thinned(scan, 2, 0), locate)
    best_mm, best = GAIN * stored_mm, ""
    if best_mm >= max(scan.shape[axis] * scan.spacing_mm[axis] for axis in axes):  # more than there can be
        return best
    for axis, quarters, phrase in _orientations(axes):
        length_mm, fraction = _expected_mm(_thinned(scan, axis, quarters), locate)
        if length_mm > best_mm and (fraction >= MOSTLY or length_mm >= LONG_MM):
            best_mm, best = length_mm, phrase
            if fraction >= MOSTLY:
                break
    return best


def other_size(scan: Volume, locate: Callable[[Volume], CordLocation]) -> str:
    """Return how an RPI scan would look more like one of a cord if the header named other voxel sizes, as a phrase; "" if not.

    Voxels of half and of twice the size are tried: headers that have lost their sizes say 1 mm. For the parameters, see
    `other_orientation`.
    """
    best, best_phrase = GAIN * _expected_mm(_thinned(scan, 2, 0), locate)[1], ""
    for factor, phrase in ((0.5, "half as large"), (2.0, "twice as large")):
        sized = Volume(scan.data, scan.affine @ np.diag([factor, factor, factor, 1.0]))
        fraction = _expected_mm(_thinned(sized, 2, 0), locate)[1]
        if fraction > max(best, MOSTLY):
            best, best_phrase = fraction, f"whose voxels are {phrase}"
    return best_phrase


def header_notes(
    scan: Volume, location: CordLocation, locate: Callable[[Volume], CordLocation], axes: tuple[int, ...] = (2,)
) -> tuple[str, ...]:
    """Return a sentence if the networks are unsure of the cord that they found, and the scan looks more like one of a cord
    in another orientation, or with voxels of another size.

    Parameters
    ----------
    scan : Volume
        The scan, in RPI.
    location : CordLocation
        Where the cord was found in it.
    locate, axes
        See `other_orientation`; by default, only the axial slices are turned.
    """
    if np.median(location.confidence[location.present]) >= SURE:
        return ()
    for what, phrase in (("orientation", other_orientation(scan, locate, axes)), ("voxel size", other_size(scan, locate))):
        if phrase:
            return (f"the image looks more like a scan of a cord {phrase}: check the header's {what}",)
    return ()


def _orientations(axes: tuple[int, ...]) -> Iterator[tuple[int, int, str]]:
    for axis in axes:
        along = "" if axis == 2 else f"that runs along what the header calls the {AXES[axis]} axis"
        for quarters in (2, 1, 3) if axis == 2 else range(4):
            turned = ("", "with its axial slices turned by 90 degrees", "with front and back exchanged")[
                min(quarters, 4 - quarters)
            ]
            yield axis, quarters, along or turned


def _thinned(scan: Volume, axis: int, quarters: int) -> Volume:
    """Return some slices across an axis of an RPI scan, turned by quarters, as if they were axial."""
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


def _expected_mm(scan: Volume, locate: Callable[[Volume], CordLocation]) -> tuple[float, float]:
    """Return the expected length of cord in a scan, mm, and the fraction of its slices that this is."""
    confidence = locate(scan).confidence
    return float(confidence.sum()) * scan.spacing_mm[2], float(confidence.mean())
