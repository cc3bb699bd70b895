"""Output images and tables of commands: default paths, checks, and writing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from spineseg_cli.cli.console import report
from spineseg_cli.core.image.file_names import stem_of
from spineseg_cli.core.ranges import counted, listed_ranges
from spineseg_cli.errors import InputError


def default_output(image_path: Path, suffix: str) -> Path:
    """Return `folder/scan<suffix>.nii.gz` for `folder/scan.nii.gz`; raise InputError if the latter does not exist."""
    from spineseg_cli.core.file_checks import check_present

    check_present(image_path)
    return image_path.with_name(f"{stem_of(image_path.name)}{suffix}.nii.gz")


def check_outputs(outputs: Sequence[Path], inputs: Sequence[Path], tables: Sequence[Path] = ()) -> None:
    """Raise InputError if an output image, its sidecar or a table cannot be written, or would replace an input or another."""
    from spineseg_cli.core.file_checks import check_present, check_writable
    from spineseg_cli.core.image.nifti import check_output_path
    from spineseg_cli.core.provenance import sidecar_path

    taken = set()
    for path in inputs:
        check_present(path)
        for file in (path, sidecar_path(path)):
            taken |= {file.resolve()} | _inode(file)
    for path in outputs:
        check_output_path(path)
    for file in [file for path in outputs for file in (path, sidecar_path(path))] + list(tables):
        check_writable(file)
        path = file.resolve()
        names = {path, str(path).casefold()}  # on file systems that ignore case, two outputs might be the same file
        if (names | _inode(file)) & taken:
            raise InputError(f"cannot write {file}: it is, or describes, an input or another output; name another output")
        taken |= names


def _inode(file: Path) -> set:
    """Return the device and the inode of a file, which hard links and names in another case share; empty without a file."""
    with suppress(OSError):
        status = file.stat()
        if status.st_ino:  # some network file systems have no inodes
            return {(status.st_dev, status.st_ino)}
    return set()


def write_output(path: Path, volumes: list, inputs: list[Path], details: dict, verbose: int, *, size: str = "") -> None:
    """Write one `CroppedVolume`, or several as a 4-D image, with a sidecar, and report its `size`.

    By default, the size is the volume and the axial slices that are not empty; of several images, the mean volume of those that
    are not empty, and their number.
    """
    from spineseg_cli.core.image.nifti import write_volume, write_volumes
    from spineseg_cli.core.provenance import write_sidecar

    if len(volumes) > 1:
        write_volumes(path, [one.whole() for one in volumes], volumes[0].dtype)
    else:
        write_volume(path, volumes[0], volumes[0].dtype)
    write_sidecar(path, inputs, details)
    report(f"{path}: {size or _size(volumes)}", verbose)


def _size(volumes: list) -> str:
    """Return the volume of a `CroppedVolume` and its axial slices that are not empty, or the mean volume of several."""
    sizes_mm3 = [one.volume_mm3 for one in volumes if one.volume_mm3]
    size = f"{sum(sizes_mm3) / max(len(sizes_mm3), 1):.1f} mm3"
    if len(volumes) > 1:
        return f"{size} on average, in {len(sizes_mm3)} of {len(volumes)} volumes"
    filled = volumes[0].filled_slices
    if not filled.any():
        return size
    if filled.all():
        return f"{size} in all {len(filled)} axial slices" if len(filled) > 1 else size
    which = filled.nonzero()[0].tolist()
    return f"{size} in {len(which)} of {len(filled)} axial slices ({listed_ranges(which)} from below)"


def segmentation_details(result, threshold: float | None, soft: bool, **more) -> dict:
    """Return the details of a `Segmentation` for its sidecar and the report, with further ones in `more`.

    The output is its probability if that was asked for or the threshold given is 0, otherwise its mask.
    """
    written = {"Threshold": threshold or 0.0, "Soft": True} if soft or threshold == 0 else mask_details(result)
    return result.details(**written) | more


def mask_details(result) -> dict:
    """Return the details of a mask that is written of a `Segmentation`."""
    return {"Threshold": result.threshold, "Soft": False}


def write_segmentation(path: Path, results: list, inputs: list[Path], details: dict, verbose: int) -> bool:
    """Write the mask or probability of a `Segmentation`, or of one for each volume; return whether any voxel is not 0."""
    written = [one.cropped_soft(details["Threshold"]) if details["Soft"] else one.cropped_mask for one in results]
    write_output(path, written, inputs, details, verbose)
    return any(one.any() for one in written)


def write_csv_output(path: Path, header: Sequence[str], rows: Iterable[Sequence], verbose: int) -> None:
    """Write a table with a row for each slice, and report the number of rows."""
    from spineseg_cli.core.tables import write_rows

    rows = list(rows)
    write_rows(path, header, rows)
    report(f"{path}: {counted(len(rows), 'slice')}", verbose)
