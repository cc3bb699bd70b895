"""Gray-matter labels of scans that no expert labelled: what two teachers agree on.

    python testing/benchmarks/gm_machine_labels.py OUT --teacher large_model.hdf5 --teacher gm_synthetic.weights.h5

Writes, for each scan, `OUT/NAME_gray.nii.gz`, the mean of the two teachers' masks (so 0.5 where one of them sees gray matter), and
`OUT/NAME_cord.nii.gz`, by the shipped model of the cord. A slice that the teachers see differently (Dice below 0.8) is left empty in
both; an object that only one teacher sees is dropped. The training configuration `gm` reads them from `machine/`, in the data's folder.
"""

from __future__ import annotations

import os
from pathlib import Path

import click
import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.image.orientation import from_rpi, to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.runtime import Runtime
from spineseg_cli.tasks.cord import segment_cord
from spineseg_cli.tasks.gray_matter import segment_gray_matter
from spineseg_cli.weights.model import Model, find_custom, find_model

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


def mask_by(model: Model, runtime: Runtime, image: Volume, cord: Volume) -> np.ndarray:
    """Return a teacher's mask of the gray matter; windows follow the cord."""
    return segment_gray_matter(image, model, centerline=cord, runtime=runtime).mask.data > 0


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--teacher", "teachers", multiple=True, required=True, help="Weights; twice.")
def main(out: Path, teachers: tuple[str, ...]) -> None:
    """Write labels for every scan, and print how many slices of each have one."""
    root = Path(os.environ.get("SPINESEG_SHARED", "../shared")) / "data"
    out.mkdir(parents=True, exist_ok=True)
    models = [find_custom(teacher, "gray_matter") for teacher in teachers]
    runtimes = [model.open_runtime("cpu") for model in models]
    cord_model, finder = find_model("cord"), find_model("centerline")
    cord_runtime = cord_model.open_runtime("cpu")
    for path in sorted(path for pattern in SCANS for path in root.glob(pattern)):
        image = read_volume(path)
        scan = to_rpi(image)
        cord = segment_cord(scan, cord_model, finder=finder, device="cpu", runtime=cord_runtime).mask
        label = agreement(*(mask_by(model, runtime, scan, cord) for model, runtime in zip(models, runtimes, strict=True)))
        name = path.name.removesuffix(".nii.gz")
        write_volume(out / f"{name}_gray.nii.gz", from_rpi(label, image))
        write_volume(out / f"{name}_cord.nii.gz", from_rpi(cord.data, image), np.uint8)
        used, slices = (int(data.any(axis=(0, 1)).sum()) for data in (label, cord.data))
        click.echo(f"{name:32s} {used} of {slices} slices with cord")


if __name__ == "__main__":
    main()
