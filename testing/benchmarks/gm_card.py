"""The tables of gray matter's model card: the complete command on development scans and phantoms, beside the published weights.

    python -m testing.benchmarks.gm_card "runs/{fold}/gm.weights.h5" --published ../shared/peers/sct_gm/large_model.hdf5

`{fold}` becomes A or B, whichever left out the subject in question (see `FOLDS`); a path without it is scored on every scan.
Each scan is segmented by `seg_gm` as users run it, the cord being looked for; published weights, which expect the cord in the
middle, follow the centerline of `get_centerline`. Results are kept in the folder `--work`, so that a stopped run goes on.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.resampling import resample_inplane
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.metrics.agreement import agreement
from spineseg_cli.metrics.overlap import confusion, dice
from spineseg_cli.synthesis.phantom import make_phantom
from testing.outline import gray_step
from testing.scans import development_data

DEV = development_data() / "dev"

# Subjects that the weights of a fold were not trained on.
FOLDS = {
    "A": ("sub-10062Ses1", "sub-10062Ses2", "sub-9604", "sub-errsm05", "sub-errsm20"),
    "B": ("sub-9418", "sub-9669", "sub-errsm18", "sub-errsm21", "sub-gre01"),
}
EXPERTS = ("sub-10062Ses1", "sub-10062Ses2", "sub-9418", "sub-9604", "sub-9669")
MACHINE = ("sub-errsm05", "sub-errsm18", "sub-errsm20", "sub-errsm21", "sub-gre01")
COARSE_MM = 1.0
PHANTOM_MM = (0.3, 0.5, 0.8)
PHANTOM_SEEDS = (1, 2, 3, 5)
HALF = 0.5 - 1e-4  # a voxel that is just half full is full
COLUMNS = ("DSC", "HD95_mm", "shift_mm", "area", "step", "retest_pct", "negative", "at_1_mm")


def scan_path(name: str, run: int = 1) -> Path:
    """Return the image of a scan."""
    if name in EXPERTS:
        return DEV / f"gm_challenge/{name}/anat/{name}_run-{run}_T2starw.nii.gz"
    return DEV / f"errsm/{name}/anat/{name}_T2star.nii.gz"


def label_path(name: str, kind: str) -> Path:
    """Return the mask of the gray matter, or of the cord: experts', or of the published large model."""
    if name in EXPERTS:
        suffix = {"gray": "gmseg", "cord": "seg"}[kind]
        return DEV / f"gm_challenge/derivatives/labels/{name}/anat/{name}_run-1_T2starw_{suffix}-manual.nii.gz"
    if kind == "gray":
        return DEV / f"errsm/derivatives/machine/{name}/anat/{name}_T2star_desc-publishedlarge_label-GM_seg.nii.gz"
    return DEV / f"errsm/derivatives/labels/{name}/anat/{name}_T2star_label-SC_seg.nii.gz"


class Command:
    """`seg_gm` with the weights at a path, in which {fold} may stand, and what it gave; if `guided`, along a centerline."""

    def __init__(self, weights: str, work: Path, guided: bool = False):
        self.weights, self.work, self.guided = weights, work, guided

    def __call__(self, name: str, image: Path) -> np.ndarray:
        """Return the mask of an image of the subject `name`, in RPI."""
        fold = next((fold for fold, subjects in FOLDS.items() if name in subjects), "A")
        weights = Path(self.weights.format(fold=fold))
        key = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
        output = self.work / f"{image.name.removesuffix('.nii.gz')}_{key}.nii.gz"
        if not output.is_file():
            options = ["--custom", str(weights)]
            if self.guided:
                line = self.work / f"{image.name.removesuffix('.nii.gz')}_centerline.nii.gz"
                if not line.is_file():
                    run_command("get_centerline", "-i", str(image), "-o", str(line))
                options += ["--centerline", str(line)]
            run_command("seg_gm", "-i", str(image), "-o", str(output), "--device", "cpu", *options)
        return to_rpi(read_volume(output, kind="mask")).data > 0


def run_command(command: str, *arguments: str) -> None:
    """Run a command of this checkout; an empty mask is a result too. Raises ClickException if it fails."""
    done = subprocess.run([sys.executable, "-m", f"spineseg_cli.cli.{command}", "-v", "0", *arguments])
    if done.returncode not in (0, 3):  # 3: an empty mask
        raise click.ClickException(f"{command} {' '.join(arguments)} ended with {done.returncode}")


def center_shift_mm(mask: np.ndarray, reference: np.ndarray, spacing_mm: tuple[float, ...]) -> float:
    """Return how far in front of the reference's center of mass the mask's lies, on average over the slices that have both."""
    both = np.flatnonzero(mask.any(axis=(0, 1)) & reference.any(axis=(0, 1)))
    centers = [[np.argwhere(part[:, :, k])[:, 1].mean() for k in both] for part in (mask, reference)]
    return float(np.mean(np.subtract(*centers))) * spacing_mm[1]


