"""The body around the spinal canal: vertebrae and discs, muscles, fat, skin, airway, lungs, organs, and air outside.

All lengths are those of an adult of average size. Positions are relative to the cord's center: u to the right, v anterior, and
s along the spine from the top of C1. Vertebral sizes are from Panjabi et al. (see `anatomy`). Everything else is drawn by eye;
its only purpose is a believable background.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from scipy.interpolate import PchipInterpolator

from spineseg_cli.synthesis.anatomy import BODY_MM, DISC_MM, TOP_MM, level_mm, smooth_profile
from spineseg_cli.synthesis.canal import CanalSlice
from spineseg_cli.synthesis.scanner import Tissue
from spineseg_cli.synthesis.subject import Subject

# Vertebra, fraction of its height; width and depth of the vertebral body; length of the spinous process, and its slope (mm of
# descent per mm); half the span of the transverse processes.
_BONE = (
    ("C1", 0.0, 11.0, 10.0, 12.0, 0.1, 36.0),
    ("C2", 0.8, 16.0, 14.5, 24.0, 0.3, 26.0),
    ("C4", 0.5, 17.0, 15.5, 19.0, 0.3, 25.0),
    ("C7", 0.5, 22.5, 17.5, 34.0, 0.5, 31.0),
    ("T2", 0.5, 27.0, 19.5, 33.0, 0.8, 36.0),
    ("T6", 0.5, 26.0, 25.0, 32.0, 1.2, 31.0),
    ("T10", 0.5, 31.0, 29.5, 29.0, 0.8, 27.0),
    ("T12", 0.5, 39.0, 32.0, 28.0, 0.3, 23.0),
    ("L1", 0.5, 41.5, 34.0, 32.0, 0.15, 35.0),
    ("L3", 0.5, 45.0, 35.0, 33.0, 0.15, 42.0),
    ("L5", 0.5, 50.0, 34.0, 25.0, 0.2, 44.0),
    ("S3", 0.5, 60.0, 18.0, 14.0, 0.2, 40.0),
)
# Vertebra, fraction of its height; half-width and half-depth of the trunk; distance from the cord to the skin of the back;
# thickness of the fat under the skin; half-width of the lungs.
_BODY = (
    ("C1", 0.0, 72.0, 86.0, 58.0, 4.0, 0.0),
    ("C4", 0.5, 60.0, 60.0, 52.0, 5.0, 0.0),
    ("C6", 0.5, 66.0, 60.0, 52.0, 6.0, 0.0),
    ("T1", 0.5, 150.0, 75.0, 52.0, 8.0, 12.0),
    ("T3", 0.5, 170.0, 88.0, 50.0, 9.0, 34.0),
    ("T7", 0.5, 165.0, 108.0, 52.0, 10.0, 52.0),
    ("T11", 0.5, 155.0, 108.0, 60.0, 12.0, 44.0),
    ("L1", 0.5, 150.0, 105.0, 66.0, 14.0, 0.0),
    ("L5", 0.5, 165.0, 112.0, 74.0, 20.0, 0.0),
    ("S3", 0.5, 175.0, 112.0, 60.0, 24.0, 0.0),
)
_SKIN_MM = 1.8
_CORTEX_MM = 0.8  # thickness of the cortical bone


@cache
def _profiles() -> tuple[list[PchipInterpolator], list[PchipInterpolator]]:
    return [smooth_profile(_BONE, i) for i in range(2, 7)], [smooth_profile(_BODY, i) for i in range(2, 7)]


def _values(profiles: Sequence[PchipInterpolator], position_mm: float) -> Iterator[float]:
    low, high = profiles[0].x[[0, -1]]
    return (float(profile(np.clip(position_mm, low, high))) for profile in profiles)


def surrounding_tissue(u: np.ndarray, v: np.ndarray, s: np.ndarray, here: CanalSlice, subject: Subject) -> np.ndarray:
    """Return the tissue at each point as if there were no spinal canal, uint8, shape as `u`.

    `u`, `v` and `s`, of one shape, are positions across the section and along the spine, in mm of an average adult; `s`
    varies within a slice where the spine is tilted. Bones are placed around `here`, the canal at the center of the slice.
    """
    tissue = _soft_tissue(u, v, here, subject)
    near_spine = (np.abs(u) < 50) & (v > -60) & (v < 55)
    spine = _SpinePainter(tissue[near_spine], u[near_spine], v[near_spine], s[near_spine], here)
    spine.paint_posterior_arch()
    spine.paint_spinous_process()
    spine.paint_foramina()
    spine.paint_body_and_disc()
    tissue[near_spine] = spine.tissue
    return tissue


def _ellipse(u: np.ndarray, v: np.ndarray, center_u: float, center_v: float, half_u: float, half_v: float) -> np.ndarray:
    return ((u - center_u) / half_u) ** 2 + ((v - center_v) / half_v) ** 2 <= 1


def _soft_tissue(u: np.ndarray, v: np.ndarray, here: CanalSlice, subject: Subject) -> np.ndarray:
    """Return the section of the neck or trunk without the spine."""
    width, depth, back, fat, _ = _values(_profiles()[1], here.position_mm)
    _, body_depth, *_ = _values(_profiles()[0], here.position_mm)
    middle, front = depth - back, here.canal.center_v_mm + here.canal.half_depth_mm
    tissue = np.zeros(u.shape, dtype=np.uint8)
    for layer, inset in ((Tissue.SKIN, 0.0), (Tissue.FAT, _SKIN_MM), (Tissue.MUSCLE, fat + _SKIN_MM)):
        tissue[_ellipse(u, v, 0, middle, width - inset, depth - inset)] = layer
    planes, thickness = _fat_planes(u, v, here.position_mm, subject.texture)
    tissue[(tissue == Tissue.MUSCLE) & (np.abs(planes) < thickness)] = Tissue.FAT
    tissue[(np.abs(u) < 1.2) & (v < -12) & (tissue == Tissue.MUSCLE)] = Tissue.FAT  # a cleft in the midline of the back
    ahead = front + body_depth
    if here.position_mm < level_mm("T2"):
        _paint_neck(tissue, u, v, front, ahead)
    else:
        _paint_trunk(tissue, u, v, here, planes)
    if here.position_mm < level_mm("T5"):  # the carina
        tissue[_ellipse(u, v, 0, ahead + 17, 8.5, 7.5)] = Tissue.AIR
    return tissue


def _fat_planes(u: np.ndarray, v: np.ndarray, position_mm: float, phases_rad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return waves whose zeros are the fat planes between the layers of muscle, and half of the planes' width on the same scale.

    The layers curve around the spinous process and are nearly symmetric.
    """
    p, q = np.abs(u) + 0.04 * u, v + 0.05 * u
    wander = 0.02 * position_mm
    waves = 0.9 * np.sin(p / 8 + phases_rad[0] + wander) + 0.8 * np.sin(q / 7 + phases_rad[1])
    planes = np.sin(np.sqrt(0.7 * p**2 + (q - 4) ** 2) / 5.0 + waves)
    return planes, 0.03 + 0.09 * np.sin(p / 5.1 + q / 6.3 + phases_rad[2] + wander)


