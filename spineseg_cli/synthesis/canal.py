"""The contents of the spinal canal: epidural fat, dura, CSF, nerve roots, cauda equina, and the cord with its gray matter.

All lengths are those of an adult of average size. Positions are relative to the cord's center: u to the right, v anterior.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spineseg_cli.synthesis.anatomy import (
    BODY_MM,
    DISC_MM,
    OUTLINE_EXPONENT,
    TOP_MM,
    CanalSection,
    CordSection,
    canal_section,
    cord_section,
    level_mm,
)
from spineseg_cli.synthesis.gray_matter import butterfly_field, butterfly_threshold
from spineseg_cli.synthesis.scanner import Tissue
from spineseg_cli.synthesis.subject import Subject

_DURA_MM = 0.35
_ROOT_RADIUS_MM = 0.55
_CAUDA_TOP_MM = level_mm("T11", 0.0)
_CAUDA_BOTTOM_MM = level_mm("S2", 1.0)


@dataclass(frozen=True)
class CanalSlice:
    """A subject's cord and canal at one position along the spine, in millimeters of an adult of average size."""

    position_mm: float
    cord: CordSection
    canal: CanalSection
    gray_threshold: float


def canal_slice(position_mm: float, subject: Subject) -> CanalSlice:
    """Return the cord, the canal and the gray-matter threshold of a subject at an arc length below the top of C1."""
    average = cord_section(position_mm)
    cord = CordSection(
        average.half_width_mm * np.sqrt(subject.area_factor / subject.flatness),
        average.half_depth_mm * np.sqrt(subject.area_factor * subject.flatness),
        average.gray_ratio * subject.gray_factor,
    )
    canal = canal_section(position_mm)
    names = ("half_width_mm", "half_depth_mm", "sac_half_width_mm", "sac_half_depth_mm")
    canal = replace(canal, **{name: getattr(canal, name) * subject.sac_factor for name in names})
    threshold = butterfly_threshold(max(position_mm, 0.0), cord.gray_ratio) if cord.area_mm2 else 0.0
    return CanalSlice(position_mm, cord, canal, threshold)


def fill_canal(around: np.ndarray, u: np.ndarray, v: np.ndarray, here: CanalSlice, subject: Subject) -> np.ndarray:
    """Return a tissue map with the canal and its contents drawn into it.

    `around`, uint8, is the tissue at each point if there were no canal. `u` and `v`, of its shape, are positions in the
    section perpendicular to the cord, in mm of an average adult; `here` is the canal and the cord at this position along the
    spine. The result is uint8, of the same shape.
    """
    tissue = around.copy()
    canal, cord = here.canal, here.cord
    in_canal = (u / canal.half_width_mm) ** 2 + ((v - canal.center_v_mm) / canal.half_depth_mm) ** 2 <= 1
    tissue[in_canal] = Tissue.EPIDURAL_FAT
    sac_v = v - canal.sac_center_v_mm
    radius = np.sqrt((u / canal.sac_half_width_mm) ** 2 + (sac_v / canal.sac_half_depth_mm) ** 2)
    wall = (radius - 1) * canal.sac_half_depth_mm
    tissue[wall <= _DURA_MM] = Tissue.LIGAMENT
    inside = wall <= 0
    tissue[inside] = np.where(_near_root(u[inside], v[inside], here, subject), Tissue.ROOT, Tissue.CSF)
    if cord.area_mm2 < 0.05:
        return tissue
    x, y = u / cord.half_width_mm, v / cord.half_depth_mm
    in_cord = (np.abs(x) ** OUTLINE_EXPONENT + np.abs(y) ** OUTLINE_EXPONENT) <= 1
    tissue[in_cord] = Tissue.WHITE_MATTER
    tissue[in_cord & (np.abs(u) < 0.22 * (0.3 + y)) & (y > 0.30)] = Tissue.FISSURE
    gray = in_cord.copy()
    gray[in_cord] = butterfly_field(x[in_cord], y[in_cord], here.position_mm) <= here.gray_threshold
    tissue[gray] = Tissue.GRAY_MATTER
    return tissue


def _near_root(u: np.ndarray, v: np.ndarray, here: CanalSlice, subject: Subject) -> np.ndarray:
    """Return which points lie in a nerve root or in a strand of the cauda equina, bool, shape as `u`."""
    centers = np.array(_segmental_roots(here) + _cauda_equina(here, subject)).reshape(-1, 2)
    near = np.zeros(u.shape, dtype=bool)
    for cu, cv in centers:
        near |= (u - cu) ** 2 + (v - cv) ** 2 <= _ROOT_RADIUS_MM**2
    return near


def _segmental_roots(here: CanalSlice) -> list[tuple[float, float]]:
    """Return the centers of the ventral and dorsal rootlets between the cord and the foramen at the next disc."""
    cord, canal = here.cord, here.canal
    if not cord.area_mm2:
        return []
    index = int(np.clip(np.searchsorted(TOP_MM, here.position_mm, side="right") - 1, 0, len(BODY_MM) - 1))
    way = float(np.clip((here.position_mm - TOP_MM[index]) / (BODY_MM[index] + DISC_MM[index]), 0, 1))
    exit_u, exit_v = 0.80 * canal.sac_half_width_mm, canal.sac_center_v_mm - 0.10 * canal.sac_half_depth_mm
    centers = []
    for start_u, start_v in ((0.50, 0.86), (0.66, -0.74)):
        start = (start_u * cord.half_width_mm, start_v * cord.half_depth_mm)
        # Rootlets fan out, so that one section cuts several of the same nerve.
        for lag in (0.0, 0.16, 0.32):
            at = np.clip(way - lag, 0.0, 1.0)
            cu, cv = start[0] + at * (exit_u - start[0]), start[1] + at * (exit_v - start[1])
            centers += [(cu, cv), (-cu, cv)]
    return centers


def _cauda_equina(here: CanalSlice, subject: Subject) -> list[tuple[float, float]]:
    """Return the centers of the strands: beside the conus, and lower down at the back of the sac, where they sink."""
    if here.position_mm < _CAUDA_TOP_MM:
        return []
    canal, cord = here.canal, here.cord
    below = (here.position_mm - _CAUDA_TOP_MM) / (_CAUDA_BOTTOM_MM - _CAUDA_TOP_MM)
    gathered = np.clip((here.position_mm - _CAUDA_TOP_MM) / 40.0, 0.1, 1.0)
    centers = []
    for side, height, leaves in subject.roots:
        if below > 0.35 + 0.65 * leaves or abs(side) < 1 - gathered:
            continue
        turn = side * np.pi * 0.62
        reach = 0.86 - 0.42 * height * (1 - 0.6 * (cord.area_mm2 > 5))
        centers.append(
            (
                reach * canal.sac_half_width_mm * np.sin(turn),
                canal.sac_center_v_mm - reach * canal.sac_half_depth_mm * np.cos(turn),
            )
        )
    return centers
