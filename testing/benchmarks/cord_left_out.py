"""Left-out scores of cord and centerline weights on the development scans: the tables of their model cards.

Train each config twice, with the subjects of a fold left out (`testing/scans.py` has the folds), then score every scan with the
weights that never saw its subject:

    python -m testing.benchmarks.cord_left_out "runs/cord-{fold}/cord.weights.h5" "runs/centerline-{fold}/centerline.weights.h5" \
        --presence "runs/presence/presence-{group}.npz"

Paths without {fold}, or names of the registry, score the same weights on every scan. With `--sagittal 3`, scans are made coarse
from right to left, as if acquired in sagittal slices of 3 mm; the reference is what the experts' mask fills by half or more. With
`--noise 0.7`, noise of 0.7 standard deviations of the intensities around the cord is added. With `--propseg`, masks are of the
method without a network, and weights do not matter.
Prints Markdown.
"""

from __future__ import annotations

import json
import resource
import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.image.resampling import resample_inplane
from spineseg_cli.core.image.thin_slices import averaged_thin_slices
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.localizer import NetworkLocalizer
from spineseg_cli.core.localization.search import search_cord
from spineseg_cli.metrics.overlap import confusion, dice
from spineseg_cli.tasks.centerline import find_centerline
from spineseg_cli.tasks.cord import segment_cord
from spineseg_cli.tasks.propseg import propagate_cord
from testing.disturbances import noisy
from testing.outline import edge_areas
from testing.scans import ROUNDING, DevScan, conus_tips_mm, dev_scans, development_data, networks_of_folds

# In these the edge is not seen all around: cord and CSF are alike, or many subjects were averaged.
WITHOUT_EDGE = ("gm-9669", "errsm05_T2star", "pam50")

# What lies further than this below the tip of the conus is surely not cord, and an end within it is as good as the tip is known.
CONUS_MM = 8.0

# Scans of one subject whose areas should agree as their edges do.
SAME_CORD = (("unf01-T1w", "unf01-T2w", "unf01-T2star"),) + tuple(
    (f"errsm{n}_acq-C2C5_T1w", f"errsm{n}_acq-C2C5_T2w") for n in (11, 21)
)
EDGE_COLUMNS = ["ratio", "Dice", "missed", "experts_ratio", "area_mm2", "edge_mm2", "seconds"]
LUMBAR_COLUMNS = ["found", "top_mm", "gap_mm", "canal_pct", "end_mm", "below_mm3", "Dice", "seconds"]
LINE_COLUMNS = ["path_median_mm", "path_largest_mm", "median_mm", "largest_mm"]


def expert_slices(scan: DevScan, cord: np.ndarray) -> np.ndarray:
    """Return the slices that the expert labeled, without distorted ones at the ends."""
    filled = np.flatnonzero(cord.any(axis=(0, 1)))
    return filled[scan.distorted : len(filled) - scan.distorted]


def score_edge(scan: DevScan, volume: Volume, mask: np.ndarray, cord: np.ndarray) -> dict[str, float]:
    """Return ratios to the image's edge, and Dice to the experts' mask in the slices that they labeled."""
    shared = development_data().parent
    areas, experts = (
        edge_areas(shared, volume, volume.with_data(part.astype(np.uint8))).reshape(-1, 2).mean(axis=0) if part.any()
        else np.full(2, np.nan)
        for part in (mask, cord)
    )  # fmt: skip
    used = expert_slices(scan, cord)
    return {
        "ratio": areas[0] / areas[1],
        "Dice": dice(confusion(mask[:, :, used], cord[:, :, used])),
        "missed": int((~mask[:, :, used].any(axis=(0, 1))).sum()),
        "experts_ratio": experts[0] / experts[1],
        "area_mm2": areas[0],
        "edge_mm2": areas[1],
    }


