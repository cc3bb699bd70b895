"""Left-out scores of gray-matter weights on the development scans.

Train once with each subject left out, then score every scan with the weights that never saw its subject:

    for s in sub-10062 sub-9418 sub-9604 sub-9669; do
        python -m spineseg_cli.cli.train --config gm --init BASE.weights.h5 --leave-out $s --out runs/without-$s
    done
    python -m testing.benchmarks.gm_left_out "runs/without-{subject}/gm.weights.h5"

A path without {subject} scores the same weights on every scan (published ones, or ones trained on no scan).
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.resampling import resample_inplane
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.localizer import Localizer, MaskLocalizer, NetworkLocalizer
from spineseg_cli.metrics.agreement import agreement
from spineseg_cli.tasks.gray_matter import GrayMatter, segment_gray_matter
from spineseg_cli.weights.find import find_custom

SUBJECTS = {
    "sub-10062Ses1": "sub-10062",
    "sub-10062Ses2": "sub-10062",
    "sub-9418": "sub-9418",
    "sub-9604": "sub-9604",
    "sub-9669": "sub-9669",
}
COARSE_MM = (0.5, 0.75, 1.0)
ROUNDING = 1e-4


@dataclass(frozen=True)
class Scan:
    """A development scan: both runs, and the experts' masks of the first; all in RPI."""

    first: Volume
    second: Volume
    gray: np.ndarray
    cord: np.ndarray
    guide: Volume


def load_scan(root: Path, name: str) -> Scan:
    """Read one scan of `root/dev/gm_challenge`."""
    folder = root / "dev/gm_challenge"
    labels = folder / f"derivatives/labels/{name}/anat/{name}_run-1_T2starw"
    first, second = (to_rpi(read_volume(folder / f"{name}/anat/{name}_run-{run}_T2starw.nii.gz")) for run in (1, 2))
    gray, cord = (to_rpi(read_volume(f"{labels}_{kind}-manual.nii.gz", kind="mask")) for kind in ("gmseg", "seg"))
    return Scan(first, second, gray.data > 0.5, cord.data > 0.5, Volume(cord.data, first.affine))


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Dice coefficient of two masks."""
    return 2 * float((first & second).sum()) / max(float(first.sum() + second.sum()), 1.0)


def soft_dice(first: np.ndarray, second: np.ndarray) -> float:
    """Return twice the common part of two maps of fractions, over their sum."""
    return 2 * float(np.minimum(first, second).sum()) / max(float(first.sum() + second.sum()), 1.0)


def score(
    scan: Scan, predictor: Predictor, localizer: Localizer, guided: bool, threshold: float | None, tta: bool
) -> dict[str, float]:
    """Return every number of one scan."""

    def segment(image: Volume, guide: Volume | None) -> GrayMatter:
        return segment_gray_matter(
            image, predictor, MaskLocalizer(mask=guide) if guide else localizer, threshold=threshold, tta=tta
        )

    guide = scan.guide if guided else None
    start = time.perf_counter()
    result = segment(scan.first, guide)
    seconds = time.perf_counter() - start
    mask = result.mask.data > 0
    voxel_mm3 = float(np.prod(scan.first.spacing_mm))
    values = agreement(mask, scan.gray, scan.first.spacing_mm, voxel_mm3)
    row = {key: values[key] for key in ("DSC", "HD95_mm", "MSD_mm", "TPR_pct", "PPV_pct")}
    row["cord"] = dice(result.cord.data > 0, scan.cord) if result.cord is not None else float("nan")
    labeled = scan.gray.any(axis=(0, 1))
    row["extra"] = float((mask.any(axis=(0, 1)) & ~labeled).sum())  # slices that the expert left empty
    row["labeled"] = dice(mask[..., labeled], scan.gray[..., labeled])  # Dice without them
    # The same slices of the second run: the coil was the same, the subject lay down anew.
    again = segment(scan.second, guide).mask.data > 0
    slices = mask.any(axis=(0, 1)) & again.any(axis=(0, 1)) & labeled
    areas = [m[:, :, slices].sum() for m in (mask, again)]
    row["retest_pct"] = 200 * abs(float(areas[0]) - float(areas[1])) / max(float(sum(areas)), 1.0)
    row["inverted"] = dice(segment(scan.first.with_data(scan.first.data.max() - scan.first.data), guide).mask.data > 0, scan.gray)
    for coarse_mm in COARSE_MM:
        coarse = resample_inplane(scan.first, coarse_mm)
        coarse_guide = resample_inplane(scan.guide, coarse_mm) if guided else None
        fractions = resample_inplane(scan.first.with_data(scan.gray.astype(np.float32)), coarse_mm).data
        found = segment(coarse, coarse_guide)
        # From 0.5 to 1.0 mm a quarter of its voxels are just half full: with them the reference's area is a fifth too
        # large, without them up to a third too small, and horns of one voxel are gone. Fractions need no such choice.
        row[f"at_{coarse_mm}"] = dice(found.mask.data > 0, fractions >= 0.5 - ROUNDING)
        row[f"over_{coarse_mm}"] = dice(found.mask.data > 0, fractions > 0.5 + ROUNDING)
        row[f"soft_{coarse_mm}"] = soft_dice(found.probability.data, fractions)
    row["seconds"] = seconds
    return row


@click.command()
@click.argument("weights")
@click.option("--guided/--automatic", default=True, help="Give the center of the expert's cord mask, or find the cord.")
@click.option("--finder", default="centerline", help="Weights that find the cord, as WEIGHTS: a path, or a shipped model's name.")
@click.option("--thr", "threshold", type=float)
@click.option("--tta", is_flag=True)
def main(weights: str, guided: bool, finder: str, threshold: float | None, tta: bool) -> None:
    """Print one row a scan, then the mean and the worst."""
    root = Path(os.environ.get("SPINESEG_SHARED", "../shared")) / "data"
    rows = {}
    for name, subject in SUBJECTS.items():
        if "{subject}" in weights and not Path(weights.format(subject=subject)).exists():
            continue
        predictor = find_custom(weights.format(subject=subject), "gray_matter").predictor("cpu")
        search = find_custom(finder.format(subject=subject), "cord", "centerline").predictor("cpu")
        rows[name] = score(load_scan(root, name), predictor, NetworkLocalizer(search=search), guided, threshold, tta)
    columns = list(next(iter(rows.values())))
    click.echo("scan".ljust(16) + "".join(c.rjust(11) for c in columns))
    rows["mean"] = {c: float(np.mean([row[c] for row in rows.values()])) for c in columns}
    for name, row in rows.items():
        click.echo(name.ljust(16) + "".join(f"{row[c]:11.3f}" for c in columns))


if __name__ == "__main__":
    main()