def _paint_neck(tissue: np.ndarray, u: np.ndarray, v: np.ndarray, front: float, ahead: float) -> None:
    """Draw the vessels and glands of the neck into `tissue`; vertebral bodies reach from `front` to `ahead`."""
    for side in (-1, 1):
        tissue[_ellipse(u, v, side * 26, ahead + 8, 3.6, 3.6)] = Tissue.VESSEL
        tissue[_ellipse(u, v, side * 33, ahead + 6, 4.5, 3.2)] = Tissue.VESSEL
        tissue[_ellipse(u, v, side * 34, ahead + 18, 12, 9)] = Tissue.ORGAN
        tissue[_ellipse(u, v, side * 13.5, front + 4, 2.2, 2.2)] = Tissue.VESSEL


def _paint_trunk(tissue: np.ndarray, u: np.ndarray, v: np.ndarray, here: CanalSlice, planes: np.ndarray) -> None:
    """Draw organs, kidneys, psoas muscles, lungs and aorta into `tissue`."""
    width, depth, back, fat, lung = _values(_profiles()[1], here.position_mm)
    _, body_depth, *_ = _values(_profiles()[0], here.position_mm)
    middle, front = depth - back, here.canal.center_v_mm + here.canal.half_depth_mm
    ahead = front + body_depth
    inner = _ellipse(u, v, 0, middle + 4, width - fat - 16, depth - fat - 14)
    tissue[inner & (v > ahead)] = Tissue.ORGAN
    if here.position_mm >= level_mm("T12"):
        tissue[inner & (v > ahead) & (planes < -0.2)] = Tissue.FAT
        for side in (-1, 1):
            tissue[_ellipse(u, v, side * 66, front + 18, 26, 24)] = Tissue.ORGAN
            tissue[_ellipse(u, v, side * 38, front + 12, 14, 18)] = Tissue.MUSCLE
    for side in (-1, 1) if lung > 5 else ():
        tissue[_ellipse(u, v, side * (36 + lung), middle + 2, lung + 10, (depth - fat - 14) * lung / 55)] = Tissue.LUNG
    tissue[_ellipse(u, v, -14, ahead + 10, 10, 10)] = Tissue.VESSEL


