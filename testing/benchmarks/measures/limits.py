"""What no method can know of a binary mask: tubes of different sizes that have the same mask, voxel for voxel."""

from __future__ import annotations

from dataclasses import replace

import click
import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.morphometry import measure_cord
from testing.benchmarks.measures.shapes import SHIFTS_MM, tubes
from testing.morphometry.shapes import Tube, binary, draw

VOXEL, LENGTH_MM = (0.5, 0.5, 0.5), 25.0

# Most sizes are told apart by so much of the tube.
SHORT_MM = 1.5

# Sizes are changed in steps of this, up to so many.
STEP, MOST_STEPS = 0.0025, 30


def limits() -> None:
    """Print, of each tube at 0.5 mm, how far apart the sizes are that have its mask, and whether the intervals hold them.

    The least error is half of that: no method that sees the mask alone has less for both ends. Tubes whose mask is theirs
    alone, to 0.25 % of the diameter, are left out.
    """
    click.echo(f"{'shape':10s}{'tilt':>9s}{'shift':>16s}   areas, mm2     least error    ours   in the 95 % interval")
    for name, tube in tubes():
        for shift in SHIFTS_MM:
            low, high = (_furthest(tube, shift, sign * STEP) for sign in (-1, 1))
            if low == high:
                continue
            profile = measure_cord(_mask(tube, tube, shift)).profile
            ends = np.pi * np.prod(tube.semi_mm) * np.array([low, high]) ** 2
            middle = len(profile.slices) // 2
            area, error = profile.values["area_mm2"][middle], profile.errors["area_mm2"][middle]
            least, ours = (100 * np.abs(value / ends - 1).max() for value in (2 / (1 / ends).sum(), area))
            held = (np.abs(ends - area) < 1.96 * error).all()
            click.echo(
                f"{name:10s}{','.join(f'{angle:g}' for angle in tube.tilt_deg):>9s}{shift!s:>18s}"
                f"  {ends[0]:.2f} to {ends[1]:.2f}   {least:8.1f} %{ours:9.1f} %   {'yes' if held else 'no'}"
            )


def _mask(tube: Tube, first: Tube, shift, length_mm: float = LENGTH_MM) -> Volume:
    """Return the mask of a tube on the grid of another, which follows from the latter's size."""
    margin = 6.0 + max(first.semi_mm) - max(tube.semi_mm)
    return binary(draw(tube, VOXEL, length_mm=length_mm, shift_mm=shift, margin_mm=margin))


def _furthest(tube: Tube, shift, step: float) -> float:
    """Return the factor furthest from 1 by which both half-axes can be scaled without any voxel changing sides."""
    factor = 1.0
    masks = {length: _mask(tube, tube, shift, length).data for length in (SHORT_MM, LENGTH_MM)}
    for _ in range(MOST_STEPS):
        a, b = (half * (factor + step) for half in tube.semi_mm)
        other = replace(tube, semi_mm=(a, b))
        if not all(np.array_equal(_mask(other, tube, shift, length).data, mask) for length, mask in masks.items()):
            break
        factor += step
    return factor
