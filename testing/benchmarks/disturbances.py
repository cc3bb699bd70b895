"""How little surroundings matter: Dice of the cord in disturbed scans to that in the scan as it is.

    python -m testing.benchmarks.disturbances cord centerline ../shared/data/dev/gm_challenge/sub-*/anat/*_run-1_T2starw.nii.gz

The first two arguments are weights (files or names of the registry); then follow scans. A row is a disturbance, a column a scan.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.tasks.cord import segment_cord
from testing.disturbances import DISTURBANCES
from testing.scans import networks_of_folds


@click.command()
@click.argument("cord_weights")
@click.argument("centerline_weights")
@click.argument("scans", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def main(cord_weights: str, centerline_weights: str, scans: tuple[Path, ...]) -> None:
    """Print a row a disturbance."""
    networks = networks_of_folds(cord_weights, centerline_weights)("A")

    def mask_of(volume):
        return segment_cord(volume, *networks).mask.data > 0

    volumes = [to_rpi(read_volume(path)) for path in scans]
    masks = [mask_of(volume) for volume in volumes]
    for name, disturb in DISTURBANCES.items():
        scores = []
        for volume, mask in zip(volumes, masks, strict=True):
            scan, right = disturb(volume, mask)
            found = mask_of(scan)
            scores.append(2 * (found & right).sum() / max(found.sum() + right.sum(), 1))
        click.echo(name.ljust(30) + "".join(f"{score:7.3f}" for score in scores) + f"   worst {np.min(scores):.3f}")


if __name__ == "__main__":
    main()