def score_lumbar(scan: DevScan, volume: Volume, mask: np.ndarray, cord: np.ndarray) -> dict[str, float]:
    """Return where a mask begins and ends, its longest gap, and how much of it lies in the canal and below the conus."""
    from spineseg_cli.core.image.nifti import read_volume
    from spineseg_cli.core.image.orientation import to_rpi
    from spineseg_cli.training.data.label_maps import CANAL

    filled = np.flatnonzero(mask.any(axis=(0, 1)))
    if not len(filled):
        return {"found": 0, "Dice": 0.0}
    folder = scan.image_path.parents[2] / "derivatives/labels" / f"sub-{scan.subject}" / "anat"
    canal = to_rpi(read_volume(next(folder.glob("*.nii.gz")), kind="mask")).data == CANAL
    n, distance_mm = mask.shape[2], volume.spacing_mm[2]
    tip_mm = conus_tips_mm()[scan.subject]
    surely_below = max(0, int(n - 1 - (tip_mm + CONUS_MM) / distance_mm))
    return {
        "found": 1,
        "top_mm": (n - 1 - filled[-1]) * distance_mm,
        "gap_mm": (np.diff(filled).max(initial=1) - 1) * distance_mm,
        "canal_pct": 100 * (mask & canal).sum() / mask.sum(),
        "end_mm": (n - 1 - filled[0]) * distance_mm - tip_mm,
        "below_mm3": float(mask[:, :, :surely_below].sum() * np.prod(volume.spacing_mm)),
        "Dice": dice(confusion(mask, cord)),
    }


def score_line(volume: Volume, localizer: NetworkLocalizer, predictor: Predictor, cord: np.ndarray) -> dict[str, float | None]:
    """Return how far the search's path, and the centerline where there is one, lie from the center of the experts' mask."""
    path_vx = search_cord(averaged_thin_slices(volume), localizer.search).centers_vx
    line = find_centerline(volume, replace(localizer, cord=predictor))
    line_vx = np.full_like(path_vx, np.nan)
    line_vx[line.slices] = line.points_vx[:, :2]
    labeled = np.flatnonzero(cord.any(axis=(0, 1)))
    centers = np.array([np.argwhere(cord[:, :, k]).mean(axis=0) for k in labeled])
    far = [np.hypot(*((points[labeled] - centers) * volume.spacing_mm[:2]).T) for points in (path_vx, line_vx)]
    values = [float(of(far_mm)) if np.isfinite(far_mm).any() else None for far_mm in far for of in (np.nanmedian, np.nanmax)]
    return dict(zip(LINE_COLUMNS, values, strict=True))


def table(rows: dict[str, dict], scans: dict[str, DevScan], columns: list[str]) -> list[str]:
    """Return a Markdown table, a row a scan."""
    head = ["scan", "fold", "contrast", *columns]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for name, row in rows.items():
        cells = [_cell(row.get(column), column) for column in columns]
        lines.append(f"| {' | '.join([name, scans[name].fold, scans[name].contrast, *cells])} |")
    return lines


def _cell(value: float | None, column: str) -> str:
    if value is None:
        return ""
    if column in ("found", "missed"):
        return str(int(value))
    decimals = 3 if column in ("ratio", "Dice", "experts_ratio") else 2 if column in LINE_COLUMNS else 0 if "mm3" in column else 1
    return f"{value:.{decimals}f}"


def edge_summary(rows: dict[str, dict], scans: dict[str, DevScan]) -> list[str]:
    """Return sentences on the ratio to the edge, on Dice where experts drew on the edge, and on areas across contrasts."""
    seen = {name: row["ratio"] for name, row in rows.items() if name not in WITHOUT_EDGE and np.isfinite(row["ratio"])}
    lines = []
    if seen:
        ratios = np.array(list(seen.values()))
        contrasts = dict.fromkeys(scans[name].contrast for name in seen)
        means = ", ".join(f"{c} {np.mean([r for name, r in seen.items() if scans[name].contrast == c]):.3f}" for c in contrasts)
        lines.append(
            f"Ratio over the {len(seen)} scans whose edge is seen all around: mean {ratios.mean():.3f}, "
            f"spread {ratios.std():.3f}, {ratios.min():.3f} to {ratios.max():.3f}; by contrast {means}."
        )
    drawn = [row["Dice"] for name, row in rows.items() if scans[name].contrast != "t1" and not name.startswith("unf01")]
    if drawn:
        lines.append(f"Dice but for T1w and unf01: mean {np.mean(drawn):.3f}, worst {np.min(drawn):.3f}; "
                     f"{sum(row['missed'] for row in rows.values())} slices missed in all.")  # fmt: skip
    for names in SAME_CORD:
        if set(names) <= set(rows):
            areas, edges = ([rows[name][key] for name in names] for key in ("area_mm2", "edge_mm2"))
            off = [100 * (a / areas[0] / (e / edges[0]) - 1) for a, e in zip(areas[1:], edges[1:], strict=True)]
            listed = [" / ".join(f"{value:.1f}" for value in values) for values in (areas, edges)]
            apart = ", ".join(f"{value:+.1f}" for value in off)
            lines.append(f"{' / '.join(names)}: {listed[0]} mm2, edges {listed[1]} mm2; ratios apart {apart} %.")
    return lines


