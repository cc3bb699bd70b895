"""Fits the confidence of masks, and scores it: development scans as they are and disturbed, whole subjects left out.

    python -m testing.benchmarks.confidence collect-cord "runs/cord-{fold}/cord.weights.h5" \\
        "runs/centerline-{fold}/centerline.weights.h5" --targets targets --out cord.npz
    python -m testing.benchmarks.confidence collect-gray-matter "runs/{fold}/gm.weights.h5" --out gray_matter.npz
    python -m testing.benchmarks.confidence fit cord cord.npz --write
    python -m testing.benchmarks.confidence fit gray_matter gray_matter.npz --write

`collect` segments every scan, as it is and with some disturbances of drawn strength, by weights that have not seen the subject,
and keeps the features of each slice with a mask and its Dice coefficient. `--targets` is the folder of masks on the image's
edge (`make_targets`), for scans whose experts' masks lie inside it. Masks of the cord are damaged, too, since the command hardly
ever makes such ones (`testing/disturbances/masks.py`). `fit` fits the logistic model eight times without some of the
subjects, scores it on those, and with `--write` stores the coefficients of a fit to all.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.confidence.assessment import COEFFICIENTS, GOOD, LOOK
from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.localizer import NetworkLocalizer
from spineseg_cli.tasks.cord import segment_cord
from spineseg_cli.tasks.gray_matter import segment_gray_matter
from spineseg_cli.weights.find import find_custom
from testing import disturbances as made
from testing.benchmarks import gm_card
from testing.benchmarks.confidence.model import Model, Rows, area_under_curve, fitted
from testing.benchmarks.confidence.rows import damaged_rows, rows_of
from testing.disturbances.masks import DAMAGES
from testing.scans import DevScan, dev_scans, networks_of_folds

# A slice is good from this Dice coefficient on. Of gray matter, the experts' masks of ordinary scans agree no better than 0.8 to
# 0.9 with weights that have not seen them, so that 0.85 says more of the scan's masks than of the slice.
GOOD_DICE = {"cord": 0.85, "gray_matter": 0.7}
FOLDS = 8

# Each scan is taken as it is, and with so many of these, drawn by its name. Strengths range from hardly seen to hopeless.
DRAWN = {"cord": 9, "gray_matter": 13}
KINDS: dict[str, Callable] = {
    "noise": lambda rng: made.noisy(rng.choice([0.3, 0.6, 1.0, 1.7, 3.0])),
    "ghosts": lambda rng: made.ghosted(rng.choice([0.2, 0.35, 0.5]), rng.uniform(10, 30)),
    "bias": lambda rng: made.biased(rng.choice([-1.5, -0.8, 0.8, 1.5])),
    "blur": lambda rng: made.blurred(rng.choice([1.0, 1.8, 3.0])),
    "half lost": lambda rng: made.half_lost(rng.uniform(15, 50)),
    "drop-out": lambda rng: made.dropped_out(rng.choice([0.5, 0.8, 0.95]), rng.uniform(8, 18)),
    "lost": lambda rng: made.lost_signal(rng.choice([12, 24]), rim=bool(rng.integers(2))),
    "moved": lambda rng: made.jerked(rng.choice([0.7, 1.5, 3.0])),
    "cropped": lambda rng: made.cropped(rng.choice([3, 6, 10])),
    "inverted": lambda rng: made.inverted,
    "like T1w": lambda rng: made.like_t1w,
    "beside": lambda rng: made.beside(int(rng.choice([-1, 1]))),
    "below": lambda rng: made.below(),
}

# The way in which each feature may speak: 1 for a slice, -1 against it. A fit to few subjects is not to find others. Gray matter
# has four subjects, for whom the area, say, tells one from the other.
SIGNS = {
    "cord": {
        "vague_mm": -1, "sharpness": 1, "area": 1, "raggedness": -1, "shape_change": -1, "jump_mm": -1, "off_path_mm": -1,
        "trust": 1, "moved_mm": -1, "correlation": 1, "expected_dice": 1,
    },
    "gray_matter": {
        "expected_dice": 1, "vague_mm": -1, "area_change": -1, "shape_change": -1, "symmetry": 1, "overlap": 1,
    },
}  # fmt: skip

# Features whose best values are told apart, too: see `model.KNOTS`.
TO_THE_BEST = ["trust"]


def drawn_disturbances(scan: DevScan, count: int) -> Iterator[tuple[str, made.Disturbance]]:
    """Yield the disturbances of a scan, by its name, the undisturbed scan first."""
    rng = np.random.default_rng(zlib.crc32(scan.name.encode()))
    yield "none", lambda volume, cord: (volume, cord)
    for name in rng.permutation([name for name in KINDS if name != "below" or scan.is_lumbar])[:count]:
        yield str(name), KINDS[name](rng)


def write_rows(out: Path, tables: list[dict]) -> None:
    """Write the rows of all scans, NPZ."""
    filled = [table for table in tables if len(table["dice"])]
    np.savez_compressed(out, **{name: np.concatenate([table[name] for table in filled]) for name in filled[0]})


@click.group()
def main() -> None:
    """Collect features, or fit the model to them."""


@main.command()
@click.argument("cord_weights")
@click.argument("centerline_weights")
@click.option("--targets", type=click.Path(exists=True, path_type=Path))
@click.option("--only", multiple=True, help="Scans whose name has this in it.")
@click.option("--out", required=True, type=click.Path(path_type=Path))
def collect_cord(cord_weights: str, centerline_weights: str, targets: Path | None, only: tuple[str, ...], out: Path) -> None:
    """Segment the cord by fold weights ({fold} in their paths), and write the features."""
    tables, networks = [], networks_of_folds(cord_weights, centerline_weights)
    for scan in dev_scans(only):
        volume, cord = scan.volumes(targets)
        for kind, disturb in drawn_disturbances(scan, DRAWN["cord"]):
            disturbed, right = disturb(volume, cord)
            if min(disturbed.shape):
                result = segment_cord(disturbed, *networks(scan.fold))
                tables.append(rows_of(result.confidence, result.mask.data > 0, right, scan, kind, volume.spacing_mm[2]))
                tell("cord", scan, kind, tables[-1])
        for table in damaged_rows(scan, volume, cord, *networks(scan.fold)):
            tables.append(table)
            tell("cord", scan, "damaged", table)
    write_rows(out, tables)


@main.command()
@click.argument("gm_weights")
@click.option("--only", multiple=True, help="Scans whose name has this in it.")
@click.option("--out", required=True, type=click.Path(path_type=Path))
def collect_gray_matter(gm_weights: str, only: tuple[str, ...], out: Path) -> None:
    """Segment the gray matter of the challenge's scans by weights that have not seen them ({fold}: `gm_card.FOLDS`)."""
    tables = []
    folds = {fold: find_custom(gm_weights.format(fold=fold), "gray_matter").predictor("cpu") for fold in gm_card.FOLDS}
    search, look = (find_custom(name, "cord", "centerline").predictor("cpu") for name in ("centerline", "cord"))
    for scan in dev_scans(only or ("gm-",)):
        volume, cord = scan.volumes()
        gray = (
            to_rpi(read_volume(scan.mask_path.with_name(scan.mask_path.name.replace("_seg-", "_gmseg-")), kind="mask")).data > 0.5
        )
        predictor = next(folds[fold] for fold, names in gm_card.FOLDS.items() if f"sub-{scan.name.removeprefix('gm-')}" in names)
        for kind, disturb in drawn_disturbances(scan, DRAWN["gray_matter"]):
            disturbed, right = disturbed_with(disturb, volume, cord, gray)
            result = segment_gray_matter(disturbed, predictor, NetworkLocalizer(search=search, cord=look))
            if result.confidence is not None:
                tables.append(rows_of(result.confidence, result.mask.data > 0, right, scan, kind, volume.spacing_mm[2]))
                tell("gray_matter", scan, kind, tables[-1])
    write_rows(out, tables)


