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

# The scans of each subject that are compared: folder, name, and the end of the expert's mask's name, None if there is none.
SCANS: dict[str, list[tuple[str, str, str | None]]] = {
    "unf01": [("unf01", contrast, "seg-manual") for contrast in ("T1w", "T2w", "T2star")],
    **{
        f"{subject} C2-C5": [("errsm", f"sub-{subject}_acq-C2C5_{contrast}", "label-SC_seg") for contrast in ("T1w", "T2w")]
        for subject in ("errsm11", "errsm21")
    },
    **{
        subject: [("errsm", f"sub-{subject}_{contrast}", "label-SC_seg") for contrast in ("T2w", "T2star")]
        for subject in ("errsm18", "errsm21")
    },
    **{
        subject: [("errsm", f"sub-{subject}_{contrast}", None) for contrast in names]
        for subject, names in {
            "errsm20": ("T2w", "T2star"),
            "errsm23": ("T2w", "mt-on_MTS", "mt-off_MTS"),
            "gre01": ("T2star", "echo-2_T2star"),
            "pilot7": ("flip-4_spgr", "flip-10_spgr", "flip-20_spgr", "mt-on_MTS"),
            "pilot8": ("flip-10_spgr", "mt-on_MTS"),
            "pilot9": ("flip-10_spgr", "mt-on_MTS"),
        }.items()
    },
}


def contrasts() -> None:
    """Print areas of each subject by mask and by edge, and how much the latter changes with masks half a voxel off."""
    _print_contrasts(_label, {subject: files for subject, files in SCANS.items() if all(label for *_, label in files)})


def own_masks() -> None:
    """Print the same from the masks that `seg_cord` draws, and how far their edges are from those of the experts' masks."""
    from spineseg_cli import segment_cord
    from spineseg_cli.api.images import load_image

    _print_contrasts(lambda folder, name, label: load_image(segment_cord(anatomy(folder, name)).mask, "mask"), SCANS)


def _print_contrasts(find_mask, scans) -> None:
    for subject, files in scans.items():
        rows = [_contrast_row(anatomy(*file[:2]), find_mask(*file), _label(*file) if file[2] else None) for file in files]
        _print_areas(subject, rows)
        for file, row in zip(files, rows, strict=True):
            starts = ", ".join(f"{start} {ratio:.3f}" for start, ratio in row["starts"].items()) or "not seen in both"
            click.echo(f"    {file[1]:34s} edge from another mask over that from this one: {starts}")


def _print_areas(subject: str, rows: list[dict]) -> None:
    """Print the areas by mask and by edge over the heights at which all scans show an edge, by mask alone if there are none."""
    kinds = ("mask", "edge") if all(row["seen"].any() for row in rows) else ("mask",)
    rows = [{key: row[key][row["seen"]] if "edge" in kinds else row[key] for key in ("height", "mask", "edge")} for row in rows]
    heights = min((row["height"] for row in rows), key=len)
    heights = heights[[all(row["height"].min() <= h <= row["height"].max() for row in rows) for h in heights]]
    for kind in kinds:
        areas = np.array([np.interp(heights, row["height"], row[kind]).mean() for row in rows])
        apart = 100 * np.ptp(areas) / areas.mean()
        click.echo(f"{subject:16s}{kind:6s}{np.round(areas, 1)!s:28s} apart {apart:5.1f} %, {len(heights)} slices")


def _label(folder: str, name: str, label: str) -> Volume:
    name = full_name(folder, name)
    path = DATA / "dev" / folder / "derivatives" / "labels" / name.split("_")[0] / "anat" / f"{name}_{label}.nii.gz"
    return read_volume(path, kind="mask")


def _contrast_row(scan: Path, mask: Volume, expert: Volume | None) -> dict:
    """Return the whole slices of a scan, and ratios of the area by edge from other masks to that from `mask`, by their names.

    Of the slices: their heights in the world, mm, whether their edge is seen, and their areas by mask and by edge, mm2.
    """
    image = read_volume(scan)
    first = measure_cord(mask, image=image).profile
    seen = np.array(["edge_not_visible" not in flag for flag in first.flags])
    places = np.column_stack([first.rays.origins_vx, first.slices])[first.whole]
    row = {"height": places @ first.mask.volume.affine[2, :3] + first.mask.volume.affine[2, 3], "seen": seen[first.whole]}
    row |= {kind: first.values[name][first.whole] for kind, name in (("mask", "area_mm2"), ("edge", "area_edge_mm2"))}
    others = {"half a voxel smaller": moved(to_rpi(mask), -0.5), "larger": moved(to_rpi(mask), 0.5)}
    if expert:
        others["the expert's"] = to_rpi(expert)
    row["starts"] = {}
    for start, other in others.items():
        profile = measure_cord(other, image=to_rpi(image)).profile
        here = profile.slices[["edge_not_visible" not in flag for flag in profile.flags] & profile.whole]
        both = np.intersect1d(here, first.slices[seen & first.whole])
        if len(both):
            areas = [part.values["area_edge_mm2"][np.isin(part.slices, both)].mean() for part in (profile, first)]
            row["starts"][start] = areas[0] / areas[1]
    return row