def lumbar_summary(rows: dict[str, dict]) -> list[str]:
    """Return a sentence on how many cords were found, from their top to their end."""
    found = [row for row in rows.values() if row["found"]]
    ends = np.abs([row["end_mm"] for row in found])
    tops = np.array([row["top_mm"] for row in found])
    return [
        f"{len(found)} of {len(rows)} found, {np.sum(tops <= 5)} from within 5 mm of the scan's top; "
        f"ends within 8 mm of the tip in {np.sum(ends <= 8)}, within 15 mm in {np.sum(ends <= 15)}."
    ]


@click.command()
@click.argument("cord_weights", default="cord")
@click.argument("centerline_weights", default="centerline")
@click.option("--presence", help="Of what tells which slices hold cord, with {group} in its path.")
@click.option("--only", multiple=True, help="Scans whose name has this in it.")
@click.option("--sagittal", "thick_mm", type=float, help="Thickness of the sagittal slices to make; by default none.")
@click.option("--noise", type=float, help="Noise to add, in standard deviations of the intensities; by default none.")
@click.option("--propseg", is_flag=True, help="Score the propagation from the Hough transform instead of networks.")
@click.option("--out", type=click.Path(path_type=Path), help="Also write every number to this JSON file.")
def main(
    cord_weights: str,
    centerline_weights: str,
    presence: str | None,
    only: tuple,
    thick_mm: float | None,
    noise: float | None,
    propseg: bool,
    out: Path | None,
) -> None:
    """Print the tables of the cards of `cord` and `centerline`."""
    scans = {scan.name: scan for scan in dev_scans(only)}
    edges, lumbar, lines = {}, {}, {}
    networks = networks_of_folds(cord_weights, centerline_weights, presence)
    for name, scan in scans.items():
        volume, cord = scan.volumes()
        if thick_mm:
            size = (thick_mm, volume.spacing_mm[1])
            mask = resample_inplane(volume.with_data(cord.astype(np.float32)), size)
            volume, cord = resample_inplane(volume, size), mask.data >= 0.5 - ROUNDING
        if noise:
            volume, cord = noisy(noise)(volume, cord)
        start = time.perf_counter()
        if propseg:
            mask = propagate_cord(volume).mask.data > 0
        else:
            predictor, localizer = networks(scan.fold, scan.group)
            mask = segment_cord(volume, predictor, localizer).mask.data > 0
        seconds = {"seconds": time.perf_counter() - start}
        if not propseg:
            lines[name] = score_line(volume, localizer, predictor, cord)
        if scan.is_lumbar:
            lumbar[name] = score_lumbar(scan, volume, mask, cord) | seconds
        else:
            edges[name] = score_edge(scan, volume, mask, cord) | seconds
        click.echo(f"{name}: {json.dumps((lumbar if scan.is_lumbar else edges)[name], default=float)}", err=True)
    parts = []
    if edges:
        parts += [*table(edges, scans, EDGE_COLUMNS), "", *edge_summary(edges, scans), ""]
    if lumbar:
        parts += [*table(lumbar, scans, LUMBAR_COLUMNS), "", *lumbar_summary(lumbar), ""]
    if lines:
        parts += table(lines, scans, LINE_COLUMNS)
    click.echo("\n".join(parts))
    click.echo(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB", err=True)
    if out:
        out.write_text(json.dumps({"edges": edges, "lumbar": lumbar, "lines": lines}, default=float, indent=1))


if __name__ == "__main__":
    main()
