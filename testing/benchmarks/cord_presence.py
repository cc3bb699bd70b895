"""Train what decides which slices hold cord, and score it on subjects left out: `core/localization/presence.npz`.

    python -m testing.benchmarks.cord_presence "runs/cord-{fold}/cord.weights.h5" "runs/centerline-{fold}/centerline.weights.h5" \
        --out spineseg_cli/core/localization/presence.npz

Scans are the development scans with cord masks, by the weights of the fold that never saw the subject: as they are; parts of them
without cord, beside and below it; the clinical lumbar ones with one of four sagittal slices, in thick slices resampled to cubic
voxels, like T1w, inverted, and with the lowest 30 mm of the cord alone (scored only); the same painted as T1w and as T2w without
fat, from the labels of the spine; random variants of all that show cord, and phantoms of the conus (trained on only).
The scores are of networks trained without two of the lumbar patients and one or two other subjects (`presence-0.npz` to
`presence-7.npz` in the work folder, for `cord_left_out.py --presence`); those of the written file are trained on all subjects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.image.intensity import clip_outliers, without_padding
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.thin_slices import averaged_thin_slices
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.localizer import NetworkLocalizer, look_along
from spineseg_cli.core.localization.presence import sequence_of, slices_that_hold_cord
from spineseg_cli.core.localization.search import search_cord
from spineseg_cli.synthesis.anatomy import CONUS_TIP_MM
from spineseg_cli.synthesis.phantom import make_phantom
from spineseg_cli.training.presence import LabeledSequence, save_presence, train_presence
from testing.disturbances import Disturbance, below, beside, every_fourth_sagittal, inverted, like_t1w, lowest
from testing.scans import GROUPS, DevScan, dev_scans, networks_of_folds
from testing.variants import painted, random_variant, resampled


def as_it_is(scan: Volume, cord: np.ndarray) -> tuple[Volume, np.ndarray]:
    """Return the scan and its cord."""
    return scan, cord


CORD_IN_VIEW = {
    "as it is": as_it_is,
    "one of four sagittal slices": every_fourth_sagittal,
    "like T1w": like_t1w,
    "inverted": inverted,
    "lowest 30 mm": lowest(30),
    "resampled": resampled,
}
WITHOUT_CORD = {"left of the cord": beside(-1), "right of the cord": beside(1), "below the cord": below(10)}
PAINTED = {
    f"painted as {name}{form}": (contrast, disturb)
    for name, contrast in {"T1w": "t1", "TIRM": "tirm"}.items()
    for form, disturb in {"": as_it_is, ", resampled": resampled, ", one of four": every_fourth_sagittal}.items()
}
SCORED_ONLY = "lowest 30 mm"
VARIANTS = 8

# The cord of this scan leaves it at its side.
NOT_TRAINED = "spider141"

# Scans that show medulla and brain: from so many slices above their uppermost labeled one.
BRAIN_SLICES = {"pam50": 17, "gm-9604": 5}

# Phantoms of the conus, of which everything is known.
PHANTOMS = 36
PHANTOM_CONTRASTS = ("t2", "t1", "t2s")
PHANTOM_MM = ((0.7, 0.7, 3.0), (1.0, 1.0, 1.0), (0.6, 0.6, 4.0), (3.5, 0.9, 0.9))

# What training draws, in sum: lumbar scans, research scans, and parts of either without cord.
SHARES = {("lumbar", True): 0.4, ("research", True): 0.25, ("lumbar", False): 0.25, ("research", False): 0.1}
BRAIN_SHARE, PHANTOM_SHARE = 20, 2  # so many times as often as others of their kind: they are few
LEAST_VOXELS = 4

SEEDS = range(4)

# What training takes for cord is less often cord elsewhere: a mask of roots is worse than a cord that is cut short.
CAUTION = 0.25

# Further than this from the cord, the path is wrong, and tells nothing of whether there is one.
FAR_MM = 10.0


@dataclass(frozen=True)
class Slices:
    """The slices of a scan in one form: what is known of each, shape (n, 6), and whether it holds cord."""

    scan: DevScan
    form: str
    features: np.ndarray
    cord: np.ndarray
    lost: np.ndarray
    far: np.ndarray
    distance_mm: float

    @property
    def known(self) -> np.ndarray:
        """Slices of which it is known: an expert who labels a part of a research scan says nothing of the rest."""
        if self.form in (*WITHOUT_CORD, "phantom") or self.scan.is_lumbar:
            return ~self.lost & ~self.far
        filled = np.flatnonzero(self.cord)
        slices = np.arange(len(self.cord))
        brain = slices >= filled[-1] + BRAIN_SLICES.get(self.scan.name, len(slices))
        return ((slices >= filled[0]) & (slices <= filled[-1]) | brain) & ~self.far

    def sequence(self, share: float) -> LabeledSequence:
        """Return what the network is trained on."""
        nearest = sequence_of(len(self.cord), self.distance_mm)[1]
        return LabeledSequence(*(part[nearest].astype(np.float32) for part in (self.features, self.cord, self.known)), share)


def forms_of(number: int, scan: DevScan) -> Iterator[tuple[str, object]]:
    """Yield the forms in which a scan is seen, by name."""
    for name, disturb in {**CORD_IN_VIEW, **WITHOUT_CORD}.items():
        if scan.is_lumbar or name == "as it is" or name in list(WITHOUT_CORD)[:2]:
            yield name, disturb
    for index in range(VARIANTS):
        if scan.is_lumbar or index % 2:  # no thick sagittal slices of axial scans
            yield f"variant {index}", random_variant(index, 1000 * number + index)
    if scan.is_lumbar:
        spine = scan.spine()
        for name, (contrast, disturb) in PAINTED.items():
            yield name, in_turn(painted(contrast, spine, number), disturb)
        for index in range(VARIANTS):
            yield f"painted variant {index}", random_variant(index, 1000 * number + 500 + index, spine)


def in_turn(first: Disturbance, second: Disturbance) -> Disturbance:
    """Return a disturbance by one and then another."""
    return lambda scan, cord: second(*first(scan, cord))


def read_slices(localizer: NetworkLocalizer, scan: DevScan, form: str, disturb, work: Path) -> Slices | None:
    """Return the slices of a scan in one form, from the folder `work` if they are there; None where nothing is left of it."""
    path = work / f"{scan.name}_{form.replace(' ', '_')}.npz"
    if not path.is_file():
        volume, cord = disturb() if form == "phantom" else disturb(*scan.volumes())
        if min(volume.shape) < LEAST_VOXELS:
            return None
        volume = averaged_thin_slices(clip_outliers(without_padding(volume)))
        found = search_cord(volume, localizer.search)
        centers = np.full((volume.shape[2], 2), np.inf)
        for k in np.flatnonzero(cord.any(axis=(0, 1))):
            centers[k] = np.argwhere(cord[:, :, k]).mean(axis=0)
        distances = np.hypot(*((found.centers_vx - centers) * volume.spacing_mm[:2]).T)
        _, features, lost = look_along(volume, found, localizer.cord)
        np.savez(
            path,
            features=features,
            cord=cord.any(axis=(0, 1)),
            lost=lost,
            far=np.isfinite(distances) & (distances > FAR_MM),
            distance_mm=volume.spacing_mm[2],
        )
    with np.load(path) as stored:
        return Slices(scan, form, **{name: stored[name] for name in stored if name != "distance_mm"},
                      distance_mm=float(stored["distance_mm"]))  # fmt: skip


def read_all(cord_weights: str, centerline_weights: str, work: Path) -> Iterator[Slices]:
    """Yield the slices of every scan in every form."""
    networks = networks_of_folds(cord_weights, centerline_weights)
    localizers = {fold: replace(networks(fold)[1], cord=networks(fold)[0]) for fold in ("A", "B")}
    for number, scan in enumerate(dev_scans()):
        for form, disturb in forms_of(number, scan):
            slices = read_slices(localizers[scan.fold], scan, form, disturb, work)
            if slices is not None:
                yield slices
    for seed in range(PHANTOMS):
        phantom = DevScan(f"phantom{seed}", "phantom", "t2", Path(), Path())
        slices = read_slices(localizers[phantom.fold], phantom, "phantom", partial(conus_phantom, seed), work)
        if slices is not None:
            yield slices


def conus_phantom(seed: int) -> tuple[Volume, np.ndarray]:
    """Return a phantom from the lumbar enlargement to below the conus, in RPI, and its cord."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.65, 1.1)
    tip_mm = CONUS_TIP_MM * scale
    region = (tip_mm - rng.uniform(40, 120), tip_mm + rng.uniform(20, 80))
    contrast, spacing_mm = PHANTOM_CONTRASTS[seed % 3], PHANTOM_MM[seed % 4]
    phantom = make_phantom(
        contrast=contrast, region=region, spacing_mm=spacing_mm, size_scale=scale, noise=rng.uniform(0.02, 0.08), seed=seed
    )
    return to_rpi(phantom.image), to_rpi(phantom.cord).data > 0


