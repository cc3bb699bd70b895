"""Errors on tubes whose size is known, by shape, voxel and tilt, of soft and of binary masks; the usual tolerance is 3 %."""

from __future__ import annotations

from dataclasses import replace

import click
import numpy as np

from spineseg_cli.morphometry import measure_cord
from testing.morphometry.shapes import Tube, binary, draw

VOXELS = ((0.3, 0.3, 0.3), (0.5, 0.5, 0.5), (0.7, 0.7, 0.7), (1.0, 1.0, 1.0), (0.5, 0.5, 5.0), (0.8, 0.8, 4.0), (4.0, 0.8, 0.8))
TILTS = ((0, 0), (20, 0), (0, 30), (45, 0), (0, 45), (30, 30))
SHAPES = {
    "cylinder": Tube(semi_mm=(4, 4)),
    "ellipse": Tube(roll_deg=10),
    "bean": Tube(bean_mm=3),
    "taper": Tube(taper=(-0.05, -0.03)),
}
BENDS_MM = (60, 80, 120)
SHIFTS_MM = ((0.0, 0.0, 0.0), (0.13, 0.21, 0.07), (0.3, 0.11, 0.4))
COLUMNS = ("mean", "worst", "AP", "RL", "angle")


def shapes() -> None:
    """Print a row a tube: errors of area (%), diameters (mm) and angles (degrees); then the largest by voxel."""
    click.echo(f"{'shape':10s}{'tilt':>9s}{_heads()}")
    rows: dict[tuple, list] = {}
    for voxel in VOXELS:
        click.echo(_name(voxel))
        for name, tube in tubes():
            numbers = errors_of(tube, voxel)
            rows.setdefault(voxel, []).append(numbers)
            click.echo(f"{name:10s}{','.join(f'{angle:g}' for angle in tube.tilt_deg):>9s}{_cells(numbers)}")
    click.echo(f"\nlargest{'':12s}{_heads()}")
    for voxel, numbers in rows.items():
        click.echo(f"{_name(voxel):19s}{_cells(np.abs(numbers).max(axis=0))}")


def tubes() -> list[tuple[str, Tube]]:
    """Return the straight and bent tubes with their names."""
    straight = [(name, replace(shape, tilt_deg=tilt)) for name, shape in SHAPES.items() for tilt in TILTS]
    return straight + [(f"bend {bend}", Tube(bend_mm=bend)) for bend in BENDS_MM]


def errors_of(tube: Tube, voxel: tuple[float, float, float]) -> np.ndarray:
    """Return the mean and the worst error of the area, %, the worst of the diameters, mm, and of angles, degrees, shape (2, 5).

    Of a soft and of a binary mask, over all slices at three positions on the grid.
    """
    length = 12.0 if max(voxel) < 0.5 else 25.0
    errors: dict[bool, list] = {False: [], True: []}
    for shift in SHIFTS_MM:
        share = draw(tube, voxel, length_mm=length, shift_mm=shift)
        for is_binary, out in errors.items():
            out.append(_errors_by_slice(tube, measure_cord(binary(share) if is_binary else share).profile, share, shift))
    numbers = []
    for out in errors.values():
        area, depth, breadth, angle = (np.concatenate(column) for column in zip(*out, strict=True))
        numbers.append([area.mean(), *(np.abs(column).max() for column in (area, depth, breadth, angle))])
    return np.array(numbers)


def _errors_by_slice(tube: Tube, profile, share, shift) -> tuple[np.ndarray, ...]:
    height = profile.frame.position_mm - (share.shape[2] - 1) / 2 * share.spacing_mm[2] + shift[2]
    scale = profile.frame.stretch if any(tube.taper) else 1.0  # along the tube
    a, b = (half + change * height * scale for half, change in zip(tube.semi_mm, tube.taper, strict=True))
    angle = np.rad2deg(np.arcsin(np.clip(height / tube.bend_mm, -1, 1))) if tube.bend_mm else tube.tilt_deg[1]
    values = profile.values
    return (
        100 * (values["area_mm2"] / (np.pi * a * b) - 1),
        values["diameter_AP_mm"] - (_bean_depth(tube) if tube.bean_mm else 2 * b),
        values["diameter_RL_mm"] - 2 * a,
        np.maximum(np.abs(values["angle_RL_deg"] - angle), np.abs(values["angle_AP_deg"] - tube.tilt_deg[0])),
    )


def _bean_depth(tube: Tube) -> float:
    """Return 4 times the square root of the second moment of a bean front to back, sampled finely."""
    x, y = np.meshgrid(np.arange(-7, 7, 0.02), np.arange(-8, 8, 0.02), indexing="ij")
    front = y[Tube(semi_mm=tube.semi_mm, bean_mm=tube.bean_mm).contains(x, y, 0.0)]
    return float(4 * front.std())


def _name(voxel: tuple[float, float, float]) -> str:
    return "x".join(f"{side:g}" for side in voxel) + " mm"


def _heads() -> str:
    return "".join(f"{kind + ' ' + head:>13s}" for kind in ("soft", "binary") for head in COLUMNS)


def _cells(numbers: np.ndarray) -> str:
    return "".join(f"{number:13.2f}" for number in numbers.ravel())
