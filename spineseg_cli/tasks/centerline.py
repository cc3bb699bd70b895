"""The cord's centerline."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from spineseg_cli.core.image.cropped import Block, CroppedVolume
from spineseg_cli.core.image.intensity import prepared
from spineseg_cli.core.image.non_finite import non_finite_details
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.signal_part import SignalPart
from spineseg_cli.core.image.slabs import slabs
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.curve_fit import SMOOTH_MM, check_fit, fit_curve
from spineseg_cli.core.localization.localizer import Localizer, MaskLocalizer
from spineseg_cli.core.localization.location import CordLocation
from spineseg_cli.core.localization.notes import search_notes
from spineseg_cli.core.localization.view import centered_in_view
from spineseg_cli.core.one_thread import one_blas_thread

log = logging.getLogger(__name__)

# Voxel coordinates are rounded to this many decimals before a point is drawn, so that floating-point error does not decide on
# which side of a voxel border it lies.
BORDER_DECIMALS = 6

# Advice to users whose cord was not found.
REMEDY = "mark it in a few slices, and follow that mask by fitseg"


@dataclass(frozen=True)
class Centerline:
    """The cord's center in n axial slices of an image, from inferior to superior; n may be 0."""

    image: Volume  # in its stored orientation
    cropped_mask: CroppedVolume  # uint8, 1 in the voxel of each point that lies in the image
    slices: np.ndarray  # int, shape (n,): indices of the axial slices, counted from the most inferior
    points_vx: np.ndarray  # shape (n, 3): voxel coordinates in `image`; integers are voxel centers
    points_mm: np.ndarray  # shape (n, 3): world coordinates (NIfTI's RAS+)
    tangents: np.ndarray  # shape (n, 3): unit vectors along the cord, pointing upward, in world coordinates
    # The network's confidence in each slice, shape (n,), 0 to 1; 1 for a centerline from a mask; 0 where it is extrapolated.
    confidence: np.ndarray
    notes: tuple[str, ...] = ()  # for the user: why no cord was found, or that the header may be wrong

    @cached_property
    def mask(self) -> Volume:
        """The mask with 1 in the voxel of each point that lies in the image, uint8."""
        return self.cropped_mask.whole()

    def details(self, method: str, curve: Mapping[str, Any], predictor: Predictor | None = None) -> dict[str, Any]:
        """Return the entries of a sidecar: the `method`, the options of the curve, the weights, if any, and the notes."""
        weights = {"Model": {"Name": predictor.name, "SHA256": predictor.sha256}} if predictor else {}
        notes = non_finite_details(self.image) | ({"Notes": list(self.notes)} if self.notes else {})
        return {"Method": method, "Curve": curve, "Extrapolated": curve.get("extrapolate", False)} | weights | notes

    @property
    def length_mm(self) -> float:
        """Length of the polyline through all points; 0 for fewer than two."""
        return float(np.linalg.norm(np.diff(self.points_mm, axis=0), axis=1).sum())

    def table(self, space: str | None = None) -> tuple[list[str], list[list[Any]]]:
        """Return the column names and one row per point, from inferior to superior.

        A `space` of "pix" includes only voxel coordinates, one of "phys" only world coordinates in mm; by default both
        are included.
        """
        columns = {"slice": self.slices}
        if space != "phys":
            columns |= {f"{axis}_vx": np.round(values, 4) for axis, values in zip("xyz", self.points_vx.T, strict=True)}
        if space != "pix":
            columns |= {f"{axis}_mm": np.round(values, 4) for axis, values in zip("xyz", self.points_mm.T, strict=True)}
        columns |= {f"tangent_{axis}": np.round(values, 6) for axis, values in zip("xyz", self.tangents.T, strict=True)}
        columns["confidence"] = np.round(self.confidence, 3)
        return list(columns), [list(row) for row in zip(*(values.tolist() for values in columns.values()), strict=True)]


