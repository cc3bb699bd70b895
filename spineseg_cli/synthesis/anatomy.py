"""Tables of the size of the adult cord, thecal sac and vertebral column by vertebral level.

Positions are arc lengths in millimeters below the top of C1, along the centerline of the cord, in an adult of average size.
Values are close to the published means, are interpolated smoothly between levels, and describe sections perpendicular to the
cord.

Sources
-------
Cord area and shape: Frostell et al., Front. Neurol. 7:238, 2016 (diameters of all segments, pooled from 11 studies); Valosek
et al., Imaging Neurosci. 2, 2024 (area and compression ratio on MRI, n = 203); Papinutto et al., PLoS ONE 10(3):e0118576,
2015 (cervical and thoracic cord and gray matter); Yiannakas et al., PLoS ONE 9(8):e105544, 2014 (lumbosacral enlargement);
Kameyama et al., Spine 21:1285, 1996 (outline of each segment).
Vertebrae and canal: Panjabi et al., Spine 16:861, 1991 (cervical); 16:888, 1991 (thoracic); 17:299, 1992 (lumbar).
Conus at L1: Saifuddin et al., Spine 23:1452, 1998.

Only the diameters in Frostell's abstract were compared with their source. All other entries are rounded typical values that
were not transcribed from these papers: check the papers before you cite a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.special import gamma

# Name, height of the body (posterior wall, mm), height of the disc below it (mm).
VERTEBRAE: tuple[tuple[str, float, float], ...] = (
    ("C1", 14.0, 1.5),
    ("C2", 20.0, 4.8),
    ("C3", 11.6, 5.0),
    ("C4", 11.4, 5.2),
    ("C5", 11.4, 5.5),
    ("C6", 10.9, 5.6),
    ("C7", 12.8, 5.0),
    ("T1", 14.1, 4.4),
    ("T2", 15.6, 4.0),
    ("T3", 15.7, 3.8),
    ("T4", 16.2, 3.8),
    ("T5", 16.2, 4.0),
    ("T6", 17.4, 4.4),
    ("T7", 18.2, 4.8),
    ("T8", 18.7, 5.0),
    ("T9", 19.3, 5.4),
    ("T10", 20.2, 5.8),
    ("T11", 21.3, 6.4),
    ("T12", 22.7, 7.0),
    ("L1", 23.8, 8.0),
    ("L2", 24.3, 9.2),
    ("L3", 23.8, 10.0),
    ("L4", 24.1, 10.5),
    ("L5", 22.9, 9.5),
    ("S1", 30.0, 2.0),
    ("S2", 25.0, 1.5),
    ("S3", 22.0, 1.0),
)
NAMES = tuple(name for name, _, _ in VERTEBRAE)
BODY_MM = np.array([body for _, body, _ in VERTEBRAE])
DISC_MM = np.array([disc for _, _, disc in VERTEBRAE])
TOP_MM = np.concatenate([[0.0], np.cumsum(BODY_MM + DISC_MM)])  # the last entry is the bottom of the last disc

# The exponent of the superellipse that outlines the cord. With 2 it is an ellipse; the cord is a little squarer (Kameyama et
# al.).
OUTLINE_EXPONENT = 2.2
OUTLINE_AREA = 4 * gamma(1 + 1 / OUTLINE_EXPONENT) ** 2 / gamma(1 + 2 / OUTLINE_EXPONENT)  # for half-axes of 1

# Vertebra, fraction of its body's height; cord area (mm2); anteroposterior over transverse diameter; gray matter over cord area.
_CORD = (
    ("C1", 0.0, 74.0, 0.70, 0.165),
    ("C2", 1.1, 72.0, 0.66, 0.180),
    ("C4", 1.2, 80.0, 0.58, 0.210),
    ("C6", 0.5, 73.0, 0.57, 0.225),
    ("C7", 1.2, 57.0, 0.60, 0.205),
    ("T2", 0.5, 43.0, 0.67, 0.165),
    ("T5", 0.5, 35.5, 0.73, 0.140),
    ("T7", 0.5, 35.0, 0.75, 0.135),
    ("T9", 0.5, 38.0, 0.77, 0.150),
    ("T10", 1.1, 52.0, 0.78, 0.205),
    ("T11", 1.15, 65.0, 0.80, 17.0 / 65.0),
    ("T12", 1.1, 47.0, 0.84, 0.34),
    ("L1", 0.3, 17.0, 0.90, 0.44),
    ("L1", 0.67, 0.0, 0.95, 0.50),
)
# Vertebra, fraction of its body's height; depth and width of the bony canal; depth and width of the thecal sac; distance of the
# cord's center in front of the sac's (all mm).
_CANAL = (
    ("C1", 0.0, 20.0, 25.0, 16.0, 21.5, 0.3),
    ("C2", 1.1, 17.5, 23.5, 13.4, 19.5, 0.4),
    ("C5", 0.5, 16.0, 24.0, 12.6, 19.8, 0.4),
    ("C7", 0.5, 15.5, 24.0, 12.5, 19.0, 0.3),
    ("T2", 0.5, 16.0, 19.5, 12.5, 16.0, 1.0),
    ("T6", 0.5, 16.5, 17.5, 12.5, 14.5, 1.9),
    ("T10", 0.5, 16.5, 18.5, 12.8, 15.2, 1.0),
    ("T12", 0.5, 18.0, 22.0, 14.8, 17.5, -0.9),
    ("L1", 0.5, 19.0, 23.5, 15.5, 18.0, -1.6),
    ("L3", 0.5, 17.8, 24.0, 14.2, 17.5, -0.5),
    ("L5", 0.5, 19.0, 27.0, 12.0, 15.5, 0.0),
    ("S3", 0.5, 14.0, 22.0, 5.0, 7.0, 0.0),
)
_CANAL_COLUMNS = ("depth", "width", "sac_depth", "sac_width", "shift")


@dataclass(frozen=True)
class CordSection:
    """A section of the cord perpendicular to its axis: a superellipse |u/a|^n + |v/b|^n <= 1 with n = `OUTLINE_EXPONENT`."""

    # The half-axes a (transverse) and b (anteroposterior); zero at and below the tip of the conus.
    half_width_mm: float
    half_depth_mm: float
    gray_ratio: float  # area of the gray matter divided by the area of the cord

    @property
    def area_mm2(self) -> float:
        """Area of the cord: gray and white matter together."""
        return float(OUTLINE_AREA * self.half_width_mm * self.half_depth_mm)


@dataclass(frozen=True)
class CanalSection:
    """A section of the bony canal and the thecal sac perpendicular to the cord.

    Both are ellipses. Positions along v are anterior to the cord's center.
    """

    half_width_mm: float
    half_depth_mm: float
    center_v_mm: float
    sac_half_width_mm: float
    sac_half_depth_mm: float
    sac_center_v_mm: float


def level_mm(name: str, fraction: float = 0.0) -> float:
    """Return the arc length (mm) below the top of C1 of a point of a vertebra.

    Raises ValueError if there is no vertebra of that name.

    `name` is a vertebra, such as "T12"; at a `fraction` of 0 the point is at the top of the vertebral body, at 1 at its
    bottom.
    """
    index = NAMES.index(name)
    return float(TOP_MM[index] + fraction * BODY_MM[index])


CONUS_TIP_MM = level_mm(*_CORD[-1][:2])


def smooth_profile(rows: Sequence[Any], column: int) -> PchipInterpolator:
    """Return the monotone cubic interpolation of one column of a table whose rows begin with (vertebra, fraction)."""
    return PchipInterpolator([level_mm(*row[:2]) for row in rows], [row[column] for row in rows])


@cache
def _profiles() -> dict[str, PchipInterpolator]:
    # The square root of the area is interpolated, since the conus is a cone: its radius, not its area, tapers evenly.
    radius = tuple((*row[:2], np.sqrt(row[2])) for row in _CORD)
    cord = {"root_area": smooth_profile(radius, 2), "ratio": smooth_profile(_CORD, 3), "gray": smooth_profile(_CORD, 4)}
    return cord | {name: smooth_profile(_CANAL, 2 + i) for i, name in enumerate(_CANAL_COLUMNS)}


def cord_section(position_mm: float) -> CordSection:
    """Return the average adult's cord at an arc length below the top of C1.

    Above C1 it is the section at C1; below the conus it is empty.
    """
    if position_mm >= CONUS_TIP_MM:
        return CordSection(0.0, 0.0, 0.0)
    at = max(position_mm, 0.0)
    profiles = _profiles()
    area, ratio = float(profiles["root_area"](at)) ** 2, float(profiles["ratio"](at))
    half_width = np.sqrt(area / (OUTLINE_AREA * ratio))
    return CordSection(half_width, ratio * half_width, float(profiles["gray"](at)))


def canal_section(position_mm: float) -> CanalSection:
    """Return the average adult's canal and thecal sac at an arc length below the top of C1, which is clamped to C1 and S3."""
    at = float(np.clip(position_mm, 0.0, level_mm("S3", 0.5)))
    depth, width, sac_depth, sac_width, shift = (float(_profiles()[name](at)) for name in _CANAL_COLUMNS)
    # The sac lies close behind the bodies; most of the epidural fat is behind the sac.
    ventral_gap = 0.25 * (depth - sac_depth)
    center_v = -shift - 0.5 * (depth - sac_depth) + ventral_gap
    return CanalSection(width / 2, depth / 2, center_v, sac_width / 2, sac_depth / 2, -shift)