def sequences_of(parts: list[Slices]) -> list[LabeledSequence]:
    """Return what is trained on, and how often each is drawn."""
    trained = [part for part in parts if part.form != SCORED_ONLY and part.known.any()
               and not (part.scan.name == NOT_TRAINED and part.cord.any())]  # fmt: skip
    kinds = [("lumbar" if part.scan.is_lumbar else "research", part.form not in WITHOUT_CORD) for part in trained]
    shares = [SHARES[kind] / kinds.count(kind) for kind in kinds]
    rare = [PHANTOM_SHARE if part.form == "phantom" else BRAIN_SHARE if with_cord and part.scan.name in BRAIN_SLICES else 1
            for part, (_, with_cord) in zip(trained, kinds, strict=True)]  # fmt: skip
    return [part.sequence(share * more) for part, share, more in zip(trained, shares, rare, strict=True)]


def save_trained(parts: list[Slices], path: Path) -> None:
    """Write networks that are trained on some scans."""
    sequences = sequences_of(parts)
    save_presence([train_presence(sequences, seed) for seed in SEEDS], path, CAUTION)


def decide(part: Slices, weights: Path) -> np.ndarray:
    """Return which slices hold cord by the evidence, before `conus` continues it."""
    return slices_that_hold_cord(part.features, part.lost, part.distance_mm, weights)


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
@click.option("--out", type=click.Path(path_type=Path), help="Where the weights trained on all subjects are written.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("runs/presence"), show_default=True)
def main(cord_weights: str, centerline_weights: str, out: Path | None, work: Path) -> None:
    """Train on all subjects, and print scores with each group left out."""
    work.mkdir(parents=True, exist_ok=True)
    parts = list(read_all(cord_weights, centerline_weights, work))
    groups = [None if part.form == "phantom" else part.scan.group for part in parts]
    weights = [work / f"presence-{group}.npz" for group in range(GROUPS)]
    for group, path in enumerate(weights):
        save_trained([part for part, of in zip(parts, groups, strict=True) if of != group], path)
    if out:
        save_trained(parts, out)
    parts = [part for part in parts if part.form != "phantom"]
    decisions = [decide(part, weights[part.scan.group]) for part in parts]
    research = [(part, there) for part, there in zip(parts, decisions, strict=True) if not part.scan.is_lumbar]
    labeled = [there[part.known & part.cord] for part, there in research if part.form == "as it is"]
    click.echo(f"research scans: {sum((~there).sum() for there in labeled)} of {sum(map(len, labeled))} labeled slices missed")
    for form in (*CORD_IN_VIEW, *PAINTED, *WITHOUT_CORD):
        chosen = [
            (part, there)
            for part, there in zip(parts, decisions, strict=True)
            if part.form == form and (part.scan.is_lumbar or form in WITHOUT_CORD)
        ]
        click.echo(f"{form}: {scores(*map(list, zip(*chosen, strict=True)))}")


if __name__ == "__main__":
    main()
