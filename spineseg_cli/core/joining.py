"""Two networks for one cord: general weights above, those of the lumbosacral cord below, without a seam between them."""

from __future__ import annotations

import numpy as np

# The cord ends in view, at the conus, if so much of the scan below its last slice is without cord.
BELOW_CONUS_MM = 20.0

# So far below that slice the lumbosacral weights look for more: with voxels of 0.5 mm they tell a thin conus from the roots
# about it, which a search of the whole field of view does not.
SEARCH_MM = 50.0

# Up from that slice, the lumbosacral weights give way to the others over this length.
SEAM_MM = 20.0

# Dice of the two networks' masks in the seam, at least, where the cord ends at its conus. Where the signal is lost instead, which
# only looks like an end, the lumbosacral weights see another cord, or none: they know the conus best.
LEAST_AGREEMENT = 0.85


def join_conus(slices: range, spacing_mm: float, search: bool = True) -> tuple[range, np.ndarray]:
    """Return the slices that may have cord, and in each the share of the lumbosacral weights, falling from 1 to 0.

    Parameters
    ----------
    slices : range
        In which a search has found cord, of an RPI scan: from inferior to superior.
    spacing_mm : float
        Distance of the slices.
    search : bool
        Look below `slices`, too.

    Returns
    -------
    slices : range
        Where the cord ends in view, and is searched for, with slices below.
    shares : ndarray, shape (len(slices),), float
        0 everywhere if the cord goes on to the lower end of the scan, or nearly so.
    """
    if slices.start * spacing_mm < BELOW_CONUS_MM or not slices:
        return slices, np.zeros(len(slices))
    joined = range(max(0, slices.start - round(SEARCH_MM / spacing_mm)), slices.stop) if search else slices
    height_mm = (np.array(joined) - slices.start) * spacing_mm
    return joined, np.clip(1 - height_mm / SEAM_MM, 0, 1)


def agree(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether two masks of the cord in the seam, of one shape, are of the same cord; without any, nothing is at odds."""
    both = int(first.sum() + second.sum())
    return both == 0 or 2 * int((first & second).sum()) >= LEAST_AGREEMENT * both
