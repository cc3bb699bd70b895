"""The functions `segment_cord` and `segment_gray_matter`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from spineseg_cli.api.choices import Contrast, Device, Kernel, Precision, Search, check_choice
from spineseg_cli.api.images import ImageLike, load_image, load_mask
from spineseg_cli.core.image.nifti import nibabel_from_volume, write_volume
from spineseg_cli.core.inference import segmentation
from spineseg_cli.core.provenance import write_sidecar
from spineseg_cli.tasks.gray_matter import GrayMatter
from spineseg_cli.tasks.registry import CORD, GRAY_MATTER


@dataclass(frozen=True)
class Segmentation:
    """A structure's mask and probability, on the grid of the image.

    Attributes
    ----------
    threshold : float
        The probability above which the mask is 1.
    model : str
        The name of the weights.
    notes : tuple of str
        Notes for the user: gaps, or why nothing was found.
    details : dict
        Content of the JSON file beside the mask: the weights, the notes, the confidence in each slice.
    """

    threshold: float
    model: str
    notes: tuple[str, ...]
    details: dict[str, Any] = field(repr=False)
    _result: segmentation.Segmentation = field(repr=False)

    @cached_property
    def mask(self) -> nib.Nifti1Image:
        """The mask, uint8, 0 or 1; all 0 if nothing was found."""
        return nibabel_from_volume(self._result.mask, self._result.mask.data.dtype)

    @cached_property
    def probability(self) -> nib.Nifti1Image:
        """The probability, float32, 0 to 1; for the cord, the fraction of each voxel that is inside its outline."""
        return nibabel_from_volume(self._result.probability, np.float32)

    @property
    def volume_mm3(self) -> float:
        """The volume of the mask, cubic millimeters."""
        return self._result.cropped_mask.volume_mm3

    def save(self, path: str | os.PathLike[str], *, soft: bool = False) -> None:
        """Write the mask, or the probability if `soft`, to a NIfTI file, and `details` to a JSON file beside it.

        Raises InputError if the file cannot be written.
        """
        volume = self._result.cropped_probability if soft else self._result.cropped_mask
        write_volume(Path(path), volume, volume.dtype)
        write_sidecar(Path(path), [], self.details | {"Threshold": 0.0 if soft else self.threshold, "Soft": soft})


@dataclass(frozen=True)
class GrayMatterSegmentation(Segmentation):
    """Gray matter, with the cord and white matter around it."""

    _result: GrayMatter = field(repr=False)

    @cached_property
    def cord(self) -> nib.Nifti1Image | None:
        """The cord mask that was given, or else the network's own, uint8; None if there is neither."""
        cord = self._result.cord
        return None if cord is None else nibabel_from_volume(cord, cord.data.dtype)

    @cached_property
    def white_matter(self) -> nib.Nifti1Image | None:
        """The cord without its gray matter, uint8; None without a cord mask."""
        white = self._result.white_matter
        return None if white is None else nibabel_from_volume(white, white.data.dtype)


