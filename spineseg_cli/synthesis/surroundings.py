"""What lies around the spinal canal: vertebrae and discs, muscles, fat, skin, airway, lungs, organs, and air outside.

All lengths are those of an adult of average size, in the cord's frame: u is to the right, v is anterior, 0 is the cord's
center, and the position runs along the spine from the top of C1. Vertebral sizes are from Panjabi et al. (see
`morphometry`); the body around them is drawn by eye, only to make an image's background believable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from scipy.interpolate import PchipInterpolator

from spineseg_cli.synthesis.canal import CanalSlice
from spineseg_cli.synthesis.morphometry import BODY_MM, DISC_MM, TOP_MM, level_mm, smooth_profile
from spineseg_cli.synthesis.scanner import Tissue
from spineseg_cli.synthesis.subject import Subject

# level, fraction; vertebral body width and depth; length and droop (mm of descent per mm) of the spinous process; half the
# span of the transverse processes
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
# level, fraction; half-width and half-depth of the trunk; from the cord to the skin of the back; thickness of the fat
# under the skin; half-width of the lungs
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
_CORTEX_MM = 0.8


@cache
def _profiles() -> tuple[list[PchipInterpolator], list[PchipInterpolator]]:
    return [smooth_profile(_BONE, i) for i in range(2, 7)], [smooth_profile(_BODY, i) for i in range(2, 7)]


def _values(profiles: Sequence[PchipInterpolator], position_mm: float) -> Iterator[float]:
    low, high = profiles[0].x[[0, -1]]
    return (float(profile(np.clip(position_mm, low, high))) for profile in profiles)


def surrounding_tissue(u: np.ndarray, v: np.ndarray, s: np.ndarray, here: CanalSlice, subject: Subject) -> np.ndarray:
    """Return the tissue at each point, uint8 of one shape with `u`, as if there were no spinal canal.

    Parameters
    ----------
    u, v, s : ndarray of float, any one shape
        Position across the section and along the spine, adult mm. `s` differs within a slice where the spine
        is tilted.
    here : CanalSlice
        The canal at the slice's center: bones are placed around it.
    subject : Subject
        Whose surroundings they are.
    """
    tissue = _soft_tissue(u, v, here, subject)
    near_spine = (np.abs(u) < 50) & (v > -60) & (v < 55)
    tissue[near_spine] = _with_spine(tissue[near_spine], u[near_spine], v[near_spine], s[near_spine], here)
    return tissue


def _ellipse(u: np.ndarray, v: np.ndarray, center_u: float, center_v: float, half_u: float, half_v: float) -> np.ndarray:
    return ((u - center_u) / half_u) ** 2 + ((v - center_v) / half_v) ** 2 <= 1


def _soft_tissue(u: np.ndarray, v: np.ndarray, here: CanalSlice, subject: Subject) -> np.ndarray:
    width, depth, back, fat, lung = _values(_profiles()[1], here.position_mm)
    body_depth, front = list(_values(_profiles()[0], here.position_mm))[1], here.canal.center_v_mm + here.canal.half_depth_mm
    belly = depth - back
    tissue = np.zeros(u.shape, dtype=np.uint8)
    for tissue_label, inset in ((Tissue.SKIN, 0.0), (Tissue.FAT, 1.8), (Tissue.MUSCLE, fat + 1.8)):
        tissue[_ellipse(u, v, 0, belly, width - inset, depth - inset)] = tissue_label
    # Muscles lie in layers around the spinous process, with thin planes of fat between them, nearly alike on both sides.
    p, q, phase = np.abs(u) + 0.04 * u, v + 0.05 * u, subject.texture
    wander = 0.02 * here.position_mm
    waves = 0.9 * np.sin(p / 8 + phase[0] + wander) + 0.8 * np.sin(q / 7 + phase[1])
    planes = np.sin(np.sqrt(0.7 * p**2 + (q - 4) ** 2) / 5.0 + waves)
    thickness = 0.03 + 0.09 * np.sin(p / 5.1 + q / 6.3 + phase[2] + wander)
    tissue[(tissue == Tissue.MUSCLE) & (np.abs(planes) < thickness)] = Tissue.FAT
    # A fat-filled cleft in the midline of the back.
    tissue[(np.abs(u) < 1.2) & (v < -12) & (tissue == Tissue.MUSCLE)] = Tissue.FAT

    at, neck_end, carina, chest_end = here.position_mm, level_mm("T2"), level_mm("T5"), level_mm("T12")
    ahead = front + body_depth
    if at < neck_end:
        for side in (-1, 1):
            tissue[_ellipse(u, v, side * 26, ahead + 8, 3.6, 3.6)] = Tissue.VESSEL
            tissue[_ellipse(u, v, side * 33, ahead + 6, 4.5, 3.2)] = Tissue.VESSEL
            tissue[_ellipse(u, v, side * 34, ahead + 18, 12, 9)] = Tissue.ORGAN
            tissue[_ellipse(u, v, side * 13.5, front + 4, 2.2, 2.2)] = Tissue.VESSEL
    else:
        inner = _ellipse(u, v, 0, belly + 4, width - fat - 16, depth - fat - 14)
        tissue[inner & (v > ahead)] = Tissue.ORGAN
        if at >= chest_end:
            tissue[inner & (v > ahead) & (planes < -0.2)] = Tissue.FAT
            for side in (-1, 1):
                tissue[_ellipse(u, v, side * 66, front + 18, 26, 24)] = Tissue.ORGAN
                tissue[_ellipse(u, v, side * 38, front + 12, 14, 18)] = Tissue.MUSCLE
        for side in (-1, 1) if lung > 5 else ():
            tissue[_ellipse(u, v, side * (36 + lung), belly + 2, lung + 10, (depth - fat - 14) * lung / 55)] = Tissue.LUNG
        tissue[_ellipse(u, v, -14, ahead + 10, 10, 10)] = Tissue.VESSEL
    if at < carina:
        tissue[_ellipse(u, v, 0, ahead + 17, 8.5, 7.5)] = Tissue.AIR
    return tissue


def _with_spine(tissue: np.ndarray, u: np.ndarray, v: np.ndarray, s: np.ndarray, here: CanalSlice) -> np.ndarray:
    """Put vertebra and disc in place: each point belongs to the body or disc whose part of the spine it lies beside."""
    width, depth, spine_length, droop, span = _values(_profiles()[0], here.position_mm)
    canal = here.canal
    front, back = canal.center_v_mm + canal.half_depth_mm, canal.center_v_mm - canal.half_depth_mm
    tissue = tissue.copy()
    into, height = _into_vertebra(s)
    to_disc = height - into  # positive in the body, negative in the disc below it

    # Posterior arch: pedicles and transverse processes in the upper part, laminae in the lower, joints at the disc.
    upper, lower = into < 0.62 * height, into > 0.22 * height
    side_u = canal.half_width_mm + 2.5
    _paint_bone(tissue, u, v, upper, (side_u, canal.center_v_mm + 1), (0.36 * width + 1, front + 3), 3.4)
    _paint_bone(tissue, u, v, upper & lower, (side_u, canal.center_v_mm), (span, canal.center_v_mm - 6), 3.2)
    _paint_bone(tissue, u, v, lower, (side_u, canal.center_v_mm - 2), (2.0, back - 3.5), 2.8)
    joint_u, joint_v = side_u + 1, back + 3.5
    # Cervical joints are stout pillars, thoracic ones thin plates.
    pillar = 6.0 if here.position_mm < level_mm("C7", 1.0) else 4.2
    _paint_bone(tissue, u, v, np.abs(to_disc) < 6, (joint_u, joint_v), (joint_u + 2, joint_v - 1.5), pillar)
    slit = np.flatnonzero(np.abs(to_disc + 1.5) < 6)
    slit = slit[_capsule_distance2(u[slit], v[slit], (joint_u - 3, joint_v + 1), (joint_u + 3, joint_v - 1)) < 0.36]
    tissue[slit] = Tissue.DISC
    # Spinous process: lower and lower the farther it is from the canal, so a section may cut that of the vertebra above.
    spinous_into, spinous_height = _into_vertebra(s - droop * np.maximum(back - v, 0))
    present = (spinous_into > 0.2 * spinous_height) & (spinous_into < 1.02 * spinous_height) & (np.abs(u) < 2.5)
    _paint_bone(tissue, u, v, present, (0.0, back - 3.5), (0.0, back - spine_length), 2.4)
    flavum = np.flatnonzero(~lower)
    lamina = (side_u, canal.center_v_mm - 2), (2.0, back - 3.5)
    tissue[flavum[_capsule_distance2(u[flavum], v[flavum], *lamina) < 1.3**2]] = Tissue.LIGAMENT

    # Foramina between the pedicles: fat around the ganglion.
    foramen = ~upper & (v > canal.center_v_mm - 2)
    tissue[foramen & _ellipse(np.abs(u), v, side_u + 1.5, canal.center_v_mm + 1.5, 4.5, 4.0)] = Tissue.EPIDURAL_FAT
    tissue[foramen & _ellipse(np.abs(u), v, side_u + 1.5, canal.center_v_mm + 1.5, 2.3, 2.6)] = Tissue.GANGLION

    # Body and disc, their back wall hollowed by the canal, which is put in later.
    x, y = np.abs(u) / (width / 2), np.abs(v - front - depth / 2 + 0.5) / (depth / 2 + 0.5)
    edge = (np.sqrt(np.sqrt(x**4 + y**4)) - 1) * min(width, depth) / 2
    in_body = edge <= 0
    tissue[(edge <= 0.5) & (v > front)] = Tissue.LIGAMENT
    is_disc = to_disc < 0
    tissue[in_body & is_disc] = Tissue.DISC
    tissue[in_body & is_disc & (edge < -0.16 * min(width, depth)) & (to_disc < -0.8)] = Tissue.NUCLEUS
    tissue[in_body & ~is_disc] = Tissue.MARROW
    shell = (edge > -_CORTEX_MM) | (to_disc < 0.8) | (into < 0.8)
    tissue[in_body & ~is_disc & shell] = Tissue.CORTICAL_BONE
    return tissue


def _into_vertebra(s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how far below the top of its vertebra each position is, and that vertebra's body height (mm)."""
    index = np.clip(np.searchsorted(TOP_MM, s, side="right") - 1, 0, len(BODY_MM) - 1)
    into = s - TOP_MM[index]
    # Above C1 and below S3 the spine goes on as bone.
    return np.clip(into, 1.0, (BODY_MM + DISC_MM)[index] - 1e-3), BODY_MM[index]


def _capsule_distance2(u: np.ndarray, v: np.ndarray, start: tuple[float, float], stop: tuple[float, float]) -> np.ndarray:
    """Return the squared distance to a segment on either side of the midline: roots would cost most of the time."""
    du, dv = stop[0] - start[0], stop[1] - start[1]
    p, q = np.abs(u) - start[0], v - start[1]
    along = np.clip((p * du + q * dv) / (du * du + dv * dv), 0, 1)
    return (p - along * du) ** 2 + (q - along * dv) ** 2


def _paint_bone(
    tissue: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    where: np.ndarray,
    start: tuple[float, float],
    stop: tuple[float, float],
    radius: float,
) -> None:
    """Draw a bar of marrow in a cortical shell, mirrored about the midline, into the caller's own array."""
    where = np.flatnonzero(where)
    distance2 = _capsule_distance2(u[where], v[where], start, stop)
    tissue[where[distance2 <= radius**2]] = Tissue.CORTICAL_BONE
    tissue[where[distance2 <= (radius - _CORTEX_MM) ** 2]] = Tissue.MARROW
