"""The cord in sagittal slices of 3 to 4 mm, as clinics scan: sharp scans turned into such, subjects left out.

    python -m testing.benchmarks.cord_in_thick_slices "runs/cord-{fold}/cord.weights.h5" \\
        "runs/centerline-{fold}/centerline.weights.h5"

Of each scan, `slices` are axial slices with a mask among those with cord, `DSC` the Dice coefficient in them to voxels that are
half cord, and `area` and `soft` the areas of the mask and of the soft result in percent of the cord's. A scan without a mask has
a Dice coefficient of 0, and no area.
"""

from __future__ import annotations

import click
import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.metrics.overlap import confusion, dice
from spineseg_cli.tasks.cord import segment_cord
from testing.scans import dev_scans, networks_of_folds

# How many slices become one, and whether it is their mean or that in the middle: lumbar scans have slices of 0.9 mm, others of 1.
FORMS = {True: {"3.6 mm": (4, True), "one of four": (4, False)}, False: {"3 mm": (3, True), "4 mm": (4, True)}}
THINNEST_MM = 1.5

# Experts' masks are distorted at the ends of the long scans of the neck.
TRIMMED = 5


@click.command()
@click.argument("cord_weights", default="cord")
@click.argument("centerline_weights", default="centerline")
@click.option("--presence", help="What tells which slices hold cord, with {group} in its path, instead of the shipped one.")
def main(cord_weights: str, centerline_weights: str, presence: str | None) -> None:
    """Print a row for each scan and form, and the means."""
    networks = networks_of_folds(cord_weights, centerline_weights, presence)
    rows: dict[tuple[bool, str], list[tuple]] = {}
    click.echo("scan".ljust(22) + "form".rjust(12) + "".join(name.rjust(10) for name in ("slices", "of", "DSC", "area", "soft")))
    for scan in dev_scans(("errsm", "spider")):
        image, cord = scan.volumes()
        if scan.contrast != "t2" or image.spacing_mm[0] > THINNEST_MM:
            continue
        for form, (factor, is_mean) in FORMS[scan.is_lumbar].items():
            thick, filled = _thick(image, cord, factor, is_mean=is_mean)
            row = _score(segment_cord(thick, *networks(scan.fold, scan.group)), filled, 0 if scan.is_lumbar else TRIMMED)
            rows.setdefault((scan.is_lumbar, form), []).append(row)
            click.echo(
                scan.name.ljust(22) + form.rjust(12) + f"{row[0]:10d}{row[1]:10d}{row[2]:10.3f}{row[3]:10.1f}{row[4]:10.1f}"
            )
    for (is_lumbar, form), found in rows.items():
        table = np.array(found)
        click.echo(
            f"{'lumbar' if is_lumbar else 'neck'}, {form}: {np.count_nonzero(table[:, 0])} of {len(table)} found, "
            f"{100 * table[:, 0].sum() / table[:, 1].sum():.0f} % of the slices, Dice {table[:, 2].mean():.3f}, "
            f"area {np.nanmean(table[:, 3]):.0f} %, soft {np.nanmean(table[:, 4]):.0f} %"
        )


def _thick(image: Volume, cord: np.ndarray, factor: int, *, is_mean: bool) -> tuple[Volume, np.ndarray]:
    """Return a scan in sagittal slices `factor` times as thick, and the fraction of each voxel that is cord."""
    starts = np.arange(1, image.shape[0] - factor + 1, factor)
    data = [image.data[k : k + factor].mean(axis=0) if is_mean else image.data[k + factor // 2] for k in starts]
    affine = image.affine @ np.diag([factor, 1.0, 1.0, 1.0])
    affine[:3, 3] = image.affine[:3, 3] + image.affine[:3, 0] * (1 + (factor - 1) / 2)
    return Volume(np.stack(data).astype(np.float32), affine), np.stack([cord[k : k + factor].mean(axis=0) for k in starts])


def _score(result, filled: np.ndarray, trimmed: int) -> tuple[int, int, float, float, float]:
    """Return slices with mask and cord, slices with cord, Dice, and areas of mask and soft result in percent of the cord."""
    mask, cord = result.mask.data > 0, filled >= 0.5
    shown = cord.any(axis=(0, 1))
    shown[:trimmed] = shown[len(shown) - trimmed :] = False
    both = shown & mask.any(axis=(0, 1))
    if not both.any():
        return 0, int(shown.sum()), 0.0, np.nan, np.nan
    true = filled[..., both].sum()
    areas = (100 * float(part[..., both].sum() / true) for part in (mask, result.probability.data))
    return int(both.sum()), int(shown.sum()), dice(confusion(mask[..., both], cord[..., both])), *areas


if __name__ == "__main__":
    main()