def segment_cord(
    image: ImageLike,
    *,
    centerline: ImageLike | None = None,
    method: Search = "optic",
    brain: bool | None = None,
    contrast: Contrast = "auto",
    kernel: Kernel = "2d",
    weights: str | os.PathLike[str] | None = None,
    threshold: float | None = None,
    device: Device = "auto",
    precision: Precision = "int8",
) -> Segmentation:
    """Segment the spinal cord on a scan of any contrast, whole or in part, as the command `seg_cord` does.

    Parameters
    ----------
    image : path or nibabel.Nifti1Image
        The scan, stored in any orientation; of a 4-D one, the mean of its volumes is taken.
    centerline : path or nibabel.Nifti1Image, optional
        A mask of the cord or of its centerline on the grid of the scan; by default the cord is searched for.
    method : {"optic", "cnn"}
        The search: the best path through all slices, or each slice alone.
    brain : bool, optional
        Whether the scan shows the brain; by default the networks decide.
    contrast : {"auto", "t1", "t2", "t2s", "dwi"}
        The scan's contrast, used only by weights with thresholds for contrasts; the shipped ones have none.
    kernel : {"2d", "3d"}
        The kind of shipped network; ignored with `weights`.
    weights : path or str, optional
        A weights file, or the name of a shipped model.
    threshold : float, optional
        The fraction of a voxel inside the outline above which it is cord, 0.5 by default.
    device : {"auto", "cpu", "gpu"}
        The device that the networks run on.
    precision : {"int8", "float32"}
        Arithmetic of the shipped networks on the CPU: of eight bits, twice as fast, or as they were trained.

    Returns
    -------
    Segmentation
        The cord; its mask is empty if none was found, and `notes` say why.

    Raises
    ------
    SpinesegError
        If an image or the weights cannot be used; the message says what to do.

    Examples
    --------
    >>> from spineseg_cli import segment_cord
    >>> cord = segment_cord(scan)  # a nibabel image, or the path of one
    >>> cord.mask.shape == scan.shape
    True
    >>> 100 < cord.volume_mm3 < 10_000
    True
    >>> cord.save(folder / "scan_seg.nii.gz")
    """
    check_choice("method", method, Search)
    check_choice("contrast", contrast, Contrast)
    check_choice("kernel", kernel, Kernel)
    check_choice("device", device, Device)
    check_choice("precision", precision, Precision)
    volume, guide = load_image(image, as_stored=True), load_mask(centerline)
    model = CORD.find_model(weights, 3 if kernel == "3d" else 2)
    predictor = model.predictor(device, precision=precision, contrast=contrast)
    localizer = CORD.localizer(predictor, guide, method=method, brain=brain)
    result = CORD.predict(volume, predictor, localizer, threshold=threshold)
    return Segmentation(result.threshold, result.model, result.notes, result.details(), result)


def segment_gray_matter(
    image: ImageLike,
    *,
    centerline: ImageLike | None = None,
    cord: ImageLike | None = None,
    weights: str | os.PathLike[str] | None = None,
    threshold: float | None = None,
    tta: bool = False,
    device: Device = "auto",
    precision: Precision = "int8",
) -> GrayMatterSegmentation:
    """Segment the spinal cord's gray matter on an axial scan, as the command `seg_gm` does.

    Parameters
    ----------
    image : path or nibabel.Nifti1Image
        The scan, stored in any orientation; of a 4-D one, the mean of its volumes is taken.
    centerline : path or nibabel.Nifti1Image, optional
        A mask of the cord or of its centerline on the grid of the scan; by default `cord`, or else the cord is searched for.
    cord : path or nibabel.Nifti1Image, optional
        A cord mask on the grid of the scan; gray matter outside it is removed.
    weights : path or str, optional
        A weights file, or the name of a shipped model.
    threshold : float, optional
        The probability above which a voxel is gray matter; by default that of the weights.
    tta : bool
        Whether to average over mirrored and rotated copies, which is slower and slightly smoother.
    device : {"auto", "cpu", "gpu"}
        The device on which the networks run.
    precision : {"int8", "float32"}
        Arithmetic of the shipped networks on the CPU: of eight bits, twice as fast, or as they were trained.

    Returns
    -------
    GrayMatterSegmentation
        The gray matter; its mask is empty if no cord was found.

    Raises
    ------
    SpinesegError
        If an image or the weights cannot be used; the message says what to do.

    Examples
    --------
    >>> from spineseg_cli import segment_gray_matter
    >>> gray = segment_gray_matter(scan, cord=cord_mask)
    >>> bool((gray.mask.get_fdata() <= cord_mask.get_fdata()).all())
    True
    >>> gray.white_matter.get_data_dtype()
    dtype('uint8')
    """
    check_choice("device", device, Device)
    check_choice("precision", precision, Precision)
    volume, guide, cord_mask = load_image(image, as_stored=True), load_mask(centerline), load_mask(cord)
    predictor = GRAY_MATTER.find_model(weights).predictor(device, precision=precision)
    localizer = GRAY_MATTER.localizer(predictor, guide, cord_mask)
    result = GRAY_MATTER.predict(volume, predictor, localizer, cord=cord_mask, threshold=threshold, tta=tta)
    return GrayMatterSegmentation(result.threshold, result.model, result.notes, result.details(), result)
