"""Reading and writing of NIfTI; no other module does either.

Invalid files are detected here, before anything slow starts. A written image keeps the grid of the image it belongs to: shape,
qform, sform and their codes are copied from that image's header, never recomputed.
"""

from __future__ import annotations

import contextlib
import math
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, cast

import nibabel as nib
import numpy as np

from spineseg_cli.core.file_checks import check_writable
from spineseg_cli.core.files import atomic_path
from spineseg_cli.core.image.cropped import CroppedVolume
from spineseg_cli.core.image.file_names import how_to_convert, is_gzip_name, is_nifti_name
from spineseg_cli.core.image.nifti_file import open_nifti
from spineseg_cli.core.image.nifti_header import affine_of, data_shape, data_type, for_nibabel, spatial_shape, warn_of_doubt
from spineseg_cli.core.image.non_finite import fill_non_finite
from spineseg_cli.core.image.slabs import prefetched
from spineseg_cli.core.image.value_check import checked_values, has_non_finite
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import InputError

# Number of planes that are written at a time, so that no second copy of an image is made.
PLANES_AT_A_TIME = 64


def check_output_path(path: str | Path) -> Path:
    """Return `path` if it names a NIfTI file that can be written, else raise InputError. Nothing on disk is changed."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder; name a file in it")
    if not is_nifti_name(path.name):
        raise InputError(f"an output image must end in .nii or .nii.gz; got {path.name!r}")
    check_writable(path)
    return path


def read_volume(path: str | Path, *, kind: str = "image", volumes: str = "refuse", as_stored: bool = False) -> Volume:
    """Read a 3-D NIfTI file, or the mean of a 4-D one.

    A 2-D image becomes one slice, and trailing axes of length 1 are dropped (the file's own shape is kept for writing). NaN and
    infinite voxels become 0, of which `Volume.meta` tells (see `core.image.non_finite`).

    Parameters
    ----------
    path : path
        A `.nii` or `.nii.gz` file.
    kind : {"image", "mask"}
        The kind of image: a mask may be constant (all zero), a scan may not.
    volumes : {"refuse", "mean"}
        The treatment of an image of several volumes (4-D): it is refused, or the volumes are averaged, and images written on
        its grid are 3-D.
    as_stored : bool
        Whether to keep the voxels in the type of the file if that takes less memory, and to convert them when they are accessed;
        for callers that read a scan slice by slice.

    Returns
    -------
    Volume
        The image as float32 with the file's scaling applied; with `as_stored`, its data may be `StoredVoxels`.

    Raises
    ------
    InputError
        If the file is missing, not fetched, damaged, not NIfTI, complex or RGB, not 3-D, finite in no voxel, or
        constant (`kind="image"`), or if its header does not define its position in space or its voxel size.
    """
    path = Path(path)
    if not is_nifti_name(path.name):
        raise InputError(f"expected a NIfTI file ending in .nii or .nii.gz; got {path.name!r}: {how_to_convert(path.name)}")
    data: Any
    averaged = None
    with open_nifti(path) as file:
        header, affine = file.header, file.affine
        if volumes == "mean" and volume_count(file.shape) > 1:
            averaged = _volumes_of(file.read())
            data, header = _mean_of(averaged), _header_of_one(header)
        else:
            shape = spatial_shape(file.shape, path)
            data = (file.read_stored() if as_stored else file.read()).reshape(shape)
    if kind == "image":
        warn_of_doubt(header, path)
    data, about = checked_values(data, affine, kind, path, averaged)
    return Volume(data, affine, MappingProxyType({"header": header, **about}))


def count_volumes(path: str | Path) -> int:
    """Return how many 3-D volumes a file holds; 1 if it cannot be read, since the error is raised when it is read whole."""
    try:
        with open_nifti(Path(path)) as file:
            return volume_count(file.shape)
    except InputError:
        return 1


def read_volumes(path: str | Path) -> list[Volume]:
    """Read each 3-D volume of a 4-D NIfTI file, or the only one of a 3-D file; errors are those of `read_volume`."""
    if count_volumes(path) == 1:
        return [read_volume(path)]
    path = Path(path)
    with open_nifti(path) as file:
        header, affine = file.header, file.affine
        data = _volumes_of(file.read())
    warn_of_doubt(header, path)
    about = fill_non_finite(data, affine, path, "image") if has_non_finite(data) else {}
    volumes = []
    for one in np.moveaxis(data, -1, 0):
        checked_values(one, affine, "image", path)
        meta = MappingProxyType({"header": _header_of_one(header), **about})
        volumes.append(Volume(np.ascontiguousarray(one), affine, meta))
    return volumes


def write_volumes(path: str | Path, volumes: Sequence[Volume], dtype: type = np.float32) -> None:
    """Write volumes on the same grid to `path` as a 4-D image of `dtype`; see `write_volume`."""
    header = _output_header(volumes[0].meta["header"], dtype)
    header["dim"][0], header["dim"][4] = 4, len(volumes)
    stacked = np.stack([volume.data for volume in volumes], axis=-1)
    with atomic_path(check_output_path(path)) as temporary:
        _save(lambda first, end: stacked[:, :, first:end], stacked.shape[2], header, temporary)


def write_volume(path: str | Path, volume: Volume | CroppedVolume, dtype: type | np.dtype = np.float32) -> None:
    """Write `volume` to `path` as `dtype`, on the grid of the file it was read from, or else by its affine.

    The file is written completely or not at all. Raises InputError if it cannot be written.
    """
    path = check_output_path(path)
    with atomic_path(path) as temporary:
        grid = volume.image if isinstance(volume, CroppedVolume) else volume
        _save(volume.planes, volume.shape[2], _output_header(_header_of(grid, dtype), dtype), temporary)


def volume_from_nibabel(image: nib.Nifti1Image, *, kind: str = "image", volumes: str = "refuse") -> Volume:
    """Return a NIfTI image in memory as a volume, with the options and the errors of `read_volume`.

    Raises InputError, also for an image of another format.
    """
    if not isinstance(image, nib.Nifti1Pair):  # NIfTI-2 images are of this class too
        other = isinstance(image, nib.spatialimages.SpatialImage)
        advice = "nibabel.Nifti1Image.from_image makes one of it" if other else "nibabel.Nifti1Image(array, affine) is one"
        raise InputError(f"expected a path or a NIfTI image of nibabel; got {type(image).__name__}: {advice}")
    name = Path(image.get_filename() or "the image")
    header = image.header.copy()
    data_type(header, name)  # raises InputError unless each voxel is one real number
    affine, averaged = affine_of(header, name), None
    if volumes == "mean" and volume_count(image.shape) > 1:
        averaged = _volumes_of(np.asarray(image.dataobj, dtype=np.float32))
        data, header = _mean_of(averaged), _header_of_one(header)
    else:
        data = np.asarray(image.dataobj, dtype=np.float32).reshape(spatial_shape(image.shape, name))
        data.flags.writeable = False  # it may be the caller's
    if kind == "image":
        warn_of_doubt(header, name)
    values, about = checked_values(data, affine, kind, name, averaged)
    return Volume(cast(np.ndarray, values), affine, MappingProxyType({"header": header, **about}))


def nibabel_from_volume(volume: Volume, dtype: type | np.dtype = np.float32) -> nib.Nifti1Image:
    """Return `volume` as a NIfTI image of nibabel in memory, as `dtype`, with the grid that `write_volume` writes."""
    header = for_nibabel(_output_header(_header_of(volume, dtype), dtype))
    kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    data = np.asarray(volume.data, dtype=dtype).reshape(data_shape(header))
    return kind(data, header.get_best_affine(), header=header)  # with the header's own affine, nibabel keeps it unchanged


def write_stored(path: str | Path, data: np.ndarray, header: Any) -> None:
    """Write voxels in their stored type, with any number of axes, and a header that fits them, both unchanged.

    The file is written completely or not at all. Raises InputError if it cannot be written.
    """
    path = check_output_path(path)
    header["magic"], header["vox_offset"] = header.single_magic, 0
    with atomic_path(path) as temporary:
        _save(lambda first, end: data[:, :, first:end], data.shape[2], header, temporary, zlib.Z_DEFAULT_STRATEGY)


def volume_count(shape: tuple[int, ...]) -> int:
    """Return how many 3-D volumes an image of this shape holds."""
    return math.prod(shape[3:]) if len(shape) > 3 else 1


def _volumes_of(stacked: np.ndarray) -> np.ndarray:
    """Return the volumes in an array of 4 axes or more, shape (nx, ny, nz, n)."""
    return stacked.reshape(*stacked.shape[:3], -1, order="F")


def _mean_of(volumes: np.ndarray) -> np.ndarray:
    """Return the mean of volumes, shape (nx, ny, nz, n), float32; not finite where one of them is not."""
    with np.errstate(invalid="ignore"):
        mean: np.ndarray = volumes.mean(axis=-1, dtype=np.float64).astype(np.float32)
    return mean


def _header_of_one(header: Any) -> Any:
    """Return the header of one volume of a 4-D image."""
    one = header.copy()
    one["dim"][0], one["dim"][4:] = 3, 1
    return one


def _header_of(volume: Volume, dtype: type | np.dtype) -> Any:
    """Return the header of the file that a volume was read from, or else a new one with its affine."""
    if (header := volume.meta.get("header")) is not None:
        return header
    image = nib.Nifti1Image(np.broadcast_to(np.zeros((), dtype), volume.shape), volume.affine)
    image.set_qform(volume.affine, code=1)
    image.set_sform(volume.affine, code=1)
    return image.header


def _output_header(header: Any, dtype: type | np.dtype) -> Any:
    """Return a copy of a header for an output of `dtype`, without scaling, display range and intent."""
    output = header.copy()
    output["sizeof_hdr"], output["magic"], output["vox_offset"] = output.sizeof_hdr, output.single_magic, 0
    output.set_data_dtype(dtype)
    output.set_slope_inter(1, 0)
    output["cal_max"] = output["cal_min"] = 0
    output.set_intent("none")
    output["descrip"] = b"spineseg"
    return output


class _GzipWriter:
    """A file whose content is compressed by gzip into another one; equal content gives equal bytes.

    Of the strategies of `zlib`, `Z_RLE` compresses masks and their probabilities, which are mostly runs of equal bytes, in 40 %
    of the time of the default; those of a long cord become up to 1.7 times as large.
    """

    def __init__(self, file: BinaryIO, strategy: int):
        self._file = file
        self._zip = zlib.compressobj(wbits=16 + zlib.MAX_WBITS, strategy=strategy)  # its header has no file name and no time

    def write(self, content: bytes | memoryview) -> None:
        """Compress and write some content."""
        self._file.write(self._zip.compress(content))

    def close(self) -> None:
        """Write what remains, and the checksum."""
        self._file.write(self._zip.flush())


def _save(planes: Callable[[int, int], np.ndarray], count: int, header: Any, path: Path, strategy: int = zlib.Z_RLE) -> None:
    """Write a header unchanged, which nibabel's images might change or refuse, and the voxels after it.

    `planes(first, end)` returns planes across the third axis, of which there are `count`; `strategy` is that of `zlib`.
    """
    with contextlib.ExitStack() as stack:
        file: Any = stack.enter_context(open(path, "wb"))
        if is_gzip_name(path.name):
            file = stack.enter_context(contextlib.closing(_GzipWriter(file, strategy)))
        header.write_to(file)
        # The header's shape differs only by axes of length 1, so that planes of the third axis are contiguous in the file.
        dtype = header.get_data_dtype()

        def part(first: int) -> np.ndarray:
            return planes(first, min(first + PLANES_AT_A_TIME, count)).astype(dtype, copy=False).ravel(order="F")

        for values in prefetched(part, range(0, count, PLANES_AT_A_TIME)):
            file.write(values.data)
