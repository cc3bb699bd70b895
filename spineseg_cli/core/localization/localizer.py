"""Localizers, which find the cord by a network, in a mask, or at the image's center. The choice is always explicit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.mask_check import mask_on_grid
from spineseg_cli.core.image.sampled_slices import with_every_nth_slice
from spineseg_cli.core.image.signal_part import SignalPart
from spineseg_cli.core.image.thin_slices import averaged_thin_slices
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.centers import centers_from_mask
from spineseg_cli.core.localization.conus import with_cord_above_conus
from spineseg_cli.core.localization.extent import apply_brain
from spineseg_cli.core.localization.intensity_mismatch import mismatch_in_view
from spineseg_cli.core.localization.location import CordLocation, CordView, ShownAs
from spineseg_cli.core.localization.lost_signal import nearest_with_signal, slices_without_signal
from spineseg_cli.core.localization.presence import (
    WEIGHTS,
    confidence_of_slices,
    features_in_view,
    features_of_search,
    slices_that_hold_cord,
)
from spineseg_cli.core.localization.search import CordPath, search_cord
from spineseg_cli.core.localization.view import centers_in_view, look_again, sees_slices_by_themselves, view_cord
from spineseg_cli.core.timing import timed

# The cord network is applied where the search has at least this confidence, and up to this distance above and below.
MIN_SEARCH_CONFIDENCE = 0.1
MARGIN_MM = 30.0

# To decide which slices hold cord, the network is applied to slices at most this far apart, and interpolated between them.
SAMPLED_MM = 2.0

# The windows along a mask are centered again if the cord's center differs from the mask's by more than this distance. The search
# replaces the mask in slices where the cord network's confidence at the searched center is higher by more than this gain.
RECENTER_MM = 3.0
CONFIDENCE_GAIN = 0.05

# Ways in which a scan is also shown to the networks if they are not sure of the cord. One is chosen if they are sure then, and
# expect more slices to hold cord, by this factor: in development scans as if half as large, 1.14 or more.
OTHER_WAYS = (ShownAs(voxel_factor=2.0), ShownAs(voxel_factor=0.5), ShownAs(is_averaged=True))
SHOWN_GAIN = 1.1

# At first, only slices about so far apart are shown in another way, but at least so many. All are if more cord is expected then,
# and the median confidence of those with cord is at least this. It was 0.97 or more in development scans that gained by a way.
GLANCED_MM = 12.0
GLANCED_SLICES = 8
PROMISING = 0.5


@dataclass(frozen=True, kw_only=True)
class Localizer(ABC):
    """A method of finding the cord in a scan."""

    # A network with the output "cord", which is applied along the path; its predictions are the `view` of the location.
    cord: Predictor | None = None

    def within(self, part: SignalPart) -> Localizer:
        """Return the localizer for a part of an image, if it has something on the grid of the image; otherwise itself."""
        return self

    @abstractmethod
    def locate(self, scan: Volume) -> CordLocation:
        """Return where the cord is in an RPI scan."""


@dataclass(frozen=True, kw_only=True)
class NetworkLocalizer(Localizer):
    """A localizer that searches for the cord in the whole axial field of view.

    With a `cord` network, both networks decide which slices hold cord; without it, the search alone does.
    """

    search: Predictor  # a 2-D network with the output "cord" or "centerline"
    method: Literal["optic", "cnn"] = "optic"  # the best path through all slices, or the maximum of each slice alone
    # Whether the scan shows the brain. If False, the cord continues to the topmost slice; if True, nothing above the longest run
    # of cord is cord. By default, the evidence alone decides.
    brain: bool | None = None
    presence_weights: Path = WEIGHTS  # those of the networks that decide which slices hold cord: see `presence`

    def locate(self, scan: Volume) -> CordLocation:
        """Return the location of the cord in an RPI scan, as the networks see it.

        If they are not sure of it, but are if the scan is shown in another way, it is the location that they then see. Infants
        and animals are smaller than what the networks know, headers that have lost their voxel size say 1 mm, and noise may hide
        in a slice what its neighbors show together.
        """
        as_it_is = self.locate_by_header(scan)
        if as_it_is.is_sure:
            return as_it_is
        expected = as_it_is.confidence.sum()
        ways = {way: way.of(scan) for way in OTHER_WAYS}
        others = [
            replace(self.locate_by_header(shown), shown_as=way)
            for way, shown in ways.items()
            if self._is_promising(shown, expected)
        ]
        better = [one for one in others if one.is_sure and one.confidence.sum() > SHOWN_GAIN * expected]
        return max(better, key=lambda one: one.confidence.sum(), default=as_it_is)

    def _is_promising(self, scan: Volume, expected: float) -> bool:
        """Return whether the networks may be sure of an RPI scan and see more cord than `expected`, by a part of its slices."""
        step = min(int(GLANCED_MM / scan.spacing_mm[2]), scan.shape[2] // GLANCED_SLICES)
        if step < 2:
            return True
        glanced = self.locate_by_header(with_every_nth_slice(averaged_thin_slices(scan), step))
        return glanced.median_confidence >= PROMISING and step * glanced.confidence.sum() > expected

    def locate_by_header(self, scan: Volume) -> CordLocation:
        """Return the location of the cord in an RPI scan whose voxels are as large as its header says."""
        scan = averaged_thin_slices(scan)
        with timed("centerline"):
            path = search_cord(scan, self.search, globally=self.method == "optic")
        distance_mm = scan.spacing_mm[2]
        view, features, lost = look_along(scan, path, self.cord)
        present = slices_that_hold_cord(features, lost, distance_mm, self.presence_weights)
        present = with_cord_above_conus(scan, path.centers_vx, present, lost, features)
        present = apply_brain(present, self.brain)
        if self.cord and view and not view.covers(present) and not sees_slices_by_themselves(self.cord, distance_mm):
            view = None
        if self.cord and view:
            look_again(scan, view, present, self.cord)
        return CordLocation(path.centers_vx, ~lost * confidence_of_slices(features), present, "network", view)


def look_along(scan: Volume, path: CordPath, cord: Predictor | None) -> tuple[CordView | None, np.ndarray, np.ndarray]:
    """Apply the cord network along a path, wherever the search sees something, and return the features of all slices.

    A slice without signal gets the features of the nearest slice with signal, if that is near.

    Parameters
    ----------
    scan : Volume
        The scan, in RPI, of nz axial slices.
    path : CordPath
        The path of the search through it.
    cord : Predictor, optional
        A network with the output "cord".

    Returns
    -------
    view : CordView or None
        The network's predictions; None without a network, or if the search sees nothing.
    features : ndarray, shape (nz, 6)
        The features of `presence.features_of_search`.
    lost : ndarray of bool, shape (nz,)
        Whether each slice is without signal.
    """
    distance_mm = scan.spacing_mm[2]
    lost = slices_without_signal(scan, path.centers_vx)
    nearest = nearest_with_signal(lost, distance_mm)
    margin = np.ones(1 + 2 * round(MARGIN_MM / distance_mm))
    near = np.flatnonzero(ndimage.binary_dilation(path.confidence >= MIN_SEARCH_CONFIDENCE, margin))
    near = near[nearest[near] == near]
    features = features_of_search(path.confidence, distance_mm)
    if cord is None or len(near) == 0:
        return None, features[nearest], lost
    each_by_itself = cord.config.per_slice and not cord.config.depth
    step = max(1, int(SAMPLED_MM / distance_mm)) if each_by_itself else 1
    view = view_cord(scan, path.centers_vx, np.union1d(near[::step], near[-1:]), cord)
    spacing_mm = cord.config.spacing_mm
    mismatch = mismatch_in_view(scan, view, path.confidence[view.slices], spacing_mm)
    return view, features_in_view(features, view, near, mismatch, spacing_mm)[nearest], lost


@dataclass(frozen=True, kw_only=True)
class MaskLocalizer(Localizer):
    """A localizer that takes the cord's location from a mask of it or of its centerline; beyond the mask, there is no cord.

    With a `cord` network, the windows are centered again on the cord that the network sees, or on the center that the `search`
    finds if the network is more confident there.
    """

    mask: Volume  # on the grid of the scan, stored in any orientation
    search: Predictor | None = None  # a 2-D network with the output "cord" or "centerline"
    name: str = "the centerline"  # that of the mask in error messages
    part: SignalPart | None = None  # the part of the mask's grid that scans consist of; by default, all of it

    def within(self, part: SignalPart) -> MaskLocalizer:
        """Return the localizer for scans that consist of a part of an image on the grid of the mask."""
        return replace(self, part=part)

    def locate(self, scan: Volume) -> CordLocation:
        """Return the location of the cord in an RPI scan, from the mask.

        Raises GridMismatchError if the mask is on another grid, and InputError if it is empty or a scan.
        """
        below, grid = (self.part.below, self.part.whole) if self.part else (0, scan)
        centers, extent = centers_from_mask(mask_on_grid(self.mask, grid, self.name))
        inside = np.arange(below, below + scan.shape[2])
        centers, present, confidence = centers[inside], np.isin(inside, extent), np.zeros(len(inside))
        slices = np.flatnonzero(present)
        if self.cord is None or not len(slices):
            return CordLocation(centers, present.astype(float), present, "mask")
        scan = averaged_thin_slices(scan)
        view = view_cord(scan, centers, slices, self.cord)
        better = centers_in_view(view, centers)
        if self.search is not None:
            searched = search_cord(scan, self.search).centers_vx
            other = view_cord(scan, searched, slices, self.cord)
            surer = slices[other.confidence > view.confidence + CONFIDENCE_GAIN]
            better[surer] = searched[surer]
        if np.hypot(*((better - centers) * scan.spacing_mm[:2]).T).max() > RECENTER_MM:
            centers, view = better, view_cord(scan, better, slices, self.cord)
        look_again(scan, view, present, self.cord)
        confidence[present] = view.confidence
        return CordLocation(centers, confidence, present, "mask", view)


@dataclass(frozen=True, kw_only=True)
class ImageCenterLocalizer(Localizer):
    """A localizer that takes the center of every slice, for scans cropped around the cord and for published networks."""

    def locate(self, scan: Volume) -> CordLocation:
        """Return the center of each slice of an RPI scan as the location of the cord."""
        count = scan.shape[2]
        centers = np.tile((np.array(scan.shape[:2]) - 1) / 2, (count, 1))
        if self.cord is None:
            return CordLocation(centers, np.ones(count), np.ones(count, bool), "image_center")
        scan, present = averaged_thin_slices(scan), np.ones(count, bool)
        view = view_cord(scan, centers, np.arange(count), self.cord)
        look_again(scan, view, present, self.cord)
        return CordLocation(centers, view.confidence, present, "image_center", view)
