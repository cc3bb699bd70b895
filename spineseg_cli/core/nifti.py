"""The only place that reads and writes NIfTI.

What is wrong with a file is found here, before anything slow starts. What is written keeps the grid of the image it
belongs to: shape, qform, sform and their codes are copied from that image's header, never recomputed.
"""

from __future__ import annotations

import gzip
import logging
import zlib
from pathlib import Path
from types import MappingProxyType

import nibabel as nib
import numpy as np

from spineseg_cli.core.files import atomic_path, check_writable
from spineseg_cli.core.volume import Volume
from spineseg_cli.errors import GridMismatchError, InputError

log = logging.getLogger(__name__)

NIFTI_SUFFIXES = (".nii", ".nii.gz")

# The finest ex vivo scans have voxels of about 0.01 mm; anything outside this range is a header in other units.
PLAUSIBLE_SPACING_MM = (0.005, 100.0)

# Two grids are one if no voxel of the image moves by more than this share of the smallest voxel. Tools that write only
# one of qform and sform round the other's rotation: over a 170 mm field of view that is up to 0.15 voxel in real data.
GRID_TOLERANCE_VX = 0.25


def check_output_path(path: str | Path) -> Path:
    """Return `path` if it names a NIfTI file that can be written; raise InputError otherwise. Touches nothing on disk."""
    path = Path(path)
    if not path.name.endswith(NIFTI_SUFFIXES):
        raise InputError(f"an output image must end in .nii or .nii.gz; got {path.name!r}")
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder; name a file in it")
    check_writable(path)
    return path


def read_volume(path: str | Path, *, kind: str = "image") -> Volume:
    """Read a 3-D NIfTI file.

    A 2-D image becomes one slice, and trailing axes of length 1 are dropped (the file's own shape is kept for writing).

    Parameters
    ----------
    path : path
        A `.nii` or `.nii.gz` file.
    kind : {"image", "mask"}
        A mask may be constant (all zero); an image may not.

    Returns
    -------
    Volume
        float32 data with the file's scaling applied.

    Raises
    ------
    InputError
        If the file is missing, damaged, not NIfTI, complex or RGB, not 3-D, not finite, or constant (`kind="image"`), or
        if its header does not place it in space.
    """
    path = Path(path)
    image = _load(path)
    shape = _spatial_shape(image.shape, path)
    _check_type(image, path)
    data = _read_data(image, path).reshape(shape)
    affine = _affine(image, path)
    if kind == "image" and not (image.header["qform_code"] or image.header["sform_code"]):
        log.warning("the header of %s does not say which way it lies: taken for RPI, as is the custom", path)
    _check_values(data, kind, path)
    meta = {"header": image.header.copy(), "disk_shape": tuple(image.shape), "image_class": type(image)}
    return Volume(data, affine, MappingProxyType(meta))


def write_volume(path: str | Path, volume: Volume, dtype: type = np.float32) -> None:
    """Write `volume` to `path` as `dtype`, on the grid of the file it was read from (or by its affine if it was not).

    The file appears whole or not at all. Raises InputError if it cannot be written.
    """
    path = check_output_path(path)
    data = np.asarray(volume.data, dtype=dtype)
    header = volume.meta.get("header")
    if header is None:
        image = nib.Nifti1Image(data, volume.affine)
        image.set_qform(volume.affine, code=1)
        image.set_sform(volume.affine, code=1)
    else:
        image = volume.meta["image_class"](data.reshape(volume.meta["disk_shape"]), None, header=_output_header(header, dtype))
    with atomic_path(path) as temporary:
        _save(image, temporary)


