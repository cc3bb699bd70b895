"""The curve of the spine: the position of the cord's center at each height, and the tilt of its sections.

The curve combines the cervical lordosis, thoracic kyphosis and lumbar lordosis of a supine adult with a slight lateral wave
and a rotation about the axis. World axes are those of NIfTI: x to the right, y anterior, z superior, with z = 0 at the top of C1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from spineseg_cli.synthesis.anatomy import level_mm
from spineseg_cli.synthesis.subject import Subject

# Vertebra, fraction of its height, and the anterior position of the cord's center (mm) in a supine adult.
_SAGITTAL = (
    ("C1", 0.0, 0.0),
    ("C4", 0.5, 4.0),
    ("C7", 1.0, -1.0),
    ("T4", 0.5, -14.0),
    ("T8", 0.5, -19.0),
    ("T12", 0.5, -9.0),
    ("L4", 0.5, 8.0),
)
# Wavelengths of the lateral waves.
_WAVELENGTHS_MM = np.array([420.0, 260.0, 150.0])

# Step of the table of the curve, and how far it continues beyond C1 and the sacrum.
_STEP_MM = 0.5
_MARGIN_MM = 120.0


@dataclass(frozen=True)
class SpineCurve:
    """The centerline of the cord, and of the canal below the conus, tabulated by depth below the top of C1."""

    depth_mm: np.ndarray  # shape (n,): vertical distance below the top of C1 (the negative of z), increasing
    center_mm: np.ndarray  # shape (n, 2): world x and y at each depth
    slope: np.ndarray  # shape (n, 2): change of x and y per millimeter of depth
    arc_mm: np.ndarray  # shape (n,): arc length from the top of C1, negative above it
    roll_rad: np.ndarray  # shape (n,): rotation of the sections about the cord

    def at(self, depth_mm: float | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return center (..., 2), slope (..., 2), arc length (...) and roll (...) at depths of shape (...)."""

        def look_up(values: np.ndarray) -> np.ndarray:
            return np.interp(depth_mm, self.depth_mm, values)

        def look_up_pair(values: np.ndarray) -> np.ndarray:
            return np.stack([look_up(values[:, 0]), look_up(values[:, 1])], axis=-1)

        return look_up_pair(self.center_mm), look_up_pair(self.slope), look_up(self.arc_mm), look_up(self.roll_rad)

    def depth_of_arc(self, arc_mm: float) -> float:
        """Return the depth (mm) of the point at an arc length (mm) from the top of C1."""
        return float(np.interp(arc_mm, self.arc_mm, self.depth_mm))


def make_curve(subject: Subject, size_scale: float, curvature: float) -> SpineCurve:
    """Return the curve of a subject's spine, from above C1 to below the sacrum.

    `size_scale` is the size of the subject relative to the average adult; `curvature` is a factor on the bends: 0 is a
    straight spine, 1 an average one.
    """
    knots = np.array([level_mm(*row[:2]) for row in _SAGITTAL])
    anterior = CubicSpline(knots, np.array([row[2] for row in _SAGITTAL]) * subject.kyphosis, bc_type="natural")
    depth = np.arange(-_MARGIN_MM, level_mm("S3", 1.0) + 2 * _MARGIN_MM, _STEP_MM)
    inside = np.clip(depth, knots[0], knots[-1])  # straight beyond the knots
    y = anterior(inside) + anterior(inside, 1) * (depth - inside)
    dy = anterior(inside, 1)
    angle = 2 * np.pi * depth[:, None] / _WAVELENGTHS_MM + subject.scoliosis_phase_rad
    amplitude = subject.scoliosis_mm * _WAVELENGTHS_MM / _WAVELENGTHS_MM[0]
    x = np.sin(angle) @ amplitude
    dx = np.cos(angle) @ (amplitude * 2 * np.pi / _WAVELENGTHS_MM)
    slope = curvature * np.stack([dx, dy], axis=-1)
    length = np.sqrt(1 + (slope**2).sum(axis=-1))
    arc = np.concatenate([[0.0], np.cumsum(0.5 * (length[1:] + length[:-1]) * _STEP_MM)])
    arc -= np.interp(0.0, depth, arc)
    roll = subject.roll_rad + subject.roll_swing_rad * np.sin(2 * np.pi * depth / 300.0)
    center = curvature * np.stack([x, y], axis=-1)
    return SpineCurve(depth * size_scale, center * size_scale, slope, arc * size_scale, roll)
