"""Write scans to train on, derived from others: lumbar ones painted in other contrasts, and scans in thick sagittal slices.

    python -m testing.benchmarks.derived_scans FOLDER/derived

The configuration `cord` reads them, with the cord masks and the labels of the scans that they were derived from. Thick slices are
brought back to the scan's own grid, as the windows of a network show them, so that the masks are as fine as before.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.image.orientation import from_rpi, to_rpi
from testing.scans import dev_scans, development_data
from testing.variants import painted

# Other ones than those that `cord_presence.py` scores.
PAINTED_SEED, THICK_SEED = 5000, 6000

CONTRASTS = {"T1w": "t1", "TIRM": "tirm"}

# The thickness of slices, before it is rounded to a whole number of the scan's.
THICK_MM = (2.6, 4.6)

# Sharp scans of the neck, 1 mm in all directions.
NECK = ("sub-errsm[12][138]/anat/sub-errsm??_T2w.nii.gz", "sub-errsm*/anat/*_acq-C2C5_T?w.nii.gz")

# How many scans in thick slices are made of each.
OF_EACH = 2


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """Write painted scans into FOLDER, and thick ones of these, of the lumbar scans and of those of the neck."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, scan in enumerate(dev_scans(("spider",))):
        for suffix, contrast in CONTRASTS.items():
            image, _ = painted(contrast, scan.spine(), PAINTED_SEED + number)(*scan.volumes())
            stored = from_rpi(image.data.round(), read_volume(scan.image_path))
            write_volume(folder / f"sub-{scan.subject}_{suffix}.nii.gz", stored, np.int16)
    errsm = development_data() / "dev" / "errsm"
    paths = [scan.image_path for scan in dev_scans(("spider",))]
    paths += [path for suffix in CONTRASTS for path in sorted(folder.glob(f"sub-spider???_{suffix}.nii.gz"))]
    for number, path in enumerate([*paths, *(path for pattern in NECK for path in sorted(errsm.glob(pattern)))]):
        _write_thick(path, folder, np.random.default_rng(THICK_SEED + number))


def _write_thick(path: Path, folder: Path, rng: np.random.Generator) -> None:
    """Write a scan in thick sagittal slices: the mean of several of its own, or, of every other lumbar scan, one of several."""
    stored = read_volume(path)
    scan = to_rpi(stored)
    for index in range(OF_EACH):
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
