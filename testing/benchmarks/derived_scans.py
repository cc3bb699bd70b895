"""Write scans to train on, derived from others: lumbar ones painted in other contrasts, and scans in thick sagittal slices.

    python -m testing.benchmarks.derived_scans FOLDER/derived

The configuration `cord` reads them, with the cord masks and the labels of the scans that they were derived from. Thick slices are
brought back to the scan's own grid, as the windows of a network show them, so that the masks are as fine as before.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.image.orientation import from_rpi, to_rpi
from testing.scans import DevScan, dev_scans, development_data
from testing.variants import painted

# Other ones than those that `cord_presence.py` scores.
PAINTED_SEED, THICK_SEED = 5000, 6000

CONTRASTS = {"T1w": "t1", "TIRM": "tirm"}

# The thickness of slices, before it is rounded to a whole number of the scan's.
THICK_MM = (2.6, 4.6)

# Sharp scans of the neck, 1 mm in all directions.
NECK = ("sub-errsm[12][138]/anat/sub-errsm??_T2w.nii.gz", "sub-errsm*/anat/*_acq-C2C5_T?w.nii.gz")

# How many scans are painted of each lumbar one in each contrast, and how many in thick slices are made of a scan, and of a
# painted one.
PAINTED_OF_EACH, THICK_OF_EACH, THICK_OF_PAINTED = 2, 2, 1


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """Write painted scans into FOLDER, and thick ones of these, of the lumbar scans and of those of the neck."""
    folder.mkdir(parents=True, exist_ok=True)
    lumbar = dev_scans(("spider",))
    for number, index in itertools.product(range(len(lumbar)), range(PAINTED_OF_EACH)):
        write_painted(lumbar[number], folder, number, index)
    errsm = development_data() / "dev" / "errsm"
    paths = [scan.image_path for scan in lumbar] + [path for pattern in NECK for path in sorted(errsm.glob(pattern))]
    for number, path in enumerate(paths):
        write_thick(path, folder, THICK_SEED + number, THICK_OF_EACH)


def write_painted(scan: DevScan, folder: Path, number: int, index: int) -> None:
    """Write a lumbar scan, the `number`-th, painted in each contrast for the `index`-th time, and the same in thick slices."""
    seed = PAINTED_SEED + number + 100 * index
    for suffix, contrast in CONTRASTS.items():
        image, _ = painted(contrast, scan.spine(), seed)(*scan.volumes())
        path = folder / f"sub-{scan.subject}_acq-{index}_{suffix}.nii.gz"
        write_volume(path, from_rpi(image.data.round(), read_volume(scan.image_path)), np.int16)
        write_thick(path, folder, seed, THICK_OF_PAINTED)


def write_thick(path: Path, folder: Path, seed: int, count: int) -> None:
    """Write a scan in thick sagittal slices: the mean of several of its own, or, of every other lumbar scan, one of several."""
    rng, stored = np.random.default_rng(seed), read_volume(path)
    scan = to_rpi(stored)
    for index in range(count):
        factor = max(2, round(rng.uniform(*THICK_MM) / scan.spacing_mm[0]))
        start, is_mean = int(rng.integers(factor)), bool(rng.random() < 0.5 or "spider" not in path.name)
        thick = from_rpi(thickened(scan.data, factor, start, is_mean=is_mean).round(), stored)
        write_volume(folder / path.name.replace(".nii.gz", f"_thick{index}.nii.gz"), thick, np.int16)


def thickened(data: np.ndarray, factor: int, start: int, *, is_mean: bool) -> np.ndarray:
    """Return a scan of `factor` times as thick sagittal slices, read linearly between their centers, shape (nx, ny, nz).

    The first begins at slice `start`. Each is the mean of as many slices, or the first of them alone.
    """
    n = len(data)
    if is_mean:
        starts = np.arange(start, n - factor + 1, factor)
        slices, centers = (
            np.stack([data[k : k + factor].mean(axis=0, dtype=np.float32) for k in starts]),
            starts + (factor - 1) / 2,
        )
    else:
        centers = np.arange(start, n, factor)
        slices = data[centers].astype(np.float32)
    position = np.interp(np.arange(n), centers, np.arange(len(centers)))
    lower = np.floor(position).astype(int)
    weight = (position - lower).astype(np.float32)[:, None, None]
    return (1 - weight) * slices[lower] + weight * slices[np.minimum(lower + 1, len(slices) - 1)]


if __name__ == "__main__":
    main()
