"""Areas of each subject with several contrasts by mask and by the image's edge, and the latter from masks half a voxel off."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.morphometry import measure_cord
from testing.benchmarks.measures.data import DATA, anatomy, full_name
from testing.benchmarks.measures.starts import moved


def contrasts() -> None:
    """Print areas of each subject by mask and by edge, and how much the latter changes with masks half a voxel off."""
    _print_contrasts(_label)


def own_masks() -> None:
    """Print the same from the masks that `seg_cord` draws, and how far their edges are from those of the experts' masks."""
    from spineseg_cli import segment_cord
    from spineseg_cli.api.images import load_image

    _print_contrasts(lambda folder, name, label: load_image(segment_cord(anatomy(folder, name)).mask, "mask"))


def _print_contrasts(find_mask) -> None:
    scans = {"unf01": [("unf01", contrast, "seg-manual") for contrast in ("T1w", "T2w", "T2star")]}
    for subject in ("errsm11", "errsm21"):
        scans[f"{subject} C2-C5"] = [
            ("errsm", f"sub-{subject}_acq-C2C5_{contrast}", "label-SC_seg") for contrast in ("T1w", "T2w")
        ]
    for subject in ("errsm18", "errsm21"):
        scans[subject] = [("errsm", f"sub-{subject}_{contrast}", "label-SC_seg") for contrast in ("T2w", "T2star")]
    for subject, files in scans.items():
        rows = [_contrast_row(anatomy(*file[:2]), find_mask(*file), _label(*file)) for file in files]
        heights = min((row["height"] for row in rows), key=len)
        heights = heights[[all(row["height"].min() <= h <= row["height"].max() for row in rows) for h in heights]]
        for kind in ("mask", "edge"):
            areas = np.array([np.interp(heights, row["height"], row[kind]).mean() for row in rows])
            click.echo(f"{subject:16s}{kind:6s}{np.round(areas, 1)!s:28s} apart {100 * np.ptp(areas) / areas.mean():5.1f} %")
        for file, row in zip(files, rows, strict=True):
            said = f"half a voxel smaller {row['less']:.3f}, larger {row['more']:.3f}, from the expert's {row['expert']:.3f}"
            click.echo(f"    {file[1]:34s} edge from a mask {said}")


def _label(folder: str, name: str, label: str) -> Volume:
    name = full_name(folder, name)
    path = DATA / "dev" / folder / "derivatives" / "labels" / name.split("_")[0] / "anat" / f"{name}_{label}.nii.gz"
    return read_volume(path, kind="mask")


def _contrast_row(scan: Path, mask: Volume, expert: Volume) -> dict:
    """Return heights in the world of the slices of a scan, mm, their areas, and the areas by edge from other masks over these."""
    image = read_volume(scan)
    first = measure_cord(mask, image=image).profile
    kept = first.whole & np.array(["edge_not_visible" not in flag for flag in first.flags])
    places = np.column_stack([first.rays.origins_vx, first.slices])[kept]
    row = {"height": places @ first.mask.volume.affine[2, :3] + first.mask.volume.affine[2, 3]}
    row |= {"mask": first.values["area_mm2"][kept], "edge": first.values["area_edge_mm2"][kept]}
    others = {"less": moved(to_rpi(mask), -0.5), "more": moved(to_rpi(mask), 0.5), "expert": to_rpi(expert)}
    for key, other in others.items():
        profile = measure_cord(other, image=to_rpi(image)).profile
        seen = profile.slices[["edge_not_visible" not in flag for flag in profile.flags] & profile.whole]
        both = np.intersect1d(seen, first.slices[kept])
        areas = [part.values["area_edge_mm2"][np.isin(part.slices, both)].mean() for part in (profile, first)]
        row[key] = areas[0] / areas[1]
    return row
