"""Where the cord is in a scan, and what a network sees along it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from spineseg_cli.core.image.slice_windows import SliceWindows

# The conus tapers, and a network is less sure of it the thinner it is: its outline is read relative to that sureness, but to no
# less than this.
MIN_CONUS_CONFIDENCE = 0.3


@dataclass(frozen=True)
class CordView:
    """What a cord network sees in windows along a path.

    Parameters
    ----------
    windows : SliceWindows
        The windows, one a slice.
    slices : ndarray of int, shape (n,)
        The slices that were predicted, in rising order.
    probability : ndarray, shape (n, side, side)
        The probability of cord on the windows' grid; 0.5 on the outline.
    confidence : ndarray, shape (n,)
        How sure the network is that each slice holds cord, 0 to 1.
    runtime : str
        What ran the network.
    """

    windows: SliceWindows
    slices: np.ndarray
    probability: np.ndarray
    confidence: np.ndarray
    runtime: str

    def of(self, slices: np.ndarray) -> CordView:
        """Return what it sees in some of its slices, rising."""
        index = np.searchsorted(self.slices, slices)
        return replace(self, slices=slices, probability=self.probability[index], confidence=self.confidence[index])

    def covers(self, present: np.ndarray) -> bool:
        """Return whether its slices are all of those that are `present`, bool, shape (nz,)."""
        return bool(np.isin(np.flatnonzero(present), self.slices).all())

    def with_other(self, other: CordView) -> CordView:
        """Return what it sees in its slices and in those of another view, which it does not have, through the same windows."""
        slices = np.concatenate([self.slices, other.slices])
        order = np.argsort(slices)
        probability, confidence = (
            np.concatenate([getattr(self, name), getattr(other, name)])[order] for name in ("probability", "confidence")
        )
        return replace(self, slices=slices[order], probability=probability, confidence=confidence)

    @property
    def probability_given_cord(self) -> np.ndarray:
        """The probability where the slice is known to hold cord: a conus in doubt as a whole has an outline all the same."""
        return np.clip(self.probability / np.maximum(self.confidence, MIN_CONUS_CONFIDENCE)[:, None, None], 0, 1)


@dataclass(frozen=True)
class CordLocation:
    """Where the cord lies in an RPI scan of nz axial slices; a `Localizer` gives it.

    Parameters
    ----------
    centers_vx : ndarray, shape (nz, 2)
        Voxel coordinates of the cord's center along x and y, also in slices without cord.
    confidence : ndarray, shape (nz,)
        How sure it is that the slice, judged by itself, holds cord, 0 to 1; 0 where the signal is lost.
    present : ndarray of bool, shape (nz,)
        The slices that hold cord, in one run or several.
    source : {"network", "mask", "image_center"}
        What says so.
    view : CordView or None
        What a cord network sees, in all slices that hold cord, or in some where it sees slices by themselves; None without
        a cord network.
    """

    centers_vx: np.ndarray
    confidence: np.ndarray
    present: np.ndarray
    source: Literal["network", "mask", "image_center"] = "network"
    view: CordView | None = None

    @property
    def slices(self) -> range:
        """From the first to the last slice of cord; empty without any."""
        known = np.flatnonzero(self.present)
        return range(int(known[0]), int(known[-1]) + 1) if len(known) else range(0)
