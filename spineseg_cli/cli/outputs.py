"""Where a command's images go, and how they are written."""

from __future__ import annotations

from pathlib import Path

from spineseg_cli.cli.common import report
from spineseg_cli.errors import InputError


def default_output(image_path: Path, suffix: str) -> Path:
    """Return `folder/scan<suffix>.nii.gz` for `folder/scan.nii.gz`."""
    return image_path.with_name(image_path.name.removesuffix(".gz").removesuffix(".nii") + f"{suffix}.nii.gz")


def check_outputs(outputs: list[Path], inputs: list[Path]) -> None:
    """Raise InputError if an output image or its sidecar cannot be written, or would replace an input or another output."""
    from spineseg_cli.core.nifti import check_output_path
    from spineseg_cli.core.provenance import sidecar_path

    taken = {file.resolve() for path in inputs for file in (path, sidecar_path(path))}
    for path in outputs:
        check_output_path(path)
        for file in (path, sidecar_path(path)):
            if file.resolve() in taken:
                raise InputError(f"cannot write {file}: it is, or describes, an input or another output; name another output")
            taken.add(file.resolve())


def write_output(path: Path, volume, inputs: list[Path], details: dict, verbose: int) -> None:
    """Write a `Volume` and its sidecar, and report its volume."""
    from spineseg_cli.core.nifti import write_volume
    from spineseg_cli.core.provenance import write_sidecar

    write_volume(path, volume, volume.data.dtype)
    write_sidecar(path, inputs, details)
    report(f"{path}: {volume.volume_mm3:.1f} mm3", verbose)


def write_table_output(path: Path, table, inputs: list[Path], details: dict, verbose: int) -> None:
    """Write a `Table` and its sidecar, and report its length."""
    from spineseg_cli.core.provenance import write_sidecar
    from spineseg_cli.metrics.table import write_table

    write_table(path, table)
    write_sidecar(path, inputs, details)
    report(f"wrote {path}: {len(table.rows)} rows", verbose)