def disturbed_with(disturb: made.Disturbance, volume: Volume, cord: np.ndarray, gray: np.ndarray) -> tuple[Volume, np.ndarray]:
    """Return a disturbed scan and the mask of the gray matter in it; disturbances take their place from the cord's mask."""
    disturbed, right = disturb(volume, cord.astype(np.uint8) + gray)  # 1 for white matter, 2 for gray
    return disturbed, right == 2


def tell(structure: str, scan: DevScan, kind: str, table: dict) -> None:
    """Print what was collected."""
    bad = table["dice"] < GOOD_DICE[structure]
    click.echo(f"{scan.name:26s}{kind:12s}{len(bad):5d} slices, {bad.sum():4d} of them below {GOOD_DICE[structure]}")


@main.command()
@click.argument("structure", type=click.Choice(["cord", "gray_matter"]))
@click.argument("table", type=click.Path(exists=True, path_type=Path))
@click.option("--write", is_flag=True, help="Store the coefficients in the package.")
def fit(structure: str, table: Path, write: bool) -> None:
    """Fit the model, and print how well it tells good slices from bad ones of subjects left out."""
    names, signs = list(SIGNS[structure]), np.array(list(SIGNS[structure].values()))
    with np.load(table, allow_pickle=True) as stored:
        features = np.column_stack([stored[f"f_{name}"].astype(float) for name in names])
        dice, weight, subject, kind = (stored[name] for name in ("dice", "weight", "subject", "kind"))
    subjects = np.random.default_rng(0).permutation(sorted(set(subject)))
    fold = np.array([int(np.flatnonzero(subjects == one)[0]) % FOLDS for one in subject])
    rows, is_damaged = Rows(features, dice >= GOOD_DICE[structure], weight), np.isin(kind, list(DAMAGES))

    def model_of(kept: np.ndarray) -> Model:
        damaged = rows.of(kept & is_damaged) if is_damaged.any() else None
        return fitted(rows.of(kept & ~is_damaged), signs, np.isin(names, TO_THE_BEST), damaged)

    right = np.zeros(len(dice))
    for out in sorted(set(fold)):
        right[fold == out] = model_of(fold != out).predicted(features[fold == out])
    say_how_right(structure, right[~is_damaged], dice[~is_damaged], weight[~is_damaged], subject[~is_damaged])
    for one in sorted(set(kind)):
        of = kind == one
        click.echo(
            f"{one:12s}{of.sum():6d} slices, {rows.good[of].mean():.2f} good, mean confidence {right[of].mean():.2f}; "
            f"below {LOOK} are {np.sum(of & (right < LOOK))}, {np.sum(of & (right < LOOK) & ~rows.good)} of them bad"
        )
    stored = model_of(np.ones(len(dice), bool)).stored(names)
    click.echo(", ".join(f"{name} {value:+.2f}" for name, value in zip(stored["features"], stored["weights"], strict=True)))
    if write:
        content = json.loads(COEFFICIENTS.read_text(encoding="utf-8")) if COEFFICIENTS.is_file() else {}
        COEFFICIENTS.write_text(json.dumps(content | {structure: stored}, indent=1) + "\n", encoding="utf-8")


