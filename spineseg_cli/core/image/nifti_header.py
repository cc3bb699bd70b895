"""Interpretation of a NIfTI header: the file's format, the offset, type and scaling of its voxels, and their position in space.

nibabel repairs invalid headers silently: it replaces a voxel size of 0 by 1 mm, drops the sign of a negative one and unknown
codes, and ignores units. This module uses the header as stored. It follows NIfTI's own library (nifti1_io.c) where that leaves
no doubt, and refuses headers that do not define a voxel size or a position.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from spineseg_cli.errors import InputError

log = logging.getLogger(__name__)

# Number of bytes of the longest header, that of NIfTI-2.
HEADER_BYTES = 540

# Range of plausible voxel sizes: the finest ex vivo scans have about 0.01 mm; outside this range, the units are wrong.
PLAUSIBLE_SPACING_MM = (0.005, 100.0)

# Units of length by code: meters and micrometers. All other codes stand for millimeters.
UNITS_MM = {1: 1000.0, 3: 0.001}

# Tolerance of a quaternion's squared length, which is at most 1 except for rounding to single precision or to four digits.
QUATERNION_EXCESS = 1e-4

# An affine is singular if the volume of a voxel is at most this fraction of the product of its sides.
FLAT = 1e-6

# Tolerated relative difference of the voxel sizes of sform and pixdim, due to rounding, shears and small registrations.
SFORM_TOLERANCE = 0.05


def parse_header(content: bytes, path: Path) -> Any:
    """Return the header at the start of a file, a `Nifti1Header` or `Nifti2Header`, as stored.

    Raises InputError if there is none.
    """
    for kind in (nib.Nifti1Header, nib.Nifti2Header):
        if kind.may_contain_header(content):
            return kind(content[: kind.sizeof_hdr], check=False)
    fault = "it does not start with a NIfTI header" if content else "it is empty"
    raise InputError(f"{path} is not a readable NIfTI file ({fault}); export or copy it again")


def data_shape(header: Any) -> tuple[int, ...]:
    """Return the number of voxels along each of the 0 to 7 axes that the header declares."""
    return tuple(int(n) for n in header["dim"][1 : 1 + max(int(header["dim"][0]), 0)])


def spatial_shape(shape: tuple[int, ...], path: Path) -> tuple[int, int, int]:
    """Return a 3-D shape: trailing axes of length 1 are dropped, a 2-D image is one slice. Raises InputError for other shapes."""
    core = tuple(shape)
    while len(core) > 3 and core[-1] == 1:
        core = core[:-1]
    if len(core) == 2:
        core = (*core, 1)
    if len(core) > 3:
        raise InputError(
            f"expected one 3-D image; {path} is {len(core)}-D with shape {shape}: average it over the last axis, or split it "
            f"into 3-D files"
        )
    if len(core) < 3 or min(core) < 1:
        raise InputError(f"expected a 3-D image; {path} has shape {shape}")
    return core[0], core[1], core[2]


def data_offset(header: Any, path: Path) -> int:
    """Return the offset of the voxels in bytes; a stored 0 stands for the first byte after the header."""
    offset = float(header["vox_offset"])
    first = header.single_vox_offset
    if offset == 0:
        return first
    if not first <= offset < np.inf:
        raise InputError(
            f"{path} is not a readable NIfTI file (its voxels would begin at byte {offset:g}, expected {first} or later); export "
            f"or copy it again"
        )
    return int(offset)


def data_type(header: Any, path: Path) -> np.dtype:
    """Return the type of the voxels. Raises InputError unless each voxel is one real number."""
    code = int(header["datatype"])
    try:
        dtype = header.get_data_dtype()
    except (KeyError, nib.spatialimages.HeaderDataError):
        dtype = np.dtype("V0")
    if dtype.fields is not None:
        raise InputError(f"expected one number a voxel; {path} holds colors (RGB): convert it to gray values first")
    if dtype.kind == "c":
        raise InputError(f"expected real numbers; {path} holds complex ones: save its magnitude first")
    if dtype.itemsize == 0:
        raise InputError(f"expected numbers of a type that NIfTI knows; the header of {path} says type {code}: export it again")
    return dtype


def scaling(header: Any) -> tuple[float, float]:
    """Return slope and intercept of the voxel values; a slope of 0, and values that are not finite, stand for no scaling."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite(slope):
        return 1.0, 0.0
    return slope, intercept if np.isfinite(intercept) else 0.0


def affine_of(header: Any, path: Path) -> np.ndarray:
    """Return the affine from voxels to mm: that of the sform, else of the qform, else of the voxel sizes alone.

    Raises InputError if it is singular or not finite, if its voxel sizes are missing or implausible, or if its rotation is
    invalid.
    """
    if header["sform_code"] > 0:
        affine = header.get_sform()
    elif header["qform_code"] > 0:
        affine = _with_sizes(_with_rotation(header, path), path).get_qform()
    else:
        affine = _with_sizes(header, path).get_base_affine()
    affine = np.asarray(affine, dtype=float)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) <= FLAT * lengths.prod():
        raise InputError(
            f"the header of {path} does not place the image in space (its affine is singular): repair its sform or qform"
        )
    return _in_mm(affine, header, path)


