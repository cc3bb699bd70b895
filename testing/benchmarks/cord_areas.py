"""Areas of the masks of `seg_cord`: against the truth on phantoms, and of each subject's scan and rescan.

Weights are named as for `cord_left_out.py`; phantoms have seeds that no training draws:

    python -m testing.benchmarks.cord_areas phantoms
    python -m testing.benchmarks.cord_areas rescans "runs/cord-{fold}/cord.weights.h5" \\
        "runs/centerline-{fold}/centerline.weights.h5"

What agrees across contrasts is in the sentences of `cord_left_out.py --only unf01 --only C2C5`; with and without magnetization
transfer, in `cord_across_mt.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import click
import numpy as np

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.segmentation import Segmentation
from spineseg_cli.synthesis.phantom import make_phantom
from spineseg_cli.synthesis.scanner import PHANTOM_CONTRASTS
from spineseg_cli.tasks.cord import segment_cord
from testing.scans import FOLD_A, development_data, networks_of_folds

# Voxels in the plane and the distance of slices, mm; the last two are of sagittal slices.
VOXELS = ((0.3, 0.3, 3.0), (0.5, 0.5, 5.0), (0.7, 0.7, 3.0), (1.0, 1.0, 1.0), (3.0, 1.0, 1.0), (4.0, 0.8, 0.8))
FIRST_SEED, PHANTOMS = 700_000, 6
FIELD_MM, LENGTH_MM, NOISE = (80.0, 80.0), 60.0, 0.04

# In voxels of this size in the plane, the area of those that are half full is the cord's.
TRUE_MM = 0.3


@click.command()
@click.argument("part", type=click.Choice(["phantoms", "rescans"]))
@click.argument("cord_weights", default="cord")
@click.argument("centerline_weights", default="centerline")
def main(part: str, cord_weights: str, centerline_weights: str) -> None:
    """Print a row a phantom, or a row a pair of scans."""
    networks = networks_of_folds(cord_weights, centerline_weights)

    def segment(scan: Volume, fold: str) -> Segmentation:
        return segment_cord(scan, *networks(fold))

    _phantoms(segment) if part == "phantoms" else _rescans(segment)


def _phantoms(segment: Callable[[Volume, str], Segmentation]) -> None:
    rows: dict[tuple, list[list[float]]] = {}
    for contrast in PHANTOM_CONTRASTS:
        for voxel in VOXELS:
            for number in range(PHANTOMS):
                top = 20.0 + 45.0 * number
                common = {"contrast": contrast, "region": (top, top + LENGTH_MM), "fov_mm": FIELD_MM, "noise": NOISE}
                seed = FIRST_SEED + number
                image = make_phantom(spacing_mm=voxel, seed=seed, **common).image
                true = _areas(make_phantom(spacing_mm=(TRUE_MM, TRUE_MM, voxel[2]), seed=seed, **common).cord)
                result = segment(image, "A")
                areas = _areas(result.mask), _areas(result.probability)
                both = (areas[0] > 0) & (true > 0)
                errors = [100 * float(area[both].sum() / true[both].sum() - 1) for area in areas]
                rows.setdefault((contrast, voxel), []).append(errors)
                click.echo(
                    f"{contrast:5s}{voxel!s:18s} from {top:3.0f} mm: {both.sum()} of {len(true)} slices, "
                    f"mask {errors[0]:+.1f} %, soft {errors[1]:+.1f} %"
                )
    for index, name in enumerate(("mask", "soft")):
        click.echo(f"\n{name + ': error of the area, %':30s}" + "".join(f"{contrast:>16s}" for contrast in PHANTOM_CONTRASTS))
        for voxel in VOXELS:
            found = [np.array(rows[contrast, voxel])[:, index] for contrast in PHANTOM_CONTRASTS]
            click.echo(f"{voxel!s:30s}" + "".join(f"{f'{errors.mean():+.1f} +- {errors.std():.1f}':>16s}" for errors in found))


def _areas(cord: Volume) -> np.ndarray:
    """Return the area of the cord in each axial slice, mm2."""
    return cord.data.sum(axis=(0, 1)) * np.prod(cord.spacing_mm[:2])


def _rescans(segment: Callable[[Volume, str], Segmentation]) -> None:
    changes = []
    for first in sorted((development_data() / "dev" / "gm_challenge").glob("sub-*/anat/*_run-1_T2starw.nii.gz")):
        second = first.with_name(first.name.replace("run-1", "run-2"))
        subject = first.name.removeprefix("sub-").partition("_")[0]
        fold = "A" if subject.partition("Ses")[0] in FOLD_A else "B"
        masks = [segment(to_rpi(read_volume(path)), fold).mask.data > 0 for path in (first, second)]
        both = masks[0].any(axis=(0, 1)) & masks[1].any(axis=(0, 1))
        areas = [mask[..., both].sum(axis=(0, 1)) for mask in masks]
        change = 100 * (areas[1].sum() / areas[0].sum() - 1)
        changes.append(abs(change))
        slices = 100 * (areas[1] / areas[0] - 1)
        click.echo(
            f"{subject:12s}{fold:3s}{both.sum():4d} slices: {change:+.2f} %, slices {slices.min():+.1f} to {slices.max():+.1f} %"
        )
    click.echo(f"mean of the absolute changes: {np.mean(changes):.2f} %")


if __name__ == "__main__":
    main()
