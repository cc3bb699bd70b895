"""Extension of the dorsal horns to the surface of the cord.

On T2*-weighted scans, horns of 0.5 to 1 mm width reach the surface, where the dorsal roots enter. In templates, which are
averages, the horns of different people do not overlap near the surface; their mean probability falls below one half there, and
the averaged horn ends about a millimeter early.
"""

from __future__ import annotations

import numpy as np

from spineseg_cli.core.image.bounds import bounding_box
from spineseg_cli.synthesis.gray_matter import segment_distance

# The tip of a horn is the mean of the gray matter within this distance of its most dorsal sample; the base, which gives the
# direction, lies at these distances in front of it.
TIP_MM = 0.5
BASE_MM = (1.25, 2.75)

# Width of the extension, its largest angle to the horn, and the fraction of the way to the surface that it covers.
WIDTH_MM = (0.5, 1.0)
TURN_DEG = 8.0
REACH = (0.6, 1.05)

# The greatest length of an extension.
LONGEST_MM = 2.5


def extended_horns(gray: np.ndarray, cord: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return the tissue fractions that extend the two dorsal horns to the surface of the cord.

    `gray` and `cord`, shape (n, m), are fractions; the first axis runs from side to side, the second from posterior to
    anterior. Width, direction and length are random, and differ slightly between the sides. The result is float32, of the
    same shape; 0 where nothing is added, which is everywhere if there is no gray matter.
    """
    added = np.zeros(gray.shape, np.float32)
    box = bounding_box(cord > 0.5)  # only the box is processed, which saves time
    if box[0].stop:
        added[box] = _inside_box(gray[box], cord[box], spacing_mm, rng)
    return added


def _inside_box(gray: np.ndarray, cord: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    added = np.zeros(gray.shape, np.float32)
    middle = np.argwhere(cord > 0.5)[:, 0].mean()
    width_mm, reach = rng.uniform(*WIDTH_MM), rng.uniform(*REACH)
    for side in (-1, 1):
        own_width_mm, turn = width_mm * rng.uniform(0.9, 1.1), np.deg2rad(rng.uniform(-TURN_DEG, TURN_DEG))
        horn = _tip_and_direction(gray, middle, side, spacing_mm)
        if horn is None:
            continue
        tip, (across, along) = horn
        direction = np.array([across * np.cos(turn) - along * np.sin(turn), across * np.sin(turn) + along * np.cos(turn)])
        length = reach * _steps_to_surface(cord, tip, direction, LONGEST_MM / spacing_mm)
        start = tip - direction * (TIP_MM / spacing_mm)
        added = np.maximum(added, _band(gray.shape, start, tip + direction * length, own_width_mm / spacing_mm))
    return np.minimum(added, cord).astype(np.float32)


def _tip_and_direction(gray: np.ndarray, middle: float, side: int, spacing_mm: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the dorsal tip of the gray matter on one side, in samples, and the unit vector along the horn; None without any."""
    points = np.argwhere(gray > 0.5)
    points = points[side * (points[:, 0] - middle) > 0]
    if len(points) == 0:
        return None
    depth_mm = (points[:, 1] - points[:, 1].min()) * spacing_mm
    base = points[(depth_mm >= BASE_MM[0]) & (depth_mm <= BASE_MM[1])]
    if len(base) == 0:
        return None
    tip = points[depth_mm <= TIP_MM].mean(axis=0)
    # In front of the horn the gray matter widens; the half of the base that is laterally nearest to the tip is the horn.
    beside = np.abs(base[:, 0] - tip[0])
    direction = tip - base[beside <= np.median(beside)].mean(axis=0)
    return tip, direction / max(float(np.hypot(*direction)), 1e-6)


def _steps_to_surface(cord: np.ndarray, tip: np.ndarray, direction: np.ndarray, longest: float) -> float:
    """Return how many samples lie between `tip` and the surface of the cord along `direction`."""
    steps = np.arange(0, longest, 0.5)
    x, y = np.round(tip[:, None] + direction[:, None] * steps).astype(int)
    x, y = np.clip(x, 0, cord.shape[0] - 1), np.clip(y, 0, cord.shape[1] - 1)
    outside = cord[x, y] < 0.5
    return float(steps[outside.argmax()]) if outside.any() else 0.0


def _band(shape: tuple[int, int], start: np.ndarray, stop: np.ndarray, width: float) -> np.ndarray:
    """Return a straight band, as fractions, with a soft edge of one sample. All lengths are in samples."""
    x, y = np.ogrid[: shape[0], : shape[1]]
    distance, _ = segment_distance(x, y, start, stop)
    return np.clip(width / 2 - distance + 0.5, 0, 1).astype(np.float32)
