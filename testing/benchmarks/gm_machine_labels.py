"""Gray-matter labels of scans that no expert labelled: what two teachers agree on.

    python testing/benchmarks/gm_machine_labels.py OUT --teacher large_model.hdf5 --teacher gm_synthetic.weights.h5

Writes, for each scan, `OUT/NAME_gray.nii.gz`, the mean of the two teachers' masks (so 0.5 where one of them sees gray matter),
and `OUT/NAME_cord.nii.gz`, by the shipped model of the cord. A slice that the teachers see differently (Dice below 0.8) has no
gray matter, and so is not trained on; an object that only one teacher sees is dropped. The training configuration `gm` reads
them from `machine/`, in the data's folder.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
from gm_card import data_folder, run_command
from scipy import ndimage

from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.image.orientation import from_rpi, to_rpi

SCANS = (
    "dev/errsm/sub-errsm*/anat/*_T2star.nii.gz",
    "dev/errsm/sub-gre01/anat/*_T2star.nii.gz",
    "dev/gm_challenge/sub-*/anat/*_run-2_T2starw.nii.gz",
    "unlabelled/*_acq-MToff_MTS.nii.gz",
)
LEAST_AGREEMENT = 0.8


def agreement(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the mean of two masks, shape (nx, ny, nz), float32, without what they do not agree on at all."""
    label = np.zeros(first.shape, np.float32)
    for k in range(first.shape[2]):
        masks = [_seen_by(mask[:, :, k], other[:, :, k]) for mask, other in ((first, second), (second, first))]
        total = sum(int(mask.sum()) for mask in masks)
        if total and 2 * (masks[0] & masks[1]).sum() / total >= LEAST_AGREEMENT:
            label[:, :, k] = np.mean(masks, axis=0)
    return label


def _seen_by(mask: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the objects of `mask` that overlap with `other`."""
    objects, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    seen = np.unique(objects[other & mask])
    return np.isin(objects, seen[seen > 0])


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--teacher", "teachers", multiple=True, required=True, help="Weights; twice.")
def main(out: Path, teachers: tuple[str, ...]) -> None:
    """Write labels for every scan, and print how many slices of each have one."""
    if len(teachers) != 2:
        raise click.UsageError(f"expected two teachers; got {len(teachers)}")
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(path for pattern in SCANS for path in data_folder().glob(pattern)):
        name = path.name.removesuffix(".nii.gz")
        cord_path = out / f"{name}_cord.nii.gz"
        run_command("seg_cord", "-i", str(path), "-o", str(cord_path))
        masks = []
        for teacher in teachers:
            with TemporaryDirectory() as folder:
                mask_path = Path(folder) / "mask.nii.gz"
                options = ("--custom", teacher, "--centerline", str(cord_path))
                run_command("seg_gm", "-i", str(path), "-o", str(mask_path), *options)
                masks.append(to_rpi(read_volume(mask_path, kind="mask")).data > 0)
        label = agreement(*masks)
        write_volume(out / f"{name}_gray.nii.gz", from_rpi(label, read_volume(path)))
        click.echo(f"{name:32s} {int(label.any(axis=(0, 1)).sum())} of {label.shape[2]} slices")


if __name__ == "__main__":
    main()
