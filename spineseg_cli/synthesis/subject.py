"""The individual anatomy of a synthetic subject: a small set of numbers drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ROOTS_PER_SIDE = 14


@dataclass(frozen=True)
class Subject:
    """The differences between one subject and the average adult of `anatomy`."""

    area_factor: float  # factor on the area of the cord's cross-section, 0.92 to 1.08
    gray_factor: float  # factor on the fraction of the cord that is gray matter, 0.96 to 1.04
    flatness: float  # factor on the ratio of the cord's anteroposterior to its transverse diameter at the same area, 0.95 to 1.05
    sac_factor: float  # factor on the diameters of the thecal sac and the canal, 0.96 to 1.06
    # Rotation of the body about the cord's axis, and the amplitude of its change along the spine.
    roll_rad: float
    roll_swing_rad: float
    kyphosis: np.ndarray  # shape (7,): factors on the knots of the spine's curve in the sagittal plane
    # shape (3,): amplitude and phase of the lateral waves of the spine's curve.
    scoliosis_mm: np.ndarray
    scoliosis_phase_rad: np.ndarray
    texture: np.ndarray  # shape (4,): phases (rad) of the planes of fat between the muscles
    # shape (2 * ROOTS_PER_SIDE, 3): for each root of the cauda equina, its lateral position (-1 to 1), its height (0 to 1), and
    # the level at which it leaves the sac (0 to 1).
    roots: np.ndarray


def draw_subject(rng: np.random.Generator) -> Subject:
    """Draw one subject; the same generator state gives the same subject."""
    uniform = rng.uniform
    spread = (np.arange(ROOTS_PER_SIDE) + uniform(0.1, 0.9, (2, ROOTS_PER_SIDE))) / ROOTS_PER_SIDE
    side = np.array([-1.0, 1.0])[:, None] * spread
    leaves = 1 - spread + uniform(-0.03, 0.03, spread.shape)  # the most lateral roots leave first
    roots = np.stack([side, uniform(0, 1, spread.shape), leaves], axis=-1).reshape(-1, 3)
    return Subject(
        area_factor=float(uniform(0.92, 1.08)),
        gray_factor=float(uniform(0.96, 1.04)),
        flatness=float(uniform(0.95, 1.05)),
        sac_factor=float(uniform(0.96, 1.06)),
        roll_rad=float(np.deg2rad(uniform(-4, 4))),
        roll_swing_rad=float(np.deg2rad(uniform(-2, 2))),
        kyphosis=uniform(0.75, 1.25, 7),
        scoliosis_mm=uniform(0.3, 1.2, 3),
        scoliosis_phase_rad=uniform(0, 2 * np.pi, 3),
        texture=uniform(0, 2 * np.pi, 4),
        roots=roots,
    )
