"""What no method can know of a diameter from a binary mask: smooth sections of other diameters that have the same mask."""

from __future__ import annotations

from dataclasses import dataclass, field

import click
import numpy as np
from scipy.optimize import linprog

from testing.benchmarks.measures.limits import VOXEL
from testing.benchmarks.measures.shapes import SHIFTS_MM
from testing.morphometry.shapes import Tube, binary, draw

# The tubes whose diameters err by more than 0.1 mm, their position on the grid, and the diameter: 0 RL, 1 AP.
CASES = {
    "cylinder at 45 degrees to the side": (Tube(semi_mm=(4, 4), tilt_deg=(45, 0)), SHIFTS_MM[0], 1),
    "cylinder at 45 degrees to the front": (Tube(semi_mm=(4, 4), tilt_deg=(0, 45)), SHIFTS_MM[0], 0),
    "ellipse at 45 degrees to the side": (Tube(tilt_deg=(45, 0), roll_deg=10), SHIFTS_MM[2], 0),
}

# Outlines differ from the tube's by waves of at most so many periods, in all by at most so much.
WAVES = (2, 3, 4)
MOST_MM = 0.15

# Voxels further than this from the outline, mm, stay on their side. The others are left a little more room than their centers
# need: shares of voxels decide.
NEAR_MM, SPARE_MM = 1.2, 0.01

ANGLES = (np.arange(1440) + 0.5) / 1440 * 2 * np.pi
LENGTH_MM, ROUNDS, STEP_MM = 25.0, 4, 1e-4


def diameters() -> None:
    """Print, of tubes at 0.5 mm, how far apart the diameters are of sections that have the same mask.

    The least error is half of it: no method that sees the mask alone has less for both. Linear programs find the sections; drawn
    again, they have to have the mask, voxel for voxel.
    """
    for name, (tube, shift, axis) in CASES.items():
        for waves in WAVES:
            ends = [_furthest(tube, shift, axis, waves, sign) for sign in (-1, 1)]
            low, high = (_diameter(tube, radius, axis) for radius in ends)
            same = [np.array_equal(_mask(tube, shift), _mask(_Wavy(**vars(tube), radius_mm=radius), shift)) for radius in ends]
            least = f"{low:.2f} to {high:.2f} mm, least error {(high - low) / 2:.3f}"
            click.echo(f"{name}, {'RL' if axis == 0 else 'AP'}, up to {waves} waves: {least}; same mask: {all(same)}")


@dataclass(frozen=True)
class _Wavy(Tube):
    """A tube whose section has a radius, mm, for each of `ANGLES`."""

    radius_mm: np.ndarray = field(default_factory=lambda: np.ones_like(ANGLES))

    def contains(self, x, y, z):
        u, v = _in_section(self, x, y, z)
        return np.hypot(u, v) <= np.interp(np.arctan2(v, u), ANGLES, self.radius_mm, period=2 * np.pi)


def _in_section(tube: Tube, x, y, z):
    """Return coordinates, left and front, perpendicular to a straight tube."""
    tangent = np.array([*np.tan(np.deg2rad(tube.tilt_deg)), 1.0])
    tangent /= np.linalg.norm(tangent)
    front = np.array([0, 1, 0]) - tangent[1] * tangent
    front /= np.linalg.norm(front)
    return tuple(x * axis[0] + y * axis[1] + z * axis[2] for axis in (np.cross(front, tangent), front))


def _ellipse_radius(tube: Tube) -> np.ndarray:
    turned = ANGLES - np.deg2rad(tube.roll_deg)
    return ((np.cos(turned) / tube.semi_mm[0]) ** 2 + (np.sin(turned) / tube.semi_mm[1]) ** 2) ** -0.5


def _diameter(tube: Tube, radius: np.ndarray, axis: int) -> float:
    """Return 4 times the root of the second moment of a section along an axis of the ellipse, mm."""
    turned = ANGLES - np.deg2rad(tube.roll_deg)
    along = np.cos(turned) if axis == 0 else np.sin(turned)
    area, first, second = ((radius**power * along ** (power - 2)).sum() / power for power in (2, 3, 4))
    return 4 * float(np.sqrt(second / area - (first / area) ** 2))


def _mask(tube: Tube, shift) -> np.ndarray:
    return binary(draw(tube, VOXEL, length_mm=LENGTH_MM, shift_mm=shift)).data


def _furthest(tube: Tube, shift, axis: int, waves: int, sign: int) -> np.ndarray:
    """Return the radius of the section with the largest (`sign` 1) or smallest (-1) diameter, shape (ANGLES,), mm."""
    share = draw(tube, VOXEL, length_mm=LENGTH_MM, shift_mm=shift)
    centers = ((np.arange(n) + 0.5 - n / 2) * side + moved for n, side, moved in zip(share.shape, VOXEL, shift, strict=True))
    u, v = _in_section(tube, *np.meshgrid(*centers, indexing="ij"))
    start = _ellipse_radius(tube)
    angle = np.arctan2(v, u)
    gap = np.hypot(u, v) - np.interp(angle, ANGLES, start, period=2 * np.pi)
    near = np.abs(gap) < NEAR_MM
    inside, gap, around = share.data[near] >= 0.5, gap[near], _waves(angle[near], waves)
    everywhere = _waves(ANGLES, waves)
    rows = np.concatenate([around[~inside], -around[inside], everywhere, -everywhere])
    room = np.maximum(gap[~inside] - SPARE_MM, 0), -np.minimum(gap[inside] + SPARE_MM, 0), np.full(2 * len(ANGLES), MOST_MM)
    radius = start
    for _ in range(ROUNDS):
        here = _diameter(tube, radius, axis)
        slope = [(_diameter(tube, radius + STEP_MM * wave, axis) - here) / STEP_MM for wave in everywhere.T]
        found = linprog(-sign * np.array(slope), rows, np.concatenate(room), bounds=(None, None))
        radius = start + everywhere @ found.x
    return radius


def _waves(angle: np.ndarray, count: int) -> np.ndarray:
    phases = np.outer(angle, np.arange(count + 1))
    return np.concatenate([np.cos(phases), np.sin(phases)[:, 1:]], axis=1)
