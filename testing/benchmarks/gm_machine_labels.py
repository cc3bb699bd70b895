"""Soft gray-matter labels of scans by published networks: what a network of this project is taught beside experts' masks.

    python -m testing.benchmarks.gm_machine_labels OUT --teacher large_model.hdf5 --second challenge_model.hdf5

Writes, for each scan, on axial slices of 0.25 mm around the cord: `OUT/NAME.nii.gz`, the scan; `OUT/NAME_gray.nii.gz`, the share
of the teacher's masks that see gray matter, over mirrored and rescaled copies, so that the outline is soft where the teacher is
not sure; and `OUT/NAME_cord.nii.gz`. Where experts drew the gray matter, three quarters of the label are theirs, and the cord is.
A slice that the two networks see differently (Dice below 0.8) has no gray matter, and so is not trained on; an object that only
one of them sees is dropped. The training configuration `gm` reads the files from `machine/`, in the data's folder.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.intensity import clip_outliers, without_padding
from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.slice_windows import windows_around
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.centers import centers_from_mask
from spineseg_cli.tasks.registry import TASKS
from spineseg_cli.weights.find import find_custom, find_model
from testing.scans import development_data

SCANS = (
    "dev/gm_challenge/sub-*/anat/*_T2starw.nii.gz",
    "dev/errsm/sub-errsm*/anat/*_T2star.nii.gz",
    "dev/errsm/sub-gre01/anat/*_T2star.nii.gz",
    "unlabelled/*_acq-MToff_MTS.nii.gz",
    "unlabelled/sct_example_mt0.nii.gz",
)
SPACING_MM, SIDE_MM = 0.25, 80.0

# The teacher sees copies as if their voxels were of these sizes, as they are and mirrored; the second network those of 0.25 mm.
TEACHER_MM, SECOND_MM = (0.23, 0.25, 0.27), (0.25,)
LEAST_AGREEMENT = 0.8
EXPERT_SHARE = 0.75


def cutter(scan: Volume, cord: Volume) -> Callable[[np.ndarray], Volume]:
    """Return what cuts the slices with cord out of data on the grid of an RPI scan, fine and centered on the cord."""
    centers, slices = centers_from_mask(cord)
    windows = windows_around(scan, centers, SPACING_MM, round(SIDE_MM / SPACING_MM))
    affine = np.diag([-SPACING_MM, SPACING_MM, scan.spacing_mm[2], 1.0])
    return lambda data: Volume(np.moveaxis(windows.extract(data.astype(np.float32), slices), 0, 2), affine)


def votes(network: Predictor, scan: Volume, sizes_mm: Sequence[float]) -> np.ndarray:
    """Return the share of a network's masks, over copies of a scan, that hold each sample: shape (nx, ny, nz), float32."""
    slices, masks = range(scan.shape[2]), []
    for spacing_mm, step in itertools.product(sizes_mm, (1, -1)):
        copy = scan.with_data(scan.data[::step])
        config = replace(network.config, spacing_mm=spacing_mm)
        windows = config.windows(copy, None)
        inputs = config.standardize(windows.extract(copy.data, slices), windows.inside(slices))
        mask = network.runtime.predict(inputs)[..., 0] > config.threshold
        masks.append(windows.restore(mask.astype(np.float32), slices)[::step])
    return np.mean(masks, axis=0, dtype=np.float32)


def agreed(label: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return a soft label, shape (nx, ny, nz), without what a second network does not agree on at all."""
    result = np.zeros_like(label)
    for k in range(label.shape[2]):
        mask, other = label[:, :, k] > 0.5, second[:, :, k] > 0.5
        objects, _ = ndimage.label(label[:, :, k] > 0, structure=np.ones((3, 3)))
        seen = np.isin(objects, np.setdiff1d(objects[other & mask], 0))
        total = int((mask & seen).sum() + other.sum())
        if total and 2 * (mask & seen & other).sum() / total >= LEAST_AGREEMENT:
            result[:, :, k] = label[:, :, k] * seen
    return result


def expert_masks(path: Path) -> list[np.ndarray]:
    """Return the experts' masks of the gray matter and the cord of a scan, in RPI; nothing where there are none."""
    folder = path.parents[2] / "derivatives/labels" / path.parts[-3] / "anat"
    files = [folder / path.name.replace(".nii.gz", f"_{kind}-manual.nii.gz") for kind in ("gmseg", "seg")]
    if not all(file.is_file() for file in files):
        return []
    return [(to_rpi(read_volume(file, kind="mask")).data > 0.5).astype(np.float32) for file in files]


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--teacher", required=True, help="Published weights.")
@click.option("--second", required=True, help="Other published weights, which must agree.")
def main(out: Path, teacher: str, second: str) -> None:
    """Write labels for every scan, and print how many slices of each have one."""
    out.mkdir(parents=True, exist_ok=True)
    networks = [find_custom(name, "gray_matter").predictor() for name in (teacher, second)]
    cord_network = find_model("cord").predictor()
    localizer = TASKS["cord"].localizer(cord_network)
    for path in sorted(path for pattern in SCANS for path in development_data().glob(pattern)):
        name = path.name.removesuffix(".nii.gz")
        scan = clip_outliers(without_padding(to_rpi(read_volume(path))))
        found = TASKS["cord"].predict(scan, cord_network, localizer)
        cut = cutter(scan, found.mask)
        fine = cut(scan.data)
        label = agreed(*(votes(network, fine, sizes) for network, sizes in zip(networks, (TEACHER_MM, SECOND_MM), strict=True)))
        cord = cut(found.probability.data).data
        if drawn := expert_masks(path):
            gray, cord = (cut(mask).data for mask in drawn)
            share = np.where(label.any(axis=(0, 1)), EXPERT_SHARE, 1.0)
            label = (share * gray + (1 - share) * label) * gray.any(axis=(0, 1))
        for suffix, data in (("", fine.data), ("_gray", label), ("_cord", np.maximum(cord, label))):
            write_volume(out / f"{name}{suffix}.nii.gz", fine.with_data(data))
        click.echo(f"{name:32s} {int(label.any(axis=(0, 1)).sum())} of {label.shape[2]} slices")


if __name__ == "__main__":
    main()
