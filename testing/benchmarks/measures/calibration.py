"""The calibration of the intervals of spinal segments, `levels.segments.FACTORS`, on simulated subjects in any field of view."""

from __future__ import annotations

import click
import numpy as np

from spineseg_cli.morphometry.levels.segments import BOUNDARY_SD_MM, NORMAL_90, WIDTHS_MM, find_average
from testing.morphometry.subjects import simulate_subject

# Not the seeds of the tests, nor of `segments`, by which the intervals are scored.
SEED = 20_250_101
SUBJECTS = 2000

# Three of ten fields of view begin at the top of the cord, three of ten end at its tip; all show at least this share of it.
AT_END, LEAST_SHARE = 0.3, 0.2


def calibration() -> None:
    """Print, by width of the interval, the factor with which nine of ten boundaries are held, and how many are held as it is."""
    errors, sides, widths = _errors(np.random.default_rng(SEED))
    edges = [0.0, *np.sqrt(np.multiply(WIDTHS_MM[1:], WIDTHS_MM[:-1])), np.inf]
    edges[0] = WIDTHS_MM[0] ** 2 / edges[1]
    for middle, low, high in zip(WIDTHS_MM, edges[:-1], edges[1:], strict=True):
        chosen = (widths >= low) & (widths < high)
        factors = np.linspace(0.3, 1.5, 241)
        held = [np.mean(errors[chosen] < np.hypot(factor * sides[chosen], NORMAL_90 * BOUNDARY_SD_MM)) for factor in factors]
        said = f"factor {np.interp(0.9, held, factors):.2f}, held with 1: {100 * np.interp(1, factors, held):.1f} %"
        click.echo(f"{middle:4.0f} mm, of {chosen.sum():5d} boundaries: {said}")


def _errors(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the boundaries' errors, the side of the interval in which each lies, and the interval's width, mm."""
    rows = []
    for _ in range(SUBJECTS):
        subject = simulate_subject(rng)
        first = 0.0 if rng.random() < AT_END else rng.uniform(0, 0.95 - LEAST_SHARE)
        last = 1.0 if rng.random() < AT_END else rng.uniform(first + LEAST_SHARE, 1)
        view = subject.in_view(first, last)
        low, middle, high = find_average(*view.profile)
        truth = view.boundaries_mm
        side = np.where(truth > middle, high - middle, middle - low)
        rows.append(np.stack([np.abs(truth - middle), side, high - low])[:, view.inside])
    return tuple(np.concatenate(rows, axis=1))
