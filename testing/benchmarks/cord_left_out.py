"""Left-out scores of cord and centerline weights on the development scans.

Train once with each subject left out, then score every scan with the weights that never saw its subject:

    for s in 10062 9418 9604 9669 unf01 pam50_small; do
        python -m spineseg_cli.cli.train --recipe centerline --init BASE.weights.h5 --leave-out $s --out runs/centerline-$s
        python -m spineseg_cli.cli.train --recipe cord --init BASE.weights.h5 --leave-out $s --out runs/cord-$s
    done
    python testing/benchmarks/cord_left_out.py "runs/cord-{subject}/cord.weights.h5" \\
        "runs/centerline-{subject}/centerline.weights.h5"

Paths without {subject} score the same weights on every scan. With `--sagittal 3`, scans are made coarse from right to left, as
if they had been acquired in sagittal slices of 3 mm; the reference is what the experts' mask fills by half or more. Scores are of
the slices that the expert labeled; `outside_mm3` is what was segmented in the others, and `below_mm3` that in the lowest twelve
of the whole-cord template, under the vertebra L1.
"""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.resampling import resample_inplane
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.search import find_cord
from spineseg_cli.metrics.agreement import agreement
from spineseg_cli.tasks.cord import segment_cord
from spineseg_cli.weights.model import Model, find_custom

CHALLENGE = ("10062Ses1", "10062Ses2", "9418", "9604", "9669")
CONTRASTS = ("T1w", "T2w", "T2star")
# scan: the subject that is left out, image, cord
SCANS = (
    {
        f"sub-{name}": (
            name[:5] if "Ses" in name else name,
            f"gm_challenge/sub-{name}/anat/sub-{name}_run-1_T2starw.nii.gz",
            f"gm_challenge/derivatives/labels/sub-{name}/anat/sub-{name}_run-1_T2starw_seg-manual.nii.gz",
        )
        for name in CHALLENGE
    }
    | {
        f"unf01_{contrast}": (
            "unf01",
            f"unf01/sub-unf01/anat/sub-unf01_{contrast}.nii.gz",
            f"unf01/derivatives/labels/sub-unf01/anat/sub-unf01_{contrast}_seg-manual.nii.gz",
        )
        for contrast in CONTRASTS
    }
    | {"pam50_small": ("pam50_small", "pam50_small/PAM50_small_t2.nii.gz", "pam50_small/PAM50_small_cord.nii.gz")}
)
ROUNDING = 1e-4
BELOW_CONUS = {"pam50_small": 12}


def score(image: Volume, truth: Volume, model: Model, finder: Model, below: int) -> dict[str, float]:
    """Return every number of one scan."""
    cord = truth.data > 0.5 - ROUNDING
    labeled = np.flatnonzero(cord.any(axis=(0, 1)))
    centers = np.array([np.argwhere(cord[:, :, k]).mean(axis=0) for k in labeled])
    found = find_cord(image, finder, "cpu")
    error_mm = np.hypot(*((found.centers_vx[labeled] - centers) * image.spacing_mm[:2]).T)
    start = time.perf_counter()
    mask = segment_cord(image, model, finder=finder, device="cpu").mask.data > 0
    seconds = time.perf_counter() - start
    guide = Volume(cord.astype(np.float32), image.affine)
    guided = segment_cord(image, model, centerline=guide, device="cpu").mask.data > 0
    voxel_mm3 = float(np.prod(image.spacing_mm))
    automatic, given = (
        agreement(found[:, :, labeled], cord[:, :, labeled], image.spacing_mm, voxel_mm3) for found in (mask, guided)
    )
    others = np.setdiff1d(np.arange(image.shape[2]), labeled)
    return {
        "error_mm": float(np.median(error_mm)),
        "max_mm": float(error_mm.max()),
        "DSC": automatic["DSC"],
        "HD95_mm": automatic["HD95_mm"],
        "DSC_given": given["DSC"],
        "area_mm2": mask[:, :, labeled].sum() * voxel_mm3 / image.spacing_mm[2] / len(labeled),
        "expert_mm2": cord.sum() * voxel_mm3 / image.spacing_mm[2] / len(labeled),
        "outside_mm3": mask[:, :, others].sum() * voxel_mm3,
        "below_mm3": mask[:, :, :below].sum() * voxel_mm3,
        "seconds": seconds,
    }


@click.command()
@click.argument("cord_weights")
@click.argument("centerline_weights")
@click.option("--sagittal", "thick_mm", type=float, help="Thickness of the sagittal slices to make; by default none.")
def main(cord_weights: str, centerline_weights: str, thick_mm: float | None) -> None:
    """Print one row a scan, then the mean, and the spread of the area across contrasts."""
    root = Path(os.environ.get("SPINESEG_SHARED", "../shared")) / "data/dev"
    rows = {}
    for name, (subject, image, cord) in SCANS.items():
        model = find_custom(cord_weights.format(subject=subject), "cord")
        finder = find_custom(centerline_weights.format(subject=subject), "cord", "centerline")
        volumes = (to_rpi(read_volume(root / image)), to_rpi(read_volume(root / cord, kind="mask")))
        if thick_mm:
            volumes = tuple(resample_inplane(volume, (thick_mm, volume.spacing_mm[1])) for volume in volumes)
        rows[name] = score(*volumes, model, finder, BELOW_CONUS.get(name, 0))
    columns = list(next(iter(rows.values())))
    click.echo("scan".ljust(16) + "".join(c.rjust(12) for c in columns))
    rows["mean"] = {c: float(np.mean([row[c] for row in rows.values()])) for c in columns}
    for name, row in rows.items():
        click.echo(name.ljust(16) + "".join(f"{row[c]:12.3f}" for c in columns))
    areas = [rows[f"unf01_{contrast}"]["area_mm2"] for contrast in CONTRASTS]
    click.echo(f"area of unf01 across contrasts: {100 * (max(areas) - min(areas)) / np.mean(areas):.1f} % apart at most")
    click.echo(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
