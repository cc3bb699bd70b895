"""Areas of the masks of `seg_cord`: against the truth on phantoms, and of each subject's scan and rescan.

Weights are named as for `cord_left_out.py`; phantoms have seeds that no training draws:

    python -m testing.benchmarks.cord_areas phantoms
    python -m testing.benchmarks.cord_areas rescans "runs/cord-{fold}/cord.weights.h5" \\
        "runs/centerline-{fold}/centerline.weights.h5"

What agrees across contrasts is in the sentences of `cord_left_out.py --only unf01 --only C2C5`; with and without magnetization
transfer, in `cord_across_mt.py`.
"""

from __future__ import annotations

from functools import cache

import click
import numpy as np

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.localizer import NetworkLocalizer
from spineseg_cli.synthesis.phantom import make_phantom
from spineseg_cli.synthesis.scanner import PHANTOM_CONTRASTS
from spineseg_cli.tasks.cord import segment_cord
from spineseg_cli.weights.find import find_custom
from testing.scans import FOLD_A, development_data

# Voxels in the plane and the distance of slices, mm; the last two are of sagittal slices.
VOXELS = ((0.3, 0.3, 3.0), (0.5, 0.5, 5.0), (0.7, 0.7, 3.0), (1.0, 1.0, 1.0), (3.0, 1.0, 1.0), (4.0, 0.8, 0.8))
FIRST_SEED, PHANTOMS = 700_000, 3
FIELD_MM, LENGTH_MM, NOISE = (80.0, 80.0), 60.0, 0.04


@click.command()
@click.argument("part", type=click.Choice(["phantoms", "rescans"]))
@click.argument("cord_weights", default="cord")
@click.argument("centerline_weights", default="centerline")
def main(part: str, cord_weights: str, centerline_weights: str) -> None:
    """Print a row a phantom, or a row a pair of scans."""

    @cache
    def tools(fold: str):
        predictor = find_custom(cord_weights.format(fold=fold), "cord").predictor("cpu")
        search = find_custom(centerline_weights.format(fold=fold), "cord", "centerline").predictor("cpu")
        return predictor, NetworkLocalizer(search=search)

    def cord_of(scan: Volume, fold: str) -> np.ndarray:
        return segment_cord(scan, *tools(fold)).mask.data > 0

    _phantoms(cord_of) if part == "phantoms" else _rescans(cord_of)


def _phantoms(cord_of) -> None:
    rows: dict[tuple, list[float]] = {}
    for contrast in PHANTOM_CONTRASTS:
        for voxel in VOXELS:
            for number in range(PHANTOMS):
                top = 20.0 + 90.0 * number
                seed = FIRST_SEED + number
                phantom = make_phantom(
                    contrast=contrast,
                    region=(top, top + LENGTH_MM),
                    spacing_mm=voxel,
                    fov_mm=FIELD_MM,
                    noise=NOISE,
                    seed=seed,
                )
                mask, truth = cord_of(phantom.image, "A"), phantom.cord.data > 0
                both = mask.any(axis=(0, 1)) & truth.any(axis=(0, 1))
                error = 100 * (mask[..., both].sum() / truth[..., both].sum() - 1)
                rows.setdefault((contrast, voxel), []).append(error)
                click.echo(
                    f"{contrast:5s}{voxel!s:18s} from {top:3.0f} mm: {both.sum()} of {truth.shape[2]} slices, {error:+.1f} %"
                )
    click.echo(f"\n{'mean error of the area, %':26s}" + "".join(f"{contrast:>8s}" for contrast in PHANTOM_CONTRASTS))
    for voxel in VOXELS:
        click.echo(f"{voxel!s:26s}" + "".join(f"{np.mean(rows[contrast, voxel]):+8.1f}" for contrast in PHANTOM_CONTRASTS))


def _rescans(cord_of) -> None:
    changes = []
    for first in sorted((development_data() / "dev" / "gm_challenge").glob("sub-*/anat/*_run-1_T2starw.nii.gz")):
        second = first.with_name(first.name.replace("run-1", "run-2"))
        subject = first.name.removeprefix("sub-").partition("_")[0]
        fold = "A" if subject.partition("Ses")[0] in FOLD_A else "B"
        masks = [cord_of(to_rpi(read_volume(path)), fold) for path in (first, second)]
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