def for_nibabel(header: Any) -> Any:
    """Return a header with a qform that nibabel accepts, if that defines the image's position."""
    placed_by_qform = header["sform_code"] <= 0 < header["qform_code"]
    return _with_rotation(header, Path("the image")) if placed_by_qform else header


def warn_of_doubt(header: Any, path: Path) -> None:
    """Log a warning if a header defines no orientation, or two different orientations or voxel sizes."""
    if header["sform_code"] <= 0:
        if header["qform_code"] <= 0:
            log.warning("the header of %s does not say which way it lies: taken for RPI, as is the custom", path)
        return
    if by_qform := _axes_of_qform(header):
        by_sform = "".join(nib.aff2axcodes(header.get_sform()))
        if by_sform != by_qform:
            message = "the header of %s names two orientations, axes that run to %s (sform) and to %s (qform): the first is taken"
            log.warning(message, path, by_sform, by_qform)
    axes = min(int(header["dim"][0]), 3)
    lengths = np.linalg.norm(header.get_sform()[:3, :axes], axis=0)
    sizes = np.asarray(header["pixdim"][1 : 1 + axes], dtype=float)
    if (np.abs(lengths - sizes) > SFORM_TOLERANCE * lengths)[sizes > 0].any():
        log.warning(
            "the header of %s names two voxel sizes, %s (sform) and %s (pixdim): lengths and volumes follow the first",
            path,
            _sizes(lengths),
            _sizes(sizes),
        )


def _axes_of_qform(header: Any) -> str:
    """Return the axis codes of the qform, as nibabel names them; "" without a qform that defines axes."""
    with contextlib.suppress(nib.spatialimages.HeaderDataError, ValueError):
        if header["qform_code"] > 0:
            codes = nib.aff2axcodes(header.get_qform())
            return "".join(codes) if all(codes) else ""
    return ""


def _with_rotation(header: Any, path: Path) -> Any:
    """Return a header with a quaternion and a handedness that nibabel accepts; raise InputError if they are ambiguous."""
    header = header.copy()
    handedness = float(header["pixdim"][0])
    if handedness not in (-1, 0, 1):
        raise InputError(f"expected a pixdim[0] of 1 or -1; the header of {path} says {handedness:g}: repair its qform")
    header["pixdim"][0] = handedness or 1  # 0 stands for 1 in NIfTI
    parts = ["quatern_b", "quatern_c", "quatern_d"]
    squared = sum(float(header[part]) ** 2 for part in parts)
    if squared > 1 + QUATERNION_EXCESS:
        raise InputError(f"expected a quaternion no longer than 1; that of {path} is {squared**0.5:.6g} long: repair its qform")
    if squared > 1 + header.quaternion_threshold / 2:  # beyond that, nibabel refuses it
        for part in parts:
            header[part] = float(header[part]) / squared**0.5
    return header


def _with_sizes(header: Any, path: Path) -> Any:
    """Return a header in which all voxel sizes are given; raise InputError if one is missing."""
    header = header.copy()
    if header["dim"][0] == 2 and header["pixdim"][3] == 0:
        log.warning("the header of %s does not say how thick its slice is: 1 mm is taken, which volumes depend on", path)
        header["pixdim"][3] = 1
    if not (header["pixdim"][1:4] > 0).all():
        stored = _sizes(header["pixdim"][1:4])
        raise InputError(
            f"expected voxel sizes above 0; the header of {path} says {stored} (pixdim), and has no sform: repair its voxel size"
        )
    return header


def _sizes(lengths: np.ndarray) -> str:
    """Return lengths as text for a message."""
    return " x ".join(f"{length:.4g}" for length in lengths)


def _unit_mm(header: Any) -> float:
    """Return the header's unit of length in mm."""
    return UNITS_MM.get(int(header["xyzt_units"]) % 8, 1.0)


def _in_mm(affine: np.ndarray, header: Any, path: Path) -> np.ndarray:
    """Convert an affine from the header's unit of length to mm. Raises InputError if its voxel size is implausible."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    low, high = PLAUSIBLE_SPACING_MM
    unit_mm = _unit_mm(header)
    if not _plausible(spacing * unit_mm) and _plausible(spacing) and unit_mm != 1:
        log.warning("the header of %s gives lengths in %g mm, which its voxels cannot have: taken for 1 mm", path, unit_mm)
        unit_mm = 1.0
    if not _plausible(spacing * unit_mm):
        stored = np.round(spacing * unit_mm, 6).tolist()
        raise InputError(
            f"expected voxels of {low} to {high:g} mm; the header of {path} says {stored}: repair its voxel size or units"
        )
    affine = affine.copy()
    affine[:3] *= unit_mm
    return affine


def _plausible(spacing_mm: np.ndarray) -> bool:
    """Return whether voxel sizes are in the plausible range."""
    low, high = PLAUSIBLE_SPACING_MM
    return low <= spacing_mm.min() and spacing_mm.max() <= high
