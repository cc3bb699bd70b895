"""Fits the confidence of masks, and scores it: development scans as they are and disturbed, whole subjects left out.

    python -m testing.benchmarks.confidence collect-cord "runs/cord-{fold}/cord.weights.h5" \\
        "runs/centerline-{fold}/centerline.weights.h5" --targets targets --out cord.npz
    python -m testing.benchmarks.confidence collect-gray-matter "runs/{fold}/gm.weights.h5" --out gray_matter.npz
    python -m testing.benchmarks.confidence fit cord cord.npz --write
    python -m testing.benchmarks.confidence fit gray_matter gray_matter.npz --write

`collect` segments every scan, as it is and with some disturbances of drawn strength, by weights that have not seen the subject,
and keeps the features of each slice with a mask and its Dice coefficient. `--targets` is the folder of masks on the image's
edge (`make_targets`), for scans whose experts' masks lie inside it. `fit` fits the logistic model eight times without some of the
subjects, scores it on those, and with `--write` stores the coefficients of a fit to all.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np
from scipy.optimize import minimize

from spineseg_cli.core.confidence.assessment import COEFFICIENTS, GOOD, LOOK, Confidence
from spineseg_cli.core.confidence.features import sampled_slices
from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.localizer import NetworkLocalizer
from spineseg_cli.tasks.cord import segment_cord
from spineseg_cli.tasks.gray_matter import segment_gray_matter
from spineseg_cli.weights.find import find_custom
from testing import disturbances as made
from testing.benchmarks import gm_card
from testing.scans import DevScan, dev_scans, networks_of_folds

# A slice is good from this Dice coefficient on. Of gray matter, the experts' masks of ordinary scans agree no better than 0.8 to
# 0.9 with weights that have not seen them, so that 0.85 says more of the scan's masks than of the slice.
GOOD_DICE = {"cord": 0.85, "gray_matter": 0.7}
FOLDS = 8
RIDGE = 1e-3

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
        "trust": 1, "moved_mm": -1,
    },
    "gray_matter": {
        "expected_dice": 1, "vague_mm": -1, "area_change": -1, "shape_change": -1, "symmetry": 1, "overlap": 1,
    },
}  # fmt: skip


def drawn_disturbances(scan: DevScan, count: int) -> Iterator[tuple[str, made.Disturbance]]:
    """Yield the disturbances of a scan, by its name, the undisturbed scan first."""
    rng = np.random.default_rng(zlib.crc32(scan.name.encode()))
    yield "none", lambda volume, cord: (volume, cord)
    for name in rng.permutation([name for name in KINDS if name != "below" or scan.is_lumbar])[:count]:
        yield str(name), KINDS[name](rng)


def slice_dice(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the Dice coefficient of each axial slice; 1 where both are empty."""
    common, total = (first & second).sum(axis=(0, 1)), first.sum(axis=(0, 1)) + second.sum(axis=(0, 1))
    return np.where(total, 2 * common / np.maximum(total, 1), 1.0)


def judged_slices(scan: DevScan, right: np.ndarray, kind: str) -> np.ndarray:
    """Return in which slices a mask can be judged: between the ends of the labels; all, in lumbar scans and those without cord.

    Distorted slices at the ends of the labels are left out.
    """
    filled = np.flatnonzero(right.any(axis=(0, 1)))
    if scan.is_lumbar or kind in ("beside", "below") or not len(filled):
        return np.ones(right.shape[2], bool)
    judged = np.zeros(right.shape[2], bool)
    judged[filled[0] + scan.distorted : filled[-1] + 1 - scan.distorted] = True
    return judged


def rows_of(confidence: Confidence, mask: np.ndarray, right: np.ndarray, scan: DevScan, kind: str, distance_mm: float) -> dict:
    """Return the features of the slices that a mask fills and that can be judged, those of thin slices 2 mm apart."""
    kept = np.zeros(mask.shape[2], bool)
    kept[sampled_slices(mask.any(axis=(0, 1)), distance_mm)] = True
    kept &= judged_slices(scan, right, kind)
    count = int(kept.sum())
    columns = {"dice": slice_dice(mask, right)[kept], "weight": np.full(count, 1 / max(count, 5))}
    columns |= {name: np.full(count, value) for name, value in (("subject", scan.subject), ("scan", scan.name), ("kind", kind))}
    return columns | {f"f_{name}": np.asarray(values)[kept] for name, values in confidence.features.items()}


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


