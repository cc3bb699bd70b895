"""The function `find_centerline`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from spineseg_cli.api.choices import CenterlineMethod, Curve, Device, Precision, check_choice
from spineseg_cli.api.images import ImageLike, load_image
from spineseg_cli.core.image.nifti import nibabel_from_volume, write_volume
from spineseg_cli.core.localization.curve_fit import SMOOTH_MM
from spineseg_cli.core.provenance import write_sidecar
from spineseg_cli.tasks import centerline
from spineseg_cli.tasks.registry import CENTERLINE


@dataclass(frozen=True)
class Centerline:
    """The cord's center in the axial slices of an image, from inferior to superior; it may have no points.

    Attributes
    ----------
    slices : ndarray of int, shape (n,)
        Indices of the axial slices, counted from the most inferior.
    points_vx : ndarray, shape (n, 3)
        Voxel coordinates in the image; integers are voxel centers.
    points_mm : ndarray, shape (n, 3)
        World coordinates, millimeters (NIfTI's RAS+).
    confidence : ndarray, shape (n,)
        The networks' confidence in each slice, 0 to 1.
    notes : tuple of str
        Notes for the user: why no cord was found, or that the header may be wrong.
    details : dict
        Content of the JSON file beside the mask: the method, the curve, the weights, the notes.
    """

    slices: np.ndarray
    points_vx: np.ndarray = field(repr=False)
    points_mm: np.ndarray = field(repr=False)
    confidence: np.ndarray = field(repr=False)
    notes: tuple[str, ...]
    details: dict[str, Any] = field(repr=False)
    _result: centerline.Centerline = field(repr=False)

    @cached_property
    def mask(self) -> nib.Nifti1Image:
        """The mask with 1 in the voxel of each point that lies in the image, uint8."""
        return nibabel_from_volume(self._result.mask, self._result.mask.data.dtype)

    def table(self) -> tuple[list[str], list[list[float]]]:
        """Return the column names of the command's CSV file, and a row for each point."""
        return self._result.table()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the mask to a NIfTI file, and `details` to a JSON file beside it. Raises InputError if that fails."""
        write_volume(Path(path), self._result.mask, np.uint8)
        write_sidecar(Path(path), [], self.details)


def find_centerline(
    image: ImageLike,
    *,
    method: CenterlineMethod = "optic",
    algorithm: Curve = "bspline",
    smooth_mm: float = SMOOTH_MM,
    extrapolate: bool = False,
    brain: bool | None = None,
    weights: str | os.PathLike[str] | None = None,
    device: Device = "auto",
    precision: Precision = "int8",
) -> Centerline:
    """Find the spinal cord's centerline in a scan of any contrast, as the command `get_centerline` does.

    Parameters
    ----------
    image : path or nibabel.Nifti1Image
        The scan, or with "fitseg" a cord mask, stored in any orientation; of a 4-D scan, the mean of its volumes is taken.
    method : {"optic", "cnn", "fitseg"}
        The source of the centers: the best path through all slices, each slice alone, or a mask.
    algorithm : {"bspline", "nurbs", "polyfit", "linear"}
        The curve that is fitted through the centers.
    smooth_mm : float
        The wavelength of oscillations that keep about half of their amplitude, millimeters.
    extrapolate : bool
        Whether to extend the centerline to the first and the last slice of the image.
    brain : bool, optional
        Whether the scan shows the brain; by default the networks decide.
    weights : path or str, optional
        A weights file of a 2-D network, or the name of a shipped model.
    device : {"auto", "cpu", "gpu"}
        The device on which the networks run.
    precision : {"int8", "float32"}
        Arithmetic of the shipped networks on the CPU: 8-bit, which is twice as fast, or as they were trained.

    Raises
    ------
    SpinesegError
        If the image or the weights cannot be used; the message says what to do.

    Examples
    --------
    >>> from spineseg_cli import find_centerline
    >>> line = find_centerline(cord_mask, method="fitseg")
    >>> len(line.slices) == cord_mask.shape[2]
    True
    >>> line.points_mm.shape == (len(line.slices), 3)
    True
    """
    check_choice("method", method, CenterlineMethod)
    check_choice("algorithm", algorithm, Curve)
    check_choice("device", device, Device)
    check_choice("precision", precision, Precision)
    curve: dict[str, Any] = {"algorithm": algorithm, "smooth_mm": smooth_mm, "extrapolate": extrapolate}
    predictor = None
    if method == "fitseg":
        result = centerline.centerline_of_mask(load_image(image, "mask"), **curve)
    else:
        predictor = CENTERLINE.find_model(weights).predictor(device, precision=precision)
        localizer = CENTERLINE.localizer(predictor, method=method, brain=brain)
        result = CENTERLINE.predict(load_image(image, as_stored=True), predictor, localizer, **curve)
    details = result.details(method, curve, predictor)
    return Centerline(result.slices, result.points_vx, result.points_mm, result.confidence, result.notes, details, result)