def check_same_grid(first: Volume, second: Volume, first_name: str, second_name: str) -> None:
    """Raise GridMismatchError unless both volumes have one shape and place every voxel alike (to a quarter of a voxel)."""
    if first.shape != second.shape:
        raise GridMismatchError(
            f"{first_name} and {second_name} must be on one voxel grid; their shapes are {first.shape} and {second.shape}: "
            f"resample one to the other first"
        )
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) * [*first.shape, 1]
    shift_mm = np.linalg.norm((corners @ (first.affine - second.affine).T)[:, :3], axis=1).max()
    if shift_mm > GRID_TOLERANCE_VX * min(first.spacing_mm):
        raise GridMismatchError(
            f"{first_name} and {second_name} must be on one voxel grid; their headers place the same voxel up to "
            f"{shift_mm:.2g} mm apart: resample one to the other first"
        )


def _load(path: Path):
    if not path.name.endswith(NIFTI_SUFFIXES):
        raise InputError(f"expected a NIfTI file ending in .nii or .nii.gz; got {path.name!r}: convert it first")
    if not path.is_file():
        raise InputError(f"no such file: {path}" + (" (it is a folder)" if path.is_dir() else ""))
    try:
        image = nib.load(path)
    except (
        nib.filebasedimages.ImageFileError,
        nib.spatialimages.HeaderDataError,
        OSError,
        EOFError,
        zlib.error,
        ValueError,
        OverflowError,
    ) as error:
        raise InputError(f"{path} is not a readable NIfTI file ({_one_line(error)}); export or copy it again") from error
    if not isinstance(image, nib.Nifti1Image):  # Nifti2Image is a subclass
        raise InputError(f"expected a NIfTI image in {path}; got {type(image).__name__}: convert it first")
    return image


def _spatial_shape(shape: tuple[int, ...], path: Path) -> tuple[int, int, int]:
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
    return core


def _check_type(image, path: Path) -> None:
    dtype = image.get_data_dtype()
    if dtype.fields is not None:
        raise InputError(f"expected one number a voxel; {path} holds colours (RGB): convert it to gray values first")
    if np.issubdtype(dtype, np.complexfloating):
        raise InputError(f"expected real numbers; {path} holds complex ones: save its magnitude first")


def _read_data(image, path: Path) -> np.ndarray:
    try:
        return np.asarray(image.dataobj, dtype=np.float32)
    except (OSError, EOFError, zlib.error, ValueError, OverflowError) as error:
        raise InputError(f"{path} is damaged or cut short ({_one_line(error)}); copy it again") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _affine(image, path: Path) -> np.ndarray:
    affine = np.asarray(image.affine, dtype=float)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        raise InputError(
            f"the header of {path} does not place the image in space (its affine is singular): repair its sform or qform"
        )
    spacing_mm = np.linalg.norm(affine[:3, :3], axis=0)
    low, high = PLAUSIBLE_SPACING_MM
    if spacing_mm.min() < low or spacing_mm.max() > high:
        raise InputError(
            f"expected voxels of {low} to {high:g} mm; the header of {path} says {np.round(spacing_mm, 6).tolist()}: repair its "
            f"voxel size or units"
        )
    return affine


def _check_values(data: np.ndarray, kind: str, path: Path) -> None:
    if not np.isfinite(data).all():
        count = int(data.size - np.isfinite(data).sum())
        raise InputError(f"expected finite values; {path} holds {count} NaN or infinite voxels: replace them (with 0, say) first")
    if kind == "image" and data.min() == data.max():
        raise InputError(f"expected an image; every voxel of {path} is {data.flat[0]:g}")


def _output_header(header, dtype):
    output = header.copy()
    output.extensions.clear()
    output.set_data_dtype(dtype)
    output.set_slope_inter(1, 0)
    output["cal_max"] = output["cal_min"] = 0
    output.set_intent("none")
    output["descrip"] = b"spineseg"
    return output


def _save(image, path: Path) -> None:
    if not path.name.endswith(".gz"):
        nib.save(image, path)
        return
    # A gzip header holds the time and the name of the file; without them, the same mask is the same bytes.
    with open(path, "wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as stream:
        stream.write(image.to_bytes())
