"""Fit what decides which slices hold cord, and score it on subjects left out: the weights in `core/localization/extent.py`.

    python testing/benchmarks/cord_presence.py "runs/cord-{fold}/cord.weights.h5" "runs/centerline-{fold}/centerline.weights.h5"

Scans are the development scans with cord masks, by the weights of the fold that never saw the subject: as they are; the clinical
lumbar ones with one of four sagittal slices, like T1w, inverted, and with the lowest 30 mm of the cord alone (scored only); and
parts of them without cord, beside and below it. The regression leaves out one subject at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click
import numpy as np
from scipy.optimize import minimize

from spineseg_cli.core.image.intensity import clip_outliers, without_padding
from spineseg_cli.core.localization import extent
from spineseg_cli.core.localization.intensity_mismatch import mismatch_in_view
from spineseg_cli.core.localization.localizer import NetworkLocalizer
from spineseg_cli.core.localization.search import search_cord
from spineseg_cli.core.localization.view import view_cord
from spineseg_cli.weights.find import find_custom
from testing.disturbances import below, beside, every_fourth_sagittal, inverted, like_t1w, lowest
from testing.scans import DevScan, dev_scans

CORD_IN_VIEW = {
    "as it is": lambda scan, cord: (scan, cord),
    "one of four sagittal slices": every_fourth_sagittal,
    "like T1w": like_t1w,
    "inverted": inverted,
    "lowest 30 mm": lowest(30),
}
WITHOUT_CORD = {"left of the cord": beside(-1), "right of the cord": beside(1), "below the cord": below(10)}
SCORED_ONLY = "lowest 30 mm"

# The cord of this scan leaves it at its side.
NOT_FITTED = "spider141"
LEAST_VOXELS = 4
REGULARIZATION = 1e-3

# The shipped constant is so far below the fitted one: the regression sees little of the medulla, which is not cord.
CAUTION = np.array([0.0, 0.0, 0.0, 0.3])


@dataclass(frozen=True)
class Slices:
    """The slices of a scan: what says whether they hold cord, shape (n, 4), and whether they do."""

    scan: DevScan
    kind: str
    features: np.ndarray
    network_confidence: np.ndarray
    cord: np.ndarray
    lost: np.ndarray
    distance_mm: float

    @property
    def known(self) -> np.ndarray:
        """Slices of which it is known: an expert who labels a part of a research scan says nothing of the rest."""
        filled = np.flatnonzero(self.cord)
        if self.kind in WITHOUT_CORD or self.scan.is_lumbar:
            return ~self.lost & (self.scan.name != NOT_FITTED or self.kind in WITHOUT_CORD)
        return np.isin(np.arange(len(self.cord)), np.arange(filled[0], filled[-1] + 1))

    @property
    def weights(self) -> np.ndarray:
        """What each slice counts: lumbar scans have more of them, and one scan in several forms is not several scans."""
        return np.full(len(self.cord), min(1.0, self.distance_mm / extent.INDEPENDENT_MM)
                       * (1 if self.scan.is_lumbar else 3) * (1 if self.kind == "as it is" else 0.5))  # fmt: skip


def read_slices(localizer: NetworkLocalizer, scan: DevScan, kind: str) -> Slices | None:
    """Return the slices of a scan in one form; None where nothing is left of it."""
    volume, cord = {**CORD_IN_VIEW, **WITHOUT_CORD}[kind](*scan.volumes())
    if min(volume.shape) < LEAST_VOXELS:
        return None
    volume = clip_outliers(without_padding(volume))
    path = search_cord(volume, localizer.search)
    view = view_cord(volume, path.centers_vx, np.arange(volume.shape[2]), localizer.cord)
    mismatch = mismatch_in_view(volume, view, path.confidence, localizer.cord.config.spacing_mm)
    odds = extent.log_odds(path.confidence), extent.log_odds(view.confidence)
    features = np.stack([*odds, mismatch, np.ones(len(mismatch))], axis=1)
    lost = extent.slices_without_signal(volume, path.centers_vx)
    return Slices(scan, kind, features, view.confidence, cord.any(axis=(0, 1)), lost, volume.spacing_mm[2])


def read_all(cord_weights: str, centerline_weights: str) -> Iterator[Slices]:
    """Yield the slices of every scan in every form."""
    localizers = {}
    for scan in dev_scans():
        if scan.fold not in localizers:
            search = find_custom(centerline_weights.format(fold=scan.fold), "cord", "centerline").predictor("cpu")
            cord = find_custom(cord_weights.format(fold=scan.fold), "cord").predictor("cpu")
            localizers[scan.fold] = NetworkLocalizer(search=search, cord=cord)
        forms = [*CORD_IN_VIEW, *WITHOUT_CORD] if scan.is_lumbar else ["as it is", *list(WITHOUT_CORD)[:2]]
        for kind in forms:
            slices = read_slices(localizers[scan.fold], scan, kind)
            if slices is not None:
                yield slices


def fit(parts: list[Slices]) -> np.ndarray:
    """Return the weights of the features, by logistic regression with a small penalty on their squares, less `CAUTION`."""
    parts = [part for part in parts if part.kind != SCORED_ONLY]
    x, y, w = (np.concatenate([getattr(part, name)[part.known] for part in parts]) for name in ("features", "cord", "weights"))

    def loss(weights):
        odds = x @ weights
        return (w * (np.logaddexp(0, odds) - y * odds)).sum() / w.sum() + REGULARIZATION * (weights[:-1] ** 2).sum()

    return minimize(loss, np.zeros(x.shape[1])).x - CAUTION


def decide(part: Slices, weights: np.ndarray) -> np.ndarray:
    """Return which slices hold cord, as `NetworkLocalizer` decides."""
    evidence = np.where(part.lost, 0, part.features @ weights)
    present = extent.slices_of_cord(evidence, part.distance_mm)
    return extent.extend_to_conus_tip(present, part.network_confidence, part.distance_mm) & ~part.lost


def scores(parts: list[Slices], decisions: list[np.ndarray]) -> str:
    """Return how many scans of one form have a mask, and how well it begins and ends."""
    rows = []
    for part, present in zip(parts, decisions, strict=True):
        found, cord = np.flatnonzero(present), np.flatnonzero(part.cord)
        if len(found) and len(cord):
            top, end = (abs(f - c) * part.distance_mm for f, c in ((found[-1], len(present) - 1), (found[0], cord[0])))
            rows.append((top <= 5, np.diff(found).max(initial=1) == 1, end <= 8, end <= 15))
    if not any(part.cord.any() for part in parts):
        return f"{sum(present.any() for present in decisions)} of {len(parts)} have slices of cord"
    good = np.sum(rows, axis=0) if rows else [0] * 4
    return (f"{len(rows)} of {len(parts)} found, {good[0]} from within 5 mm of the scan's top, {good[1]} without a gap, "
            f"{good[2]} end within 8 mm of the tip, {good[3]} within 15 mm")  # fmt: skip


@click.command()
@click.argument("cord_weights")
@click.argument("centerline_weights")
def main(cord_weights: str, centerline_weights: str) -> None:
    """Print the weights fitted on all subjects, and scores with each left out."""
    parts = list(read_all(cord_weights, centerline_weights))
    subjects = dict.fromkeys(part.scan.subject for part in parts)
    left_out = {subject: fit([part for part in parts if part.scan.subject != subject]) for subject in subjects}
    decisions = [decide(part, left_out[part.scan.subject]) for part in parts]
    click.echo("weights: " + ", ".join(f"{weight:.2f}" for weight in fit(parts)))
    research = [(part, there) for part, there in zip(parts, decisions, strict=True) if not part.scan.is_lumbar]
    labeled = [there[part.known] for part, there in research if part.kind == "as it is"]
    click.echo(f"research scans: {sum((~there).sum() for there in labeled)} of {sum(map(len, labeled))} labeled slices missed")
    for kind in (*CORD_IN_VIEW, *WITHOUT_CORD):
        chosen = [
            (part, there)
            for part, there in zip(parts, decisions, strict=True)
            if part.kind == kind and (part.scan.is_lumbar or kind in WITHOUT_CORD)
        ]
        click.echo(f"{kind}: {scores(*map(list, zip(*chosen, strict=True)))}")


if __name__ == "__main__":
    main()
