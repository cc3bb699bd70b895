"""Errors of the estimated spinal segments: on simulated subjects and the PAM50 template, whole and in part, and on people."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.morphometry import measure_cord
from spineseg_cli.morphometry.levels.labels import levels_from_map
from spineseg_cli.morphometry.levels.names import SPINAL
from spineseg_cli.morphometry.levels.segments import WIDEST_MM, estimate_segments, locate_segments
from testing.benchmarks.measures.data import DATA
from testing.morphometry.subjects import simulate_subject

SUBJECTS = 300

# Lengths of the parts of the template, mm, and the distance from the beginning of one to that of the next.
PARTS_MM = (60, 100, 150, 200, 300, 400)
EVERY_MM = 20.0


def segments() -> None:
    """Print the errors of boundaries in view, mm, how often 90 % intervals hold them, and how wide they are."""
    for name, first, last in (
        ("whole", 0, 1),
        ("cervical", 0, 0.3),
        ("upper half", 0, 0.5),
        ("lower half", 0.5, 1),
        ("middle", 0.35, 0.65),
    ):
        rng = np.random.default_rng(0)
        errors, held, widths = [], [], []
        for _ in range(SUBJECTS):
            view = simulate_subject(rng).in_view(first, last)
            found, truth, inside = locate_segments(*view.profile), view.boundaries_mm, view.inside
            errors += list(np.abs(found.position_mm - truth)[inside])
            held += list(((truth >= found.low_mm) & (truth <= found.high_mm))[inside])
            widths += list((found.high_mm - found.low_mm)[inside])
        numbers = f"median {np.median(errors):5.1f}  90 % {np.quantile(errors, 0.9):5.1f}  held {100 * np.mean(held):5.1f} %"
        click.echo(f"simulated, {name:12s} {numbers}  width {np.median(widths):5.1f}")
    full, small = DATA / "labels" / "pam50" / "PAM50_", DATA / "dev" / "pam50_small" / "PAM50_small_"
    found = measure_cord(_mask(f"{full}cord"), estimate_levels=True)
    true = levels_from_map(found.profile, to_rpi(_mask(f"{full}spinal_levels")))
    _template_row("PAM50, spinal levels", found, true)
    _template_parts(found.profile, true)
    found = measure_cord(_mask(f"{small}cord"), image=read_volume(f"{small}t2.nii.gz"), estimate_levels=True)
    rootlets = to_rpi(_mask(f"{small}rootlets")).data[:, :, found.profile.slices].astype(int)
    true = np.array([np.bincount(plane[plane > 0], minlength=2).argmax() for plane in np.moveaxis(rootlets, 2, 0)])
    _template_row("PAM50 at 1 mm, rootlets", found, true)


def people() -> None:
    """Print which segments masks of people begin and end with, the intervals' median width, and the error of the tip, mm."""
    masks = [
        *sorted((DATA / "labels" / "spinegeneric").glob("*T2*_seg-manual.nii.gz")),
        *sorted((DATA / "dev" / "errsm" / "derivatives" / "labels").glob("*/anat/*T2*.nii.gz")),
        *sorted((Path(__file__).resolve().parents[2] / "labels" / "spider").glob("*.nii.gz")),
    ]
    for path in masks:
        profile = measure_cord(read_volume(path, kind="mask")).profile
        found, numbers = estimate_segments(profile)
        end, width = profile.distance_mm.max(), found.high_mm - found.low_mm
        inside = (found.position_mm >= 0) & (found.position_mm <= end)
        known = numbers[np.argsort(profile.distance_mm)]
        known = known[known > 0]
        said = f"{SPINAL[known[0] - 1]} to {SPINAL[known[-1] - 1]}" if len(known) else "not enough to tell"
        widths = f"{np.median(width[inside]):4.0f}" if inside.any() else "   -"
        tip = f"  tip {found.position_mm[-1] - end:+.1f}" if "spider" in path.name else ""
        click.echo(f"{path.name.split('.')[0]:44s}{end:5.0f} mm  {said:20s}{widths}{tip}")


def _template_parts(profile, true: np.ndarray) -> None:
    """Print how many boundaries of parts of the template are told, how many of these are held, and the largest error, mm."""
    half = np.abs(np.median(np.diff(profile.distance_mm))) / 2
    places = [profile.distance_mm[true == number] for number in range(1, true.max() + 1)]
    boundaries = np.array([*(place.min() - half for place in places), places[-1].max() + half])
    rows = []
    for length in PARTS_MM:
        for first in np.arange(0, profile.distance_mm.max() - length + 1, EVERY_MM):
            seen = (profile.distance_mm >= first) & (profile.distance_mm <= first + length)
            top = profile.distance_mm[seen].min()
            area, ratio = profile.values["area_mm2"][seen], profile.values["compression_ratio"][seen]
            found = locate_segments(profile.distance_mm[seen] - top, area, ratio, profile.whole[seen])
            truth = boundaries - top
            inside = (truth >= 0) & (truth <= length)
            told = inside & (found.high_mm - found.low_mm <= WIDEST_MM)
            held = told & (truth >= found.low_mm) & (truth <= found.high_mm)
            largest = np.abs(found.position_mm - truth)[told].max(initial=0)
            rows.append((length, inside.sum(), told.sum(), held.sum(), largest))
    table = np.array(rows)
    for length in (*PARTS_MM, None):
        chosen = table[table[:, 0] == length] if length else table
        _, inside, told, held, _ = chosen.sum(axis=0)
        nothing, share = (chosen[:, 2] == 0).sum(), 100 * held / told
        said = f"{nothing:3d} tell nothing, {told:4.0f} of {inside:4.0f} boundaries told, {share:3.0f} % of these held"
        click.echo(f"parts of {length or 'any'} mm: {len(chosen):3d}, {said}, largest error {chosen[:, 4].max():.0f}")


def _mask(path: str) -> Volume:
    return read_volume(f"{path}.nii.gz", kind="mask")


def _template_row(name: str, found, true: np.ndarray) -> None:
    place = found.segments
    numbers = np.unique(true[true > 0])
    middles = (place.position_mm[1:] + place.position_mm[:-1]) / 2
    low, high = (place.low_mm[1:] + place.low_mm[:-1]) / 2, (place.high_mm[1:] + place.high_mm[:-1]) / 2
    truth = np.array([found.profile.distance_mm[true == n].mean() for n in numbers])
    errors = np.abs(truth - middles[numbers - 1])
    held = (truth >= low[numbers - 1]) & (truth <= high[numbers - 1])
    said = f"median {np.median(errors):.1f}  largest {errors.max():.1f}  held {100 * held.mean():.0f} %"
    click.echo(f"{name:24s} middles of {len(numbers)}: {said}")
