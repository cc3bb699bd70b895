"""What a NIfTI header says of a file: its kind, where its voxels begin, how they are scaled, and where they lie in space.

nibabel mends broken headers without a word: it takes 1 mm for a voxel size of 0, drops the sign of a negative one and
codes that it does not know, and passes over units. Here a header is taken as it is stored. What NIfTI's own library
(nifti1_io.c) reads in one way alone is read so; what leaves a size or a place open is refused.
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

# Bytes of the longest header, NIfTI-2's.
HEADER_BYTES = 540

# The finest ex vivo scans have voxels of about 0.01 mm; anything outside this range is a header in other units.
PLAUSIBLE_SPACING_MM = (0.005, 100.0)

# Codes of the unit of length: meters and micrometers. Millimeters are meant by all others.
UNITS_MM = {1: 1000.0, 3: 0.001}

# The squared length of a rotation's quaternion is 1, but for rounding: to single precision, or to the four digits of a text.
QUATERNION_EXCESS = 1e-4

# Voxels of no volume: their axes lie in one plane, to this fraction.
FLAT = 1e-6

# The sform's voxels may be longer or shorter than pixdim says by this fraction, for rounding, shears and small registrations.
SFORM_TOLERANCE = 0.05


def parse_header(content: bytes, path: Path) -> Any:
    """Return the header at the start of a file, a `Nifti1Header` or `Nifti2Header`, as it is stored.

    Raises InputError if there is none.
    """
    for kind in (nib.Nifti1Header, nib.Nifti2Header):
        if kind.may_contain_header(content):
            return kind(content[: kind.sizeof_hdr], check=False)
    raise InputError(f"{path} is not a readable NIfTI file (it does not start with a NIfTI header); export or copy it again")


def data_shape(header: Any) -> tuple[int, ...]:
    """Return the number of voxels along each axis that the header declares, 0 to 7 of them."""
    return tuple(int(n) for n in header["dim"][1 : 1 + max(int(header["dim"][0]), 0)])


def spatial_shape(shape: tuple[int, ...], path: Path) -> tuple[int, int, int]:
    """Return a 3-D shape: trailing axes of length 1 are dropped, a 2-D image is one slice. Raises InputError if there is none."""
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
    """Return the byte at which the voxels begin; 0 stands for the first after the header."""
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
    """Return the type of the voxels; raise InputError if it is not one real number each."""
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
    """Return slope and intercept of the voxels' values; a slope of 0, and what is not finite, stand for none."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite(slope):
        return 1.0, 0.0
    return slope, intercept if np.isfinite(intercept) else 0.0


def affine_of(header: Any, path: Path) -> np.ndarray:
    """Return the affine from voxels to mm: of the sform, else of the qform, else of the voxel sizes alone.

    Raises
    ------
    InputError
        If it is singular or not finite, if its voxel sizes are missing or not plausible, or if its rotation is none.
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
    """Return a header that was read, with the rotation of its qform as nibabel takes it, if that places the image."""
    placed_by_qform = header["sform_code"] <= 0 < header["qform_code"]
    return _with_rotation(header, Path("the image")) if placed_by_qform else header


def warn_of_doubt(header: Any, path: Path) -> None:
    """Warn of a header that does not say which way its image lies, or names two ways, or two voxel sizes."""
    if header["sform_code"] <= 0:
        if header["qform_code"] <= 0:
            log.warning("the header of %s does not say which way it lies: taken for RPI, as is the custom", path)
        return
    if by_qform := _axes_of_qform(header):
        by_sform = "".join(nib.aff2axcodes(header.get_sform()))
        if by_sform != by_qform:
            said = "the header of %s names two orientations, axes that run to %s (sform) and to %s (qform): the first is taken"
            log.warning(said, path, by_sform, by_qform)
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
    """Return where the axes run by the qform, in nibabel's codes; "" if there is none, or it cannot be read."""
    with contextlib.suppress(nib.spatialimages.HeaderDataError, ValueError):
        if header["qform_code"] > 0:
            return "".join(str(code) for code in nib.aff2axcodes(header.get_qform()))
    return ""


def _with_rotation(header: Any, path: Path) -> Any:
    """Return a header whose quaternion and handedness are such as nibabel takes; raise InputError if that would be a guess."""
    header = header.copy()
    handedness = float(header["pixdim"][0])
    if handedness not in (-1, 0, 1):
        raise InputError(f"expected a pixdim[0] of 1 or -1; the header of {path} says {handedness:g}: repair its qform")
    header["pixdim"][0] = handedness or 1  # as NIfTI has it
    parts = ["quatern_b", "quatern_c", "quatern_d"]
    squared = sum(float(header[part]) ** 2 for part in parts)
    if squared > 1 + QUATERNION_EXCESS:
        raise InputError(f"expected a quaternion no longer than 1; that of {path} is {squared**0.5:.6g} long: repair its qform")
    if squared > 1 + header.quaternion_threshold / 2:  # beyond that, nibabel refuses it
        for part in parts:
            header[part] = float(header[part]) / squared**0.5
    return header


def _with_sizes(header: Any, path: Path) -> Any:
    """Return a header whose voxel sizes are all given; raise InputError if that would be a guess."""
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
    return " x ".join(f"{length:.4g}" for length in lengths)


def _unit_mm(header: Any) -> float:
    return UNITS_MM.get(int(header["xyzt_units"]) % 8, 1.0)


def _in_mm(affine: np.ndarray, header: Any, path: Path) -> np.ndarray:
    """Return an affine in the header's unit of length in mm, and raise InputError if its voxels are of no plausible size."""
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
    low, high = PLAUSIBLE_SPACING_MM
    return low <= spacing_mm.min() and spacing_mm.max() <= high
