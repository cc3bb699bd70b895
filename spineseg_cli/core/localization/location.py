"""The location of the cord in a scan, and a network's predictions along it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from spineseg_cli.core.image.bounds import true_range
from spineseg_cli.core.image.slice_windows import SliceWindows
from spineseg_cli.core.image.thin_slices import averaged_slices
from spineseg_cli.core.image.volume import Volume

# The conus tapers, and the thinner it is, the less confident the network. Its probability is therefore divided by the confidence
# in the slice, but by no less than this.
MIN_CONUS_CONFIDENCE = 0.3

# The networks are sure of a location if the median confidence of its slices is at least this. By weights that had not seen the
# subject it is 0.96 or more in all of 39 development scans whose cord is found, and less than 0.95 in 22 of 24 research scans as
# if half as large.
SURE = 0.95

# Standard deviation of the weights by which slices are averaged with their neighbors, at least the distance of slices.
AVERAGED_MM = 3.0


@dataclass(frozen=True)
class CordView:
    """The predictions of a cord network in windows along a path."""

    windows: SliceWindows  # one per slice
    slices: np.ndarray  # int, shape (n,): those that were predicted, in increasing order
    probability: np.ndarray  # shape (n, side, side): of cord, on the windows' grid; 0.5 on the outline
    confidence: np.ndarray  # shape (n,): the network's confidence that each slice holds cord, 0 to 1
    runtime: str  # the name of the runtime that ran the network

    def of(self, slices: np.ndarray) -> CordView:
        """Return the view of a subset of its slices, in increasing order."""
        index = np.searchsorted(self.slices, slices)
        return replace(self, slices=slices, probability=self.probability[index], confidence=self.confidence[index])

    def covers(self, present: np.ndarray) -> bool:
        """Return whether its slices include all slices with cord, `present`, bool, shape (nz,)."""
        return bool(np.isin(np.flatnonzero(present), self.slices).all())

    def with_other(self, other: CordView) -> CordView:
        """Return the union with a view of other slices through the same windows."""
        slices = np.concatenate([self.slices, other.slices])
        order = np.argsort(slices)
        probability, confidence = (
            np.concatenate([getattr(self, name), getattr(other, name)])[order] for name in ("probability", "confidence")
        )
        return replace(self, slices=slices[order], probability=probability, confidence=confidence)

    @property
    def probability_given_cord(self) -> np.ndarray:
        """The probability of cord in slices known to hold it, so that a conus of low confidence has an outline, too."""
        return np.clip(self.probability / np.maximum(self.confidence, MIN_CONUS_CONFIDENCE)[:, None, None], 0, 1)


@dataclass(frozen=True)
class ShownAs:
    """How a scan is shown to the networks: as it is, or, if they are not sure of the cord in it, changed in one way."""

    voxel_factor: float = 1.0  # so many times as large as in the header are voxels taken to be
    is_averaged: bool = False  # whether slices are averaged with their neighbors, against noise

    def of(self, scan: Volume) -> Volume:
        """Return an RPI scan as it is shown."""
        scaled = scan if self.voxel_factor == 1 else scan.with_voxels_scaled(self.voxel_factor)
        return averaged_slices(scaled, max(AVERAGED_MM, scaled.spacing_mm[2])) if self.is_averaged else scaled


@dataclass(frozen=True)
class CordLocation:
    """The location of the cord in an RPI scan of nz axial slices, as a `Localizer` returns it."""

    centers_vx: np.ndarray  # shape (nz, 2): voxel coordinates of the cord's center along x and y, also in slices without cord
    confidence: np.ndarray  # shape (nz,): that each slice, judged alone, holds cord, 0 to 1; 0 where the signal is lost
    present: np.ndarray  # bool, shape (nz,): whether each slice holds cord, in one run or several
    source: Literal["network", "mask", "image_center"] = "network"  # the kind of localizer
    # The cord network's predictions in all slices with cord, or in some of them if the network predicts slices independently;
    # None without a cord network.
    view: CordView | None = None
    shown_as: ShownAs = ShownAs()  # how the scan was shown to the networks

    @property
    def median_confidence(self) -> float:
        """The median confidence of the slices with cord, 0 if there are none."""
        return float(np.median(self.confidence[self.present])) if self.present.any() else 0.0

    @property
    def is_sure(self) -> bool:
        """Whether cord was found, and the networks are sure of it."""
        return self.median_confidence >= SURE

    @property
    def slices(self) -> range:
        """The slices from the first to the last one with cord; an empty range if there is none."""
        known = true_range(self.present)
        return range(known.start, known.stop)