def say_how_right(structure: str, right: np.ndarray, dice: np.ndarray, weight: np.ndarray, subject: np.ndarray) -> None:
    """Print how well the confidence of slices, `right`, tells the good from the bad ones, all of shape (n,)."""
    good, called, doubted = dice >= GOOD_DICE[structure], right >= GOOD, right < LOOK
    lumbar = np.char.startswith(subject.astype(str), "spider")
    groups = {"all": np.ones(len(good), bool), "research": ~lumbar, "lumbar": lumbar}
    areas = [
        f"{area_under_curve(right[of], good[of], np.ones(of.sum())):.3f} {name}"
        for name, of in groups.items()
        if (~good[of]).any()
    ]
    click.echo(
        f"{len(dice)} slices of {len(set(subject))} subjects, {1 - good.mean():.3f} with Dice below {GOOD_DICE[structure]}\n"
        f"area under the curve: {', '.join(areas)}; {area_under_curve(right, good, weight):.3f} if scans weigh alike\n"
        f"called good, {GOOD} or more: {called.mean():.3f}, of which {good[called].mean():.4f} are; "
        f"{np.mean(dice[called] >= 0.9):.3f} of them have Dice 0.9 or more\n"
        f"to be looked at, below {LOOK}: {doubted[~good].mean():.2f} of the bad, {doubted[good].mean():.3f} of the good"
    )
    for low in np.arange(0, 1, 0.1):
        inside = (right >= low) & (right < low + 0.1 + (low > 0.85))
        if inside.any():
            click.echo(f"confidence {low:.1f} to {low + 0.1:.1f}: {inside.sum():6d} slices, {good[inside].mean():.2f} good")


if __name__ == "__main__":
    main()