def fitted(features: np.ndarray, good: np.ndarray, weight: np.ndarray, signs: np.ndarray) -> dict[str, np.ndarray]:
    """Return the logistic model of the largest penalized likelihood whose weights have the given signs."""
    limits = np.percentile(features, [1, 99], axis=0)
    clipped = np.clip(features, *limits)
    means, scales = clipped.mean(axis=0), clipped.std(axis=0) + 1e-9
    inputs = np.column_stack([(clipped - means) / scales, np.ones(len(clipped))])
    share = weight / weight.sum()

    def loss(values):
        score = inputs @ values
        ridge = np.append(values[:-1], 0)
        gradient = inputs.T @ (share * (1 / (1 + np.exp(-score)) - good)) + 2 * RIDGE * ridge
        return (share * (np.logaddexp(0, score) - good * score)).sum() + RIDGE * (ridge**2).sum(), gradient

    bounds = [(0, None) if sign > 0 else (None, 0) for sign in signs] + [(None, None)]
    values = minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x
    return {"weights": values[:-1], "constant": values[-1], "means": means, "scales": scales, "limits": limits.T}


def predicted(model: dict, features: np.ndarray) -> np.ndarray:
    """Return the probability that each slice is good."""
    inputs = (np.clip(features, *model["limits"].T) - model["means"]) / model["scales"]
    return 1 / (1 + np.exp(-(inputs @ model["weights"] + model["constant"])))


def area_under_curve(score: np.ndarray, good: np.ndarray, weight: np.ndarray) -> float:
    """Return the probability that a good slice has a higher score than a bad one, both drawn by weight."""
    order = np.argsort(score, kind="stable")
    good, weight = good[order], weight[order]
    return float(
        (np.where(good, weight, 0) * np.cumsum(np.where(good, 0, weight))).sum() / weight[good].sum() / weight[~good].sum()
    )


@main.command()
@click.argument("structure", type=click.Choice(["cord", "gray_matter"]))
@click.argument("table", type=click.Path(exists=True, path_type=Path))
@click.option("--write", is_flag=True, help="Store the coefficients in the package.")
def fit(structure: str, table: Path, write: bool) -> None:
    """Fit the model, and print how well it tells good slices from bad ones of subjects left out."""
    with np.load(table, allow_pickle=True) as rows:
        names = list(SIGNS[structure])
        features = np.column_stack([rows[f"f_{name}"].astype(float) for name in names])
        dice, weight, subject, kind = (rows[name] for name in ("dice", "weight", "subject", "kind"))
    good, signs = dice >= GOOD_DICE[structure], np.array(list(SIGNS[structure].values()))
    subjects = np.random.default_rng(0).permutation(sorted(set(subject)))
    fold = np.array([int(np.flatnonzero(subjects == one)[0]) % FOLDS for one in subject])
    right = np.zeros(len(dice))
    for out in sorted(set(fold)):
        model = fitted(features[fold != out], good[fold != out], weight[fold != out], signs)
        right[fold == out] = predicted(model, features[fold == out])
    called, doubted = right >= GOOD, right < LOOK
    areas = [area_under_curve(right, good, each) for each in (np.ones(len(right)), weight)]
    click.echo(
        f"{len(dice)} slices of {len(subjects)} subjects, {1 - good.mean():.3f} of them with Dice below {GOOD_DICE[structure]}"
    )
    click.echo(f"area under the curve: {areas[0]:.3f}; {areas[1]:.3f} if scans weigh alike")
    click.echo(
        f"called good, {GOOD} or more: {called.mean():.2f}, of which {good[called].mean():.3f} are; "
        f"{np.mean(dice[called] >= 0.9):.3f} of them have Dice 0.9 or more"
    )
    click.echo(f"to be looked at, below {LOOK}: {doubted[~good].mean():.2f} of the bad, {doubted[good].mean():.3f} of the good")
    for low in np.arange(0, 1, 0.1):
        inside = (right >= low) & (right < low + 0.1 + (low > 0.85))
        if inside.any():
            click.echo(f"confidence {low:.1f} to {low + 0.1:.1f}: {inside.sum():6d} slices, {good[inside].mean():.2f} good")
    for one in sorted(set(kind)):
        of = kind == one
        click.echo(f"{one:12s}{of.sum():6d} slices, {good[of].mean():.2f} good, mean confidence {right[of].mean():.2f}")
    model = fitted(features, good, weight, signs)
    kept = np.abs(model["weights"]) > 1e-3
    stored = {
        "features": [name for name, there in zip(names, kept, strict=True) if there],
        "constant": round(float(model["constant"]), 4),
    }
    stored |= {key: np.round(model[key][kept], 4).tolist() for key in ("weights", "means", "scales", "limits")}
    click.echo(", ".join(f"{name} {value:+.2f}" for name, value in zip(stored["features"], stored["weights"], strict=True)))
    if write:
        content = json.loads(COEFFICIENTS.read_text(encoding="utf-8")) if COEFFICIENTS.is_file() else {}
        COEFFICIENTS.write_text(json.dumps(content | {structure: stored}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