class _SpinePainter:
    """Draws the vertebrae and discs at points near the spine.

    Each point belongs to the vertebra, or the disc below it, beside which it lies. `tissue` is the result so far.
    """

    def __init__(self, tissue: np.ndarray, u: np.ndarray, v: np.ndarray, s: np.ndarray, here: CanalSlice):
        self.tissue, self.u, self.v, self.s, self.here = tissue, u, v, s, here
        self.width, self.depth, self.spinous_length, self.spinous_slope, self.span = _values(_profiles()[0], here.position_mm)
        self.front = here.canal.center_v_mm + here.canal.half_depth_mm
        self.back = here.canal.center_v_mm - here.canal.half_depth_mm
        self.side = here.canal.half_width_mm + 2.5  # lateral position of the pedicles
        self.into, self.height = _into_vertebra(s)
        self.to_disc = self.height - self.into  # positive in the body, negative in the disc below it
        self.upper, self.lower = self.into < 0.62 * self.height, self.into > 0.22 * self.height

    def paint_posterior_arch(self) -> None:
        """Draw pedicles and transverse processes in the upper part, laminae in the lower, and facet joints beside the disc."""
        side, back, middle = self.side, self.back, self.here.canal.center_v_mm
        self._paint_bone(self.upper, (side, middle + 1), (0.36 * self.width + 1, self.front + 3), 3.4)
        self._paint_bone(self.upper & self.lower, (side, middle), (self.span, middle - 6), 3.2)
        self._paint_bone(self.lower, (side, middle - 2), (2.0, back - 3.5), 2.8)
        joint_u, joint_v = side + 1, back + 3.5
        # Cervical facets form thick pillars, thoracic ones thin plates.
        radius = 6.0 if self.here.position_mm < level_mm("C7", 1.0) else 4.2
        self._paint_bone(np.abs(self.to_disc) < 6, (joint_u, joint_v), (joint_u + 2, joint_v - 1.5), radius)
        near_joint = np.flatnonzero(np.abs(self.to_disc + 1.5) < 6)
        distance2 = self._distance2(near_joint, (joint_u - 3, joint_v + 1), (joint_u + 3, joint_v - 1))
        self.tissue[near_joint[distance2 < 0.36]] = Tissue.DISC  # the joint's cartilage

    def paint_spinous_process(self) -> None:
        """Draw the spinous process and the ligamentum flavum above the lamina.

        The process slopes down behind the canal, so that a section may cut that of the vertebra above.
        """
        back = self.back
        into, height = _into_vertebra(self.s - self.spinous_slope * np.maximum(back - self.v, 0))
        present = (into > 0.2 * height) & (into < 1.02 * height) & (np.abs(self.u) < 2.5)
        self._paint_bone(present, (0.0, back - 3.5), (0.0, back - self.spinous_length), 2.4)
        above_lamina = np.flatnonzero(~self.lower)
        distance2 = self._distance2(above_lamina, (self.side, self.here.canal.center_v_mm - 2), (2.0, back - 3.5))
        self.tissue[above_lamina[distance2 < 1.3**2]] = Tissue.LIGAMENT

    def paint_foramina(self) -> None:
        """Draw the fat in the foramina between the pedicles, and the ganglion in it."""
        u, v, middle = np.abs(self.u), self.v, self.here.canal.center_v_mm
        foramen = ~self.upper & (v > middle - 2)
        self.tissue[foramen & _ellipse(u, v, self.side + 1.5, middle + 1.5, 4.5, 4.0)] = Tissue.EPIDURAL_FAT
        self.tissue[foramen & _ellipse(u, v, self.side + 1.5, middle + 1.5, 2.3, 2.6)] = Tissue.GANGLION

    def paint_body_and_disc(self) -> None:
        """Draw the vertebral body and the disc; the canal, drawn later, hollows their back wall."""
        tissue, smaller = self.tissue, min(self.width, self.depth)
        x = np.abs(self.u) / (self.width / 2)
        y = np.abs(self.v - self.front - self.depth / 2 + 0.5) / (self.depth / 2 + 0.5)
        edge = (np.sqrt(np.sqrt(x**4 + y**4)) - 1) * smaller / 2
        in_body, is_disc = edge <= 0, self.to_disc < 0
        tissue[(edge <= 0.5) & (self.v > self.front)] = Tissue.LIGAMENT
        tissue[in_body & is_disc] = Tissue.DISC
        tissue[in_body & is_disc & (edge < -0.16 * smaller) & (self.to_disc < -0.8)] = Tissue.NUCLEUS
        tissue[in_body & ~is_disc] = Tissue.MARROW
        shell = (edge > -_CORTEX_MM) | (self.to_disc < 0.8) | (self.into < 0.8)
        tissue[in_body & ~is_disc & shell] = Tissue.CORTICAL_BONE

    def _paint_bone(self, where: np.ndarray, start: tuple[float, float], stop: tuple[float, float], radius: float) -> None:
        """Draw a rod of marrow with a cortical shell between two points, and its mirror image."""
        candidates = np.flatnonzero(where)
        distance2 = self._distance2(candidates, start, stop)
        self.tissue[candidates[distance2 <= radius**2]] = Tissue.CORTICAL_BONE
        self.tissue[candidates[distance2 <= (radius - _CORTEX_MM) ** 2]] = Tissue.MARROW

    def _distance2(self, points: np.ndarray, start: tuple[float, float], stop: tuple[float, float]) -> np.ndarray:
        """Return the squared distance of some points to a segment or its mirror image; roots would take most of the time."""
        du, dv = stop[0] - start[0], stop[1] - start[1]
        p, q = np.abs(self.u[points]) - start[0], self.v[points] - start[1]
        along = np.clip((p * du + q * dv) / (du * du + dv * dv), 0, 1)
        return (p - along * du) ** 2 + (q - along * dv) ** 2


def _into_vertebra(s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how far below the top of its vertebra each position is, and the height of that vertebra's body (mm)."""
    index = np.clip(np.searchsorted(TOP_MM, s, side="right") - 1, 0, len(BODY_MM) - 1)
    into = s - TOP_MM[index]
    # Above C1 and below S3 the spine continues as bone.
    return np.clip(into, 1.0, (BODY_MM + DISC_MM)[index] - 1e-3), BODY_MM[index]