def score(name: str, segment: Command, work: Path, everything: bool) -> dict[str, float]:
    """Return a scan's row of the table; without `everything`, neither its negative nor a coarse copy is segmented."""
    image = to_rpi(read_volume(scan_path(name)))
    gray = to_rpi(read_volume(label_path(name, "gray"), kind="mask")).data > 0.5
    mask = segment(name, scan_path(name))
    values = agreement(mask, gray, image.spacing_mm, float(np.prod(image.spacing_mm)))
    cord_path = label_path(name, "cord")
    if not cord_path.is_file():
        cord_path = work / f"{name}_cord.nii.gz"
        if not cord_path.is_file():
            run_command("seg_cord", "-i", str(scan_path(name)), "-o", str(cord_path))
    cord = to_rpi(read_volume(cord_path, kind="mask")).data > 0.5
    row = {
        "DSC": values["DSC"],
        "HD95_mm": values["HD95_mm"],
        "shift_mm": center_shift_mm(mask, gray, image.spacing_mm),
        "area": float(mask.sum() / gray.sum()),
        "step": gray_step(DEV.parents[1])(image.data, mask, cord),
    }
    if name in EXPERTS:
        again = segment(name, scan_path(name, run=2))
        slices = mask.any(axis=(0, 1)) & again.any(axis=(0, 1)) & gray.any(axis=(0, 1))
        areas = [float(part[:, :, slices].sum()) for part in (mask, again)]
        row["retest_pct"] = 200 * abs(areas[0] - areas[1]) / sum(areas)
    if name in EXPERTS and everything:
        negative = _copy(work, name, "negative", image.with_data(image.data.max() - image.data))
        row["negative"] = dice(confusion(segment(name, negative), gray))
        coarse = resample_inplane(image, COARSE_MM)
        filled = resample_inplane(image.with_data(gray.astype(np.float32)), COARSE_MM).data >= HALF
        row["at_1_mm"] = dice(confusion(segment(name, _copy(work, name, "coarse", coarse)), filled))
    return row


def _copy(work: Path, name: str, what: str, image: Volume) -> Path:
    path = work / f"{name}_{what}.nii.gz"
    if not path.is_file():
        write_volume(path, image)
    return path


def print_scans(segment: Command, work: Path, everything: bool = True) -> None:
    """Print a table of Markdown, experts' scans and their mean, then scans with labels by the published large model."""
    click.echo("| scan | " + " | ".join(COLUMNS) + " |")
    click.echo("|---" * (len(COLUMNS) + 1) + "|")
    for title, names in (("mean, experts' masks", EXPERTS), ("mean, masks by `large`", MACHINE)):
        rows = {name: score(name, segment, work, everything) for name in names}
        rows[title] = {c: float(np.mean([row[c] for row in rows.values()])) for c in next(iter(rows.values()))}
        for name, row in rows.items():
            click.echo(f"| {name} | " + " | ".join(f"{row[c]:.3f}" if c in row else "" for c in COLUMNS) + " |")


def print_phantoms(segment: Command, work: Path) -> None:
    """Print Dice and area against the truth of phantoms, by voxel size."""
    click.echo("| phantoms, voxels of | DSC, mean | worst | area, mean | least | most |\n|---|---|---|---|---|---|")
    for spacing in PHANTOM_MM:
        found = []
        for seed in PHANTOM_SEEDS:
            start = 20.0 * seed
            phantom = make_phantom(region=(start, start + 40), spacing_mm=(spacing, spacing, 5.0), fov_mm=(60.0, 60.0), seed=seed)
            mask = segment("phantom", _copy(work, f"phantom{seed}", f"{spacing}", phantom.image))
            truth = to_rpi(phantom.gray_matter).data > 0.5
            found.append((dice(confusion(mask, truth)), mask.sum() / truth.sum()))
        scores, areas = np.array(found).T
        numbers = (scores.mean(), scores.min(), areas.mean(), areas.min(), areas.max())
        click.echo(f"| {spacing} mm | " + " | ".join(f"{number:.3f}" for number in numbers) + " |")


@click.command()
@click.argument("weights")
@click.option("--published", multiple=True, help="Weights of Perone et al., for a table each.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("runs/gm_card"), show_default=True)
def main(weights: str, published: tuple[str, ...], work: Path) -> None:
    """Print every table of the card."""
    work.mkdir(parents=True, exist_ok=True)
    segment = Command(weights, work)
    print_scans(segment, work)
    click.echo()
    print_phantoms(segment, work)
    for path in published:
        click.echo(f"\n{Path(path).name}, centerline given\n")
        print_scans(Command(path, work, guided=True), work, everything=False)


if __name__ == "__main__":
    main()
