"""Segmentation of the cord without a network, by propagating an outline from slice to slice, as PropSeg does.

The outline starts as a circle, found by the Hough transform or on a given path. It is propagated up and down and fitted to the
edge in each slice, as long as there is one (De Leener, Kadoury & Cohen-Adad, NeuroImage 98:528, 2014). PropSeg deforms a tubular
mesh; this module fits the contour of `core/outlines/contour.py`.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.cropped import Block
from spineseg_cli.core.image.intensity import prepared
from spineseg_cli.core.image.signal_part import SignalPart
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.segmentation import Segmentation, checked_threshold
from spineseg_cli.core.localization.hough import Start, find_start
from spineseg_cli.core.localization.localizer import Localizer
from spineseg_cli.core.outlines.contour import move_to_edge
from spineseg_cli.core.outlines.postprocessing import fill_holes
from spineseg_cli.core.timing import timed

# Distance of one propagation step; where slices are further apart, a step is one slice.
STEP_MM = 2.0

# Largest distance at which the edge is searched for around the propagated outline, and around the initial circle in turn.
REACH_MM, START_REACH_MM = 1.0, (4.0, 2.0, 1.0)

# Largest in-plane shift of the section in one step, and the half-width of the patch whose correlation determines the shift.
ASIDE_MM, AROUND_MM = 3.0, 9.0

# Penalty of a shift for each mm, in units of the correlation, by which the smaller of two equal shifts is taken.
SHIFT_PENALTY = 0.01

# Propagation stops where the trust in the edge (0 to 1) is lower, and does not start from a circle with less support. It also
# stops at sections smaller or larger than any cord, and where the area changes by more than this factor in one step.
LEAST_TRUST, LEAST_SUPPORT = 0.4, 0.35
AREAS_MM2, AREA_FACTOR = (15.0, 160.0), 1.5

# Radius of the initial circle on a given path.
RADIUS_MM = 4.0


def propagate_cord(image: Volume, localizer: Localizer | None = None, *, threshold: float | None = None) -> Segmentation:
    """Segment the cord by propagation, in the axial slices that it reaches; empty if there was nothing to start from.

    `image` is stored in any orientation. `localizer` finds the starting point, in its most confident slice; by default the
    Hough transform does. `threshold` is the fraction of a voxel inside the outline above which it is cord, 0.5 by default.
    The result has no confidence.

    Raises InputError if `threshold` is not in [0, 1), or the localizer's mask cannot be used.
    """
    threshold = checked_threshold(threshold, 0.5)
    part, scan = SignalPart.of(image), prepared(image)
    with timed("start"):
        start = find_start(scan) if localizer is None else _start_on_path(scan, localizer.within(part))
    with timed("propagation"):
        sections = _propagate(scan, start) if start and start.support >= LEAST_SUPPORT else {}
    fraction = _between(scan, sections)
    mask = fill_holes(fraction > threshold)
    filled = np.argwhere(mask)
    box = np.stack([filled.min(axis=0), filled.max(axis=0) + 1], axis=1).tolist() if len(filled) else []
    return Segmentation(
        cropped_mask=part.on_image([Block(mask.astype(np.uint8), (0, 0, 0))], np.uint8),
        cropped_probability=part.on_image([Block(fraction, (0, 0, 0))], np.float32),
        threshold=threshold,
        crop_box_vx=part.box_on_image(box) if box else [],
        model="propseg",
        sha256=None,
        runtime="none",
        notes=() if len(filled) else ("no round section near the midline goes on from slice to slice",),
    )


def _start_on_path(scan: Volume, localizer: Localizer) -> Start | None:
    """Return a circle in the slice in which the localizer is most confident; None if it finds no cord."""
    location = localizer.locate(scan)
    if not location.present.any():
        return None
    most_confident = int(np.argmax(location.confidence * location.present))
    return Start(most_confident, location.centers_vx[most_confident], RADIUS_MM, 1.0)


def _propagate(scan: Volume, start: Start) -> dict[int, np.ndarray]:
    """Return the fraction of each voxel inside the outline, shape (nx, ny), for each axial slice reached."""
    step = max(1, int(STEP_MM / scan.spacing_mm[2]))
    x, y = ((np.arange(n) - c) * s for n, c, s in zip(scan.shape, start.center_vx, scan.spacing_mm, strict=False))
    section = np.clip((start.radius_mm - np.hypot(x[:, None], y)) / max(scan.spacing_mm[:2]) + 0.5, 0, 1).astype(np.float32)
    for reach_mm in START_REACH_MM:
        section, _ = _at_edge(scan, start.slice_index, section, reach_mm)
    if _area_mm2(section, scan) < AREAS_MM2[0]:
        return {}
    sections = {start.slice_index: section}
    for stride in (step, -step):
        previous, k = section, start.slice_index + stride
        while 0 <= k < scan.shape[2]:
            moved = ndimage.shift(previous, _shift_vx(scan, k - stride, k, previous), order=1)
            current, trust = _at_edge(scan, k, moved, REACH_MM)
            area = _area_mm2(current, scan)
            growth = area / _area_mm2(previous, scan)
            if trust < LEAST_TRUST or not AREAS_MM2[0] <= area <= AREAS_MM2[1] or not 1 / AREA_FACTOR <= growth <= AREA_FACTOR:
                break
            sections[k], previous, k = current, current, k + stride
    return sections


def _at_edge(scan: Volume, k: int, section: np.ndarray, reach_mm: float) -> tuple[np.ndarray, float]:
    """Return a section fitted to the edge in slice `k`, and the trust in that edge, 0 to 1."""
    edge = move_to_edge(scan.data[:, :, k : k + 1], section[..., None], scan.spacing_mm, reach_mm=reach_mm)
    return edge.fraction[..., 0], float(edge.trust[0])


def _shift_vx(scan: Volume, k: int, following: int, section: np.ndarray) -> tuple[int, int]:
    """Return the in-plane shift, in voxels, that best aligns the patch around a section of slice `k` with slice `following`."""
    center = np.round(ndimage.center_of_mass(section)).astype(int)
    half, limit = (np.ceil(mm / np.array(scan.spacing_mm[:2])).astype(int) for mm in (AROUND_MM, ASIDE_MM))
    first, end = np.maximum(center - half, 0), np.minimum(center + half + 1, scan.shape[:2])
    fixed = scan.data[first[0] : end[0], first[1] : end[1], k].astype(float)
    best, shift = -np.inf, (0, 0)
    for dx in range(max(-limit[0], -first[0]), min(limit[0], scan.shape[0] - end[0]) + 1):
        for dy in range(max(-limit[1], -first[1]), min(limit[1], scan.shape[1] - end[1]) + 1):
            moving = scan.data[first[0] + dx : end[0] + dx, first[1] + dy : end[1] + dy, following].astype(float)
            score = ((fixed - fixed.mean()) * (moving - moving.mean())).mean() / (fixed.std() * moving.std() + 1e-12)
            score -= SHIFT_PENALTY * np.hypot(dx * scan.spacing_mm[0], dy * scan.spacing_mm[1])
            if score > best:
                best, shift = score, (dx, dy)
    return shift


def _between(scan: Volume, sections: dict[int, np.ndarray]) -> np.ndarray:
    """Return the fraction of each voxel inside the outline, interpolated between sections and fitted to the edge, float32."""
    fraction = np.zeros(scan.shape, np.float32)
    known = sorted(sections)
    if not known:
        return fraction
    for low, high in zip(known, known[1:] or known, strict=False):
        for k in range(low, high + 1):
            weight = (k - low) / max(1, high - low)
            fraction[:, :, k] = (1 - weight) * sections[low] + weight * sections[high]
    span = slice(known[0], known[-1] + 1)
    fraction[:, :, span] = move_to_edge(scan.data[:, :, span], fraction[:, :, span], scan.spacing_mm).fraction
    return fraction


def _area_mm2(section: np.ndarray, scan: Volume) -> float:
    """Return the area of a section, the fraction of each voxel inside the outline, shape (nx, ny)."""
    return float(section.sum() * np.prod(scan.spacing_mm[:2]))
