"""Reading of NIfTI files, as values or in their stored type, with one-sentence errors for invalid files."""

from __future__ import annotations

import gzip
import logging
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np

from spineseg_cli.core.file_checks import check_present
from spineseg_cli.core.image.file_names import is_gzip_name
from spineseg_cli.core.image.nifti_header import (
    HEADER_BYTES,
    affine_of,
    data_offset,
    data_shape,
    data_type,
    parse_header,
    scaling,
)
from spineseg_cli.core.image.stored import StoredVoxels
from spineseg_cli.errors import InputError

GZIP_START = b"\x1f\x8b"

log = logging.getLogger(__name__)

# Number of voxels that are read at a time, so that no second copy of an image is made.
VOXELS_AT_A_TIME = 1 << 22

# The highest possible compression ratio of gzip, by the limits of deflate (RFC 1951).
GZIP_RATIO = 1032


@contextmanager
def open_nifti(path: Path) -> Iterator[NiftiFile]:
    """Open a file whose header and voxels can be read within the context.

    Raises InputError if it is missing, not fetched, damaged, or not NIfTI, also if this is detected within the context.
    """
    check_present(path)
    try:
        with open(path, "rb") as stored:
            start = stored.read(HEADER_BYTES)
            gzipped = start.startswith(GZIP_START)
            if gzipped != is_gzip_name(path.name):
                if not gzipped:
                    parse_header(start, path)  # else another name would not help
                detected, suffix = ("is", ".nii.gz") if gzipped else ("is not", ".nii")
                raise InputError(f"{path} is not a readable NIfTI file (it {detected} gzipped); rename it to end in {suffix}")
            stored.seek(0)
            with gzip.open(stored) if gzipped else stored as file:
                yield NiftiFile(path, file, parse_header(file.read(HEADER_BYTES), path))
    except (OSError, EOFError, zlib.error, ValueError, OverflowError) as error:
        raise InputError(f"{path} is damaged or cut short ({' '.join(str(error).split())}); copy it again") from error


@dataclass
class NiftiFile:
    """An open NIfTI file."""

    path: Path
    file: BinaryIO | gzip.GzipFile  # open for reading
    header: Any  # the NIfTI-1 or NIfTI-2 header as stored

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The number of voxels along each axis that the header declares."""
        return data_shape(self.header)

    @cached_property
    def affine(self) -> np.ndarray:
        """The affine from voxels to mm. Raises InputError if the header has none, see `nifti_header.affine_of`."""
        return affine_of(self.header, self.path)

    def read(self) -> np.ndarray:
        """Return the voxel values, float32, and read the file to its end, where gzip stores its checksum."""
        return self._read(np.dtype(np.float32), scaling(self.header)).reshape(self.shape, order="F")

    def read_stored(self) -> np.ndarray | StoredVoxels:
        """Return the voxel values, float32, or the stored numbers if they take less memory; see `read`."""
        dtype = data_type(self.header, self.path)
        if dtype.itemsize >= np.dtype(np.float32).itemsize:
            return self.read()
        stored = self._read(dtype.newbyteorder("="), ()).reshape(self.shape, order="F")
        return StoredVoxels(stored, *scaling(self.header))

    def _read(self, wanted: np.dtype, scale: tuple[float, ...]) -> np.ndarray:
        """Return the scaled voxels in the order of the file, converted to the type `wanted`."""
        header, path, file, shape = self.header, self.path, self.file, self.shape
        dtype, offset = data_type(header, path), data_offset(header, path)
        size = math.prod(shape) * dtype.itemsize
        if offset + size > path.stat().st_size * (GZIP_RATIO if is_gzip_name(path.name) else 1):
            raise EOFError(f"expected {size} bytes of voxels")
        flat = np.empty(math.prod(shape), wanted)
        unchanged = dtype == wanted and scale in ((), (1.0, 0.0))
        for first in range(0, flat.size, VOXELS_AT_A_TIME):
            part = flat[first : first + VOXELS_AT_A_TIME]
            if unchanged:
                _fill(part, file, offset + first * dtype.itemsize)
                continue
            stored = (part.shape, dtype, offset + first * dtype.itemsize, *scale)
            # Without memory mapping, which crashes if a disk becomes unavailable.
            with np.errstate(over="ignore"):  # values beyond float32 become infinite
                part[:] = np.asarray(nib.arrayproxy.ArrayProxy(file, stored, mmap=False), dtype=wanted)
        file.seek(offset + size)
        left = 0
        try:
            while block := file.read(1 << 20):
                left += len(block)
        except gzip.BadGzipFile as error:
            if not str(error).startswith("Not a gzipped file"):  # such as a wrong checksum
                raise
            log.warning("%s: bytes that follow the gzipped image are left out", path)
        if left >= size:
            raise InputError(
                f"{path} holds {1 + left // size} times the voxels that its header declares ({dtype.name} {shape}): repair its "
                "header"
            )
        return flat


def _fill(part: np.ndarray, file: Any, offset: int) -> None:
    """Read the bytes of an array from an open file; raise EOFError if it ends too early."""
    file.seek(offset)
    left = memoryview(part.data).cast("B")
    while left:
        count = file.readinto(left)
        if not count:
            raise EOFError(f"{len(left)} bytes of voxels are missing")
        left = left[count:]
