"""Time of ten pairs of 256x256x20 masks, read from files, volumes and slices: `python bench_compute_metrics.py`."""

import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np

from spineseg_cli.cli.compute_metrics import main

PAIRS, SHAPE, AFFINE = 10, (256, 256, 20), np.diag([0.5, 0.5, 5.0, 1.0])


def butterfly(rng: np.random.Generator) -> np.ndarray:
    """Two ellipses a slice, about the size of gray matter, on a cord that wanders; and a stray voxel in a corner."""
    x, y, z = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    center_x, center_y = (128 + rng.normal(0, 2) + 5 * np.sin(z / 6), 128 + rng.normal(0, 2))
    mask = np.zeros(SHAPE, bool)
    for side in (-1, 1):
        mask |= ((x - center_x - side * 6) / 4) ** 2 + ((y - center_y) / 10) ** 2 < 1
    mask |= (abs(x - center_x) < 6) & (abs(y - center_y) < 2)
    mask[0, 0, 0] = True
    return mask


def bench(folder: Path) -> float:
    """Return the seconds that the command takes."""
    rng = np.random.default_rng(0)
    paths = {side: [str(folder / f"{side}{i}.nii.gz") for i in range(PAIRS)] for side in ("p", "r")}
    for path in (*paths["p"], *paths["r"]):
        nib.save(nib.Nifti1Image(butterfly(rng).astype(np.uint8), AFFINE), path)
    arguments = ["-i", *paths["p"], "-r", *paths["r"], "--per-slice", "-o", str(folder / "out.csv"), "-v", "0"]
    start = time.perf_counter()
    main(arguments, standalone_mode=False)
    return time.perf_counter() - start


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        seconds = bench(Path(name))
    sys.stdout.write(f"{PAIRS} pairs of {'x'.join(map(str, SHAPE))} masks, volumes and slices: {seconds:.2f} s\n")
