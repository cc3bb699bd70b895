"""Soft masks of `seg_cord` on scans of about 1 mm, averaged over four voxels from right to left, against the masks themselves."""

from __future__ import annotations

import click
import numpy as np

from spineseg_cli import segment_cord
from spineseg_cli.api.images import load_image
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.morphometry import measure_cord
from testing.benchmarks.measures.data import anatomy

SCANS = (
    *(("unf01", contrast) for contrast in ("T1w", "T2w")),
    *(("errsm", f"sub-errsm{subject}_acq-C2C5_{contrast}") for subject in (11, 21) for contrast in ("T1w", "T2w")),
    *(("errsm", f"sub-errsm{subject}_T2w") for subject in (11, 18, 20, 21, 23)),
    *(("spider", f"sub-spider{subject}_T2w") for subject in ("007", "041", "081", "118", "166", "200")),
)
TOGETHER = 4

# The tip of the conus, below this area, fills no voxel of the averaged mask.
LEAST_AREA_MM2 = 30.0

COLUMNS = ("area_mm2", "diameter_RL_mm", "diameter_AP_mm")


def averaged() -> None:
    """Print, of each scan, the mean difference and that which 95 % of slices are below, of area (%), diameters RL and AP, mm."""
    for scan in SCANS:
        mask = to_rpi(load_image(segment_cord(anatomy(*scan)).probability, "mask"))
        fine = measure_cord(mask).profile
        errors = np.concatenate([_errors(fine, _averaged(mask, first)) for first in range(TOGETHER)], axis=1)
        voxel = "x".join(f"{side * (TOGETHER if axis == 0 else 1):.2g}" for axis, side in enumerate(mask.spacing_mm))
        mean, most = errors.mean(axis=1), np.quantile(np.abs(errors), 0.95, axis=1)
        cells = "".join(f"{a:+9.3f}{b:8.3f}" for a, b in zip(mean, most, strict=True))
        click.echo(f"{scan[1]:30s}{voxel:16s}{cells}")


def _averaged(mask: Volume, first: int) -> Volume:
    """Return a mask in RPI averaged over voxels from right to left, beginning with as many empty ones."""
    data = np.pad(mask.data.astype(np.float32), ((first, TOGETHER), (0, 0), (0, 0)))
    data = data[: len(data) // TOGETHER * TOGETHER]
    affine = mask.affine.copy()
    affine[:3, 0] *= TOGETHER
    return Volume(data.reshape(-1, TOGETHER, *data.shape[1:]).mean(axis=1), affine)


def _errors(fine, mask: Volume) -> np.ndarray:
    profile = measure_cord(mask).profile
    kept = fine.whole & (fine.values["area_mm2"] > LEAST_AREA_MM2)
    _, i, j = np.intersect1d(fine.slices[kept], profile.slices[profile.whole], return_indices=True)
    true, found = (
        np.array([part.values[name][where][index] for name in COLUMNS])
        for part, where, index in ((fine, kept, i), (profile, profile.whole, j))
    )
    return np.concatenate([100 * (found[:1] / true[:1] - 1), found[1:] - true[1:]])
