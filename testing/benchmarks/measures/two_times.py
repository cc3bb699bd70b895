"""Errors of the alignment of two times of a subject without levels: of simulated subjects, and of masks of people."""

from __future__ import annotations

from collections import Counter

import click
import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.morphometry import measure_cord
from spineseg_cli.morphometry.comparison.alignment import BY_AGREEMENT, BY_PROFILE, BY_TOP, align, slices_of
from spineseg_cli.morphometry.tables.rows import make_rows
from spineseg_cli.tasks.cord import segment_cord
from spineseg_cli.tasks.registry import TASKS
from testing.disturbances import noisy
from testing.morphometry.subjects import simulate_subject
from testing.scans import dev_scans

METHODS = {BY_PROFILE: "near the segments", BY_AGREEMENT: "by the profiles alone", BY_TOP: "by the tops"}

# Masks of people: at the second time, the scan has noise of this share of the cord's contrast, and lacks so much of its top, mm.
PEOPLE = ("errsm11_T2w", "errsm18_T2w", "errsm21_T2w", "errsm23_T2w", "spider022", "spider118")
NOISE, CUTS_MM = 0.3, (12, 24, 36)


def alignment() -> None:
    """Print how far two times of a simulated subject are misaligned, mm, whose fields of view begin up to 30 mm apart."""
    parts = {"whole": (0, 1), "cervical": (0, 0.3), "upper half": (0, 0.5), "middle": (0.25, 0.55), "lower half": (0.5, 1)}
    for name, (first, last) in parts.items():
        rng = np.random.default_rng(5)
        errors, tops, methods = [], [], []
        for _ in range(40):
            subject = simulate_subject(rng)
            length = subject.boundaries_mm[-1]
            views = [_view(subject, first * length + rng.uniform(0, 30), last * length, rng) for _ in range(2)]
            shift = views[1][0] - views[0][0]
            found = align(*(rows for _, rows in views))
            middle = np.array([length * (last - first) / 2])
            errors.append(abs(float(found.to_now(middle)[0] - middle[0]) - shift))
            tops.append(abs(shift))
            methods.append(found.how)
        by_top = np.quantile(tops, [0.5, 0.9])
        click.echo(f"two times, {name:12s} tops apart {by_top[0]:.1f}, {by_top[1]:.1f}; {_by_method(errors, methods)}")


def _by_method(errors: list[float], methods: list[str]) -> str:
    said = []
    for method, count in Counter(methods).most_common():
        values = np.quantile([error for error, other in zip(errors, methods, strict=True) if other == method], [0.5, 0.9, 1])
        said.append(f"{count} {METHODS[method]}: median {values[0]:.1f}, 90 % {values[1]:.1f}, all {values[2]:.1f}")
    return "; ".join(said)


def _view(subject, first_mm: float, last_mm: float, rng: np.random.Generator) -> tuple[float, list[dict]]:
    """Return where a field of view begins, mm, and rows of its slices with errors of 2 %."""
    seen = (subject.place_mm >= first_mm) & (subject.place_mm <= last_mm)
    top = float(subject.place_mm[seen][0])
    columns = zip(subject.place_mm[seen], subject.area_mm2[seen], subject.ratio[seen], strict=True)
    rows = []
    for place, area, ratio in columns:
        noisy = {"area_mm2": area * (1 + rng.normal(0, 0.02)), "compression_ratio": ratio * (1 + rng.normal(0, 0.02))}
        rows.append({"scope": "slice", "level_kind": "", "distance_from_top_mm": place - top, "n_slices": 1} | noisy)
    return top, rows


def two_masks() -> None:
    """Print how far masks by `seg_cord` of a scan and of its noisy copy are misaligned, mm, without the copy's top."""
    predictor = TASKS["cord"].find_model().predictor("cpu")
    localizer = TASKS["cord"].localizer(predictor)
    for scan in dev_scans(PEOPLE):
        if scan.name not in PEOPLE:
            continue
        image, cord = scan.volumes()
        before = _rows(segment_cord(image, predictor, localizer).mask)
        mask = segment_cord(noisy(NOISE)(image, cord)[0], predictor, localizer).mask
        top = np.flatnonzero((mask.data > 0).any(axis=(0, 1)))[-1] + 1
        said = []
        for cut_mm in CUTS_MM:
            kept = np.array(mask.data)
            kept[:, :, top - round(cut_mm / mask.spacing_mm[2]) :] = 0
            now = _rows(mask.with_data(kept))
            found, true = align(now, before), _true_shift(now, before)
            error = float(found.to_now(np.zeros(1))[0]) - true
            said.append(f"{cut_mm} mm less: {error:+.1f} {METHODS[found.how]}")
        click.echo(f"{scan.name:14s}" + "; ".join(said))


def _rows(mask: Volume) -> list[dict]:
    return make_rows(measure_cord(mask))


def _true_shift(now: list[dict], before: list[dict]) -> float:
    """Return the distance from the top of a slice now less that of the same slice before, mm: median of the middle half."""
    here, there = ({row["slice"]: float(row["distance_from_top_mm"]) for row in slices_of(rows)} for rows in (now, before))
    common = sorted(here.keys() & there.keys(), key=lambda number: here[number])
    middle = common[len(common) // 4 : 3 * len(common) // 4]
    return float(np.median([here[number] - there[number] for number in middle]))
