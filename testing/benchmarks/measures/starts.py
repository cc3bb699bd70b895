"""Areas by the image's edge of every labeled scan, from six masks: those of `seg_cord` and the expert, as they are and moved."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from scipy import ndimage

from spineseg_cli import segment_cord
from spineseg_cli.api.images import load_image
from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.morphometry import measure_cord
from testing.benchmarks.measures.data import DATA

LABELS = {"unf01": "*_seg-manual.nii.gz", "errsm": "*_label-SC_seg.nii.gz", "gm_challenge": "*_seg-manual.nii.gz"}

# How far the outlines of the masks are moved outward, voxels.
MOVED_VX = (0.0, -0.5, 0.5)


def starts() -> None:
    """Print the largest difference between edges from the six masks, in the slices where all of them see one, percent."""
    click.echo(f"{'scan':42s}{'slices':>7s}{'seen':>6s}  area  apart %: all  seg_cord's  expert's  expert's to seg_cord's")
    for folder, pattern in LABELS.items():
        for label in sorted((DATA / "dev" / folder / "derivatives" / "labels").glob(f"*/anat/{pattern}")):
            name = label.name.split("_label-")[0].split("_seg-")[0]
            scan = DATA / "dev" / folder / label.parent.parent.name / "anat" / f"{name}.nii.gz"
            click.echo(f"{name:42s}{_row(scan, label)}")


def moved(mask: Volume, voxels: float) -> Volume:
    """Return a mask whose outline is moved outward in each slice by so many voxels, soft."""
    inside = mask.data >= 0.5
    out = np.zeros(mask.shape, np.float32)
    for k in np.flatnonzero(inside.any(axis=(0, 1))):
        plane = inside[..., k]
        distance = ndimage.distance_transform_edt(plane) - ndimage.distance_transform_edt(~plane)
        out[..., k] = np.clip(0.5 + distance - np.sign(distance) / 2 + voxels, 0, 1)
    return mask.with_data(out)


def _row(scan: Path, label: Path) -> str:
    image = to_rpi(read_volume(scan))
    own, expert = to_rpi(load_image(segment_cord(scan).mask, "mask")), to_rpi(read_volume(label, kind="mask"))
    edges = [_edge(moved(mask, by) if by else mask, image) for mask in (own, expert) for by in MOVED_VX]
    slices = sorted(set.intersection(*(set(edge) for edge in edges)))
    if not slices:
        return "  no slice whose edge is seen from all masks"
    area = np.array([np.mean([edge[number] for number in slices]) for edge in edges])
    apart = [100 * np.ptp(some) / area.mean() for some in (area, area[:3], area[3:], area[[0, 3]])]
    count = int((own.data.any(axis=(0, 1)) & expert.data.any(axis=(0, 1))).sum())
    return f"{count:7d}{len(slices):6d}{area[0]:6.1f}" + "".join(f"{value:12.2f}" for value in apart)


def _edge(mask: Volume, image: Volume) -> dict[int, float]:
    """Return the areas of whole slices whose edge is seen, by the slice's number."""
    profile = measure_cord(mask, image=image).profile
    seen = profile.whole & np.array(["edge_not_visible" not in flag for flag in profile.flags])
    return dict(zip(profile.slices[seen].tolist(), profile.values["area_edge_mm2"][seen], strict=True))