@one_blas_thread()
def find_centerline(
    image: Volume,
    localizer: Localizer,
    *,
    algorithm: str = "bspline",
    smooth_mm: float = SMOOTH_MM,
    extrapolate: bool = False,
    remedy: str = REMEDY,
) -> Centerline:
    """Find the cord in a scan of any contrast, and fit a curve through its centers.

    Parameters
    ----------
    image : Volume
        The scan, shape (nx, ny, nz), stored in any orientation.
    localizer : Localizer
        The method that finds the cord. If it has a `cord` network, the curve is fitted through the centers of the cord that this
        network sees along the path of the search, and ends where the network's mask ends.
    algorithm, smooth_mm
        The options of `core.localization.curve_fit.fit_curve`.
    extrapolate : bool
        Whether to extend the centerline to the first and the last slice of the image.
    remedy : str
        Advice in the note for users whose cord was not found.

    Returns
    -------
    Centerline
        The centerline; it has no points if no cord was found.

    Raises
    ------
    InputError
        If the algorithm is unknown, or `smooth_mm` is not positive and finite.
    """
    check_fit(algorithm, smooth_mm)  # before the search, which takes longer
    part, scan = SignalPart.of(image), prepared(image)
    location = centered_in_view(localizer.within(part).locate(scan))
    log.debug("cord in %d of %d axial slices", len(location.slices), scan.shape[2])
    fitted = _fitted(image, location, part.below, algorithm, smooth_mm, extrapolate)
    is_found = len(location.slices) > 0
    notes = search_notes(scan, location, localizer, is_found=is_found, remedy=remedy, axes=(2, 0, 1), below=part.below)
    return replace(fitted, notes=notes)


def centerline_of_mask(
    mask: Volume, *, algorithm: str = "bspline", smooth_mm: float = SMOOTH_MM, extrapolate: bool = False
) -> Centerline:
    """Fit a curve through the centers of mass of a cord mask's axial slices, with the options of `find_centerline`.

    Raises InputError if the mask is empty, or is a scan.
    """
    location = MaskLocalizer(mask=mask, name="the image").locate(to_rpi(mask, copy=False))
    return _fitted(mask, location, 0, algorithm, smooth_mm, extrapolate)


def _fitted(image: Volume, location: CordLocation, below: int, algorithm: str, smooth_mm: float, extrapolate: bool) -> Centerline:
    """Return the centerline fitted through the centers of a location, evaluated at the middle of each slice.

    The location does not include the lowest slices of the image, `below` in number, and may not include the highest ones.
    """
    scan = to_rpi(image, copy=False)
    if not location.slices:
        none = np.empty((0, 3))
        return Centerline(image, _drawn(none, scan, image), np.empty(0, int), none, none, none, np.empty(0))
    spacing, confidence = np.array(scan.spacing_mm), location.confidence
    known = np.array(location.slices)
    points = np.column_stack([location.centers_vx[known], known]) * spacing
    # The fit ignores slices without confidence; if they are at an end, the curve is extrapolated through them.
    curve = fit_curve(points, confidence[known], algorithm, smooth_mm, extrapolate=True)
    wanted = np.arange(scan.shape[2]) if extrapolate else known + below
    heights = (wanted - below) * spacing[2]
    fitted_vx = np.column_stack([curve.at(heights) / spacing[:2], wanted])
    points_mm = fitted_vx @ scan.affine[:3, :3].T + scan.affine[:3, 3]
    directions = curve.tangent(heights) @ (scan.affine[:3, :3] / spacing).T
    to_stored = np.linalg.inv(image.affine)
    sure = np.zeros(scan.shape[2])
    sure[known + below] = confidence[known]
    return Centerline(
        image,
        cropped_mask=_drawn(fitted_vx, scan, image),
        slices=wanted,
        points_vx=points_mm @ to_stored[:3, :3].T + to_stored[:3, 3],
        points_mm=points_mm,
        tangents=directions / np.linalg.norm(directions, axis=1, keepdims=True),
        confidence=sure[wanted],
    )


def _drawn(points_vx: np.ndarray, scan: Volume, image: Volume) -> CroppedVolume:
    """Return a uint8 mask of the voxels that contain the points, shape (n, 3), of the RPI `scan`, oriented as `image`.

    A point on the border of two voxels belongs to the one with the higher RPI index, whatever the storage order.
    """
    voxels = np.floor(np.round(points_vx, BORDER_DECIMALS) + 0.5).astype(int)
    voxels = voxels[((voxels >= 0) & (voxels < scan.shape)).all(axis=1)]
    blocks = []
    for first, end in slabs(scan.shape[2]):
        inside = voxels[(first <= voxels[:, 2]) & (voxels[:, 2] < end)]
        if len(inside):
            corner = inside.min(axis=0)
            block = np.zeros(inside.max(axis=0) - corner + 1, np.uint8)
            block[tuple((inside - corner).T)] = 1
            blocks.append(Block(block, corner.tolist()))
    return CroppedVolume(blocks, image, np.uint8)
