"""Random sections of the brainstem and its surroundings, which a network could mistake for cord.

All lengths are those of an adult of average size. Positions are relative to the center of the brainstem: u lateral, v anterior.
The ranges that shapes are drawn from are set by eye.
"""

from __future__ import annotations

from functools import reduce

import numpy as np

from spineseg_cli.synthesis.deformation import smooth_field
from spineseg_cli.synthesis.generator import SPACING_MM
from spineseg_cli.synthesis.scanner import Tissue

# Fractions of sections that show the closed lower medulla, the open upper medulla and the pons; smallest and largest half-width
# and half-depth of these.
_KINDS = {"closed": 0.5, "open": 0.4, "pons": 0.1}
_HALF_MM = {"closed": ((5, 4), (7, 5.5)), "open": ((6.5, 4.5), (9, 6.5)), "pons": ((12.5, 10), (16, 12))}
# Ellipses that make up one half of the brainstem, its fourth ventricle and its nuclei: position of the center (u, v) and
# half-axes (u, v), relative to the half-width and half-depth.
_PARTS = {
    "closed": ((0, 0, 1, 0.92), (0.36, 0.55, 0.36, 0.43), (0.2, -0.62, 0.2, 0.36), (0.48, -0.5, 0.26, 0.4)),
    "open": ((0, -0.1, 0.95, 0.8), (0.64, 0.3, 0.35, 0.45), (0.24, 0.62, 0.26, 0.36), (0.68, -0.5, 0.3, 0.45)),
    "pons": ((0, 0.12, 1, 0.82), (0.3, 0.5, 0.5, 0.48), (0.3, -0.5, 0.36, 0.45)),
}
_VENTRICLE = {"closed": (0, -9, 0.1, 0.1), "open": (0, -1.0, 0.6, 0.5), "pons": (0, -1.02, 0.42, 0.34)}
_NUCLEI = ((0, -0.2, 0.26, 0.24), (0.62, -0.28, 0.16, 0.26), (0.42, -0.58, 0.16, 0.2), (0.13, -0.62, 0.1, 0.22))


def brainstem_sections(
    count: int, seed: int = 0, size: int = 320, spacing_mm: float = SPACING_MM
) -> list[tuple[np.ndarray, ...]]:
    """Return random axial sections of the medulla oblongata and, in one of ten, of the pons.

    The first axis runs from right to left, the second from posterior to anterior. A larger count continues the list of a smaller
    one with the same seed. Each section has four arrays of shape (size, size): float32 fractions of the brainstem, of its gray
    matter (0 everywhere in half of the sections), and of brainstem and CSF together, so that nuclei <= brainstem <= canal; and
    the `Tissue` of all other samples, uint8: arteries and cerebellum inside the skull, bone and soft tissue outside.
    """
    return [_section(_Plane(size, spacing_mm, np.random.default_rng([seed, i]))) for i in range(count)]


class _Plane:
    """The coordinates of a section, slightly warped, in mm of an adult. Shapes are signed distances in mm, positive inside."""

    def __init__(self, size: int, spacing_mm: float, rng: np.random.Generator) -> None:
        self.scale, self.size, self.rng = rng.uniform(0.7, 1.15), size, rng
        self.spacing_mm = spacing_mm / self.scale
        axis = (np.arange(size, dtype=np.float32) - (size - 1) / 2) * np.float32(self.spacing_mm)
        self.u, self.v = np.meshgrid(axis, axis, indexing="ij") + rng.uniform(0.2, 0.8) * self.noise(6, 2)
        self.kind = str(rng.choice(list(_KINDS), p=list(_KINDS.values())))
        self.half = rng.uniform(*_HALF_MM[self.kind])

    def noise(self, grid: int, count: int = 1) -> np.ndarray:
        """Return smooth random fields with about `grid` bumps per side, shape (size, size), or (count, size, size)."""
        return smooth_field((count, self.size, self.size), grid, self.rng).squeeze()

    def ellipse(self, u: float, v: float, half_u: float, half_v: float) -> np.ndarray:
        """Return the approximate signed distance to an ellipse and its mirror image."""
        u, v, half_u, half_v = map(float, (u, v, half_u, half_v))  # a numpy float64 would promote the float32 arrays
        x, y = (np.abs(self.u) - u) / half_u, (self.v - v) / half_v
        radius = np.sqrt(x * x + y * y + 1e-6)
        return radius * (1 - radius) / np.sqrt((x / half_u) ** 2 + (y / half_v) ** 2 + 1e-6 / (half_u * half_v))

    def part(self, part: tuple[float, ...], spread: float = 0.0) -> np.ndarray:
        """Return an ellipse of the tables above at the size of this brainstem, its numbers varied by 1 +- `spread`.

        Shapes are signed distances, as in `ellipse`.
        """
        return self.ellipse(*np.array(part) * np.tile(self.half, 2) * self.rng.uniform(1 - spread, 1 + spread, 4))

    def fraction(self, shape: np.ndarray, edge_mm: float = 0.0) -> np.ndarray:
        """Return the fraction of each sample inside a shape, whose edge is at least `edge_mm` wide."""
        return np.clip(shape / max(edge_mm, self.spacing_mm) + 0.5, 0, 1).astype(np.float32)


def _join(first: np.ndarray, second: np.ndarray, rounding_mm: float = 0.8) -> np.ndarray:
    """Return the union of two shapes with a rounded transition."""
    return np.maximum(first, second) + np.maximum(rounding_mm - np.abs(first - second), 0) ** 2 / (4 * rounding_mm)


def _section(plane: _Plane) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = plane.rng
    ventricle = plane.part(_VENTRICLE[plane.kind], 0.15)
    fissure = plane.ellipse(0, plane.half[1] * 1.02, rng.uniform(0.2, 0.6), plane.half[1] * rng.uniform(0.15, 0.5))
    stem = np.minimum(reduce(_join, [plane.part(part) for part in _PARTS[plane.kind]]), -fissure)
    stem = -_join(-stem, ventricle) + 0.1 * plane.noise(28)
    brainstem = plane.fraction(stem)
    nuclei = np.zeros_like(brainstem) if rng.random() < 0.5 else _nuclei(plane, stem, ventricle) * brainstem
    fossa, cerebellum = _fossa(plane, np.maximum(stem, ventricle))
    # The two vertebral arteries, or the basilar artery in which they unite.
    radius, angle = rng.uniform(1.25, 2.0), 0 if plane.kind != "closed" and rng.random() < 0.4 else rng.uniform(0.4, 1.2)
    center = (plane.half + radius + rng.uniform(0, 2)) * [np.sin(angle), np.cos(angle)]
    arteries = np.minimum(plane.ellipse(center[0], center[1], radius, radius * rng.uniform(0.8, 1.2)), fossa - 0.3)
    arteries += 0.25 * np.sign(plane.u) * rng.uniform(-1, 1)  # one of them is often larger
    canal = np.maximum(brainstem, plane.fraction(fossa) * (1 - plane.fraction(np.maximum(cerebellum, arteries))))
    surroundings = _bone_and_beyond(plane, fossa)
    surroundings[fossa > 0] = Tissue.ORGAN
    surroundings[arteries > np.maximum(cerebellum, -0.5)] = Tissue.VESSEL
    return brainstem, nuclei, canal, surroundings


def _nuclei(plane: _Plane, stem: np.ndarray, ventricle: np.ndarray) -> np.ndarray:
    """Return the fraction of the nuclei, which are diffuse and never have the shape of a butterfly."""
    rng, (wide, deep) = plane.rng, plane.half.tolist()
    gray = rng.uniform(1.0, 2.2) + ventricle - np.maximum(np.abs(plane.u) - 0.55 * wide, 0)  # on the floor of the ventricle
    if plane.kind == "closed":
        gray = reduce(_join, [plane.part(part, 0.2) for part in _NUCLEI])
    elif plane.kind == "open":  # the olives: folded ribbons that are open medially and posteriorly
        x, y = (np.abs(plane.u) - 0.58 * wide) / (0.24 * wide), (plane.v - 0.25 * deep) / (0.34 * deep)
        radius, folds = np.hypot(x, y), 0.14 * np.sin(rng.uniform(7, 11) * np.arctan2(y, x) + rng.uniform(0, 6.3))
        ribbon = rng.uniform(0.25, 0.45) - np.abs(radius - 1 - folds) * 0.26 * wide
        gray = np.maximum(gray, np.where(-x - 0.5 * y < 0.75 * radius, ribbon, -1))
    else:  # mottled gray matter with transverse streaks
        streaks = np.sin(plane.v * rng.uniform(1.2, 2.2) + 1.5 * plane.noise(14)) + 0.8 * plane.noise(24) - rng.uniform(0, 0.6)
        gray = np.maximum(gray, np.minimum(0.5 * streaks, plane.part((0, 0.35, 0.8, 0.55))))
    gray = np.minimum(gray + 0.25 * plane.noise(20), stem - rng.uniform(0.2, 0.8))
    return plane.fraction(gray, rng.uniform(0.3, 1.0)) * np.float32(rng.uniform(0.5, 1))


def _fossa(plane: _Plane, stem: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the posterior fossa and the cerebellum in it, as shapes; in some sections there is hardly any CSF."""
    rng, (wide, deep) = plane.rng, plane.half.tolist()
    gaps = rng.uniform(0.5, 2.0, 3) if rng.random() < 0.2 else rng.uniform((3, 2, 2), (11, 8, 9))
    side, front, back = gaps.tolist()
    fossa = cistern = plane.ellipse(0, (front - back) / 2, wide + side, deep + (front + back) / 2)
    across, along = rng.uniform(3.5, 8.0, 2).tolist()
    brain = plane.ellipse(across * rng.uniform(0.8, 1.3), -deep - 0.7 * along, across, along)  # tonsils
    if plane.kind != "closed":
        half_width = wide + rng.uniform(14, 36)
        wall, behind = deep + front * rng.uniform(0.3, 1.0), half_width * rng.uniform(0.9, 1.3)
        fossa = _join(cistern, plane.ellipse(0, (wall - behind) / 2, half_width, (wall + behind) / 2), 4.0)
        brain = np.maximum(-cistern, brain)
    elif rng.random() < 0.4:
        return fossa, np.full_like(fossa, -99)
    brain = np.minimum(brain + 0.4 * plane.noise(30), fossa - rng.uniform(0.2, 2.0))
    brain = np.minimum(brain, -stem - rng.uniform(0.1, 1.5))
    clefts = rng.uniform(0.8, 1.2) - np.sin(brain * rng.uniform(1.2, 2.5) + 3 * plane.noise(9)) + 0.3 * plane.noise(16)
    return fossa, np.where(brain > 0.5, np.minimum(brain, clefts), brain)  # clefts between the folia


def _bone_and_beyond(plane: _Plane, fossa: np.ndarray) -> np.ndarray:
    """Return the `Tissue` of each sample, uint8: the skull base around the fossa, the pharynx in front, muscle and fat around."""
    rng = plane.rng
    tissue = np.full(fossa.shape, Tissue.MUSCLE, np.uint8)
    tissue[np.abs(plane.noise(9)) < rng.uniform(0.05, 0.3)] = Tissue.FAT
    front, wide = np.max(plane.v[fossa > 0]), np.max(np.abs(plane.u[fossa > 0]))
    clivus = rng.uniform(6, 13)
    bone = fossa + np.maximum(rng.uniform(2, 6) * (1 + 0.4 * plane.noise(5)), 0.8)
    bone = _join(bone, plane.ellipse(0, front + clivus / 2, rng.uniform(9, 16), clivus / 2 + 1), 3.0)
    bone = _join(bone, plane.ellipse(wide + 7, rng.uniform(-4, 8), *rng.uniform(7, 12, 2)), 3.0)
    if rng.random() < 0.8:
        tissue[plane.ellipse(0, front + clivus + rng.uniform(6, 14), *rng.uniform((6, 3), (15, 8))) > 0] = Tissue.AIR
    tissue[plane.ellipse(wide + rng.uniform(4, 12), front + rng.uniform(2, 9), 3, 2.5) > 0] = Tissue.VESSEL
    tissue[bone > 0] = Tissue.CORTICAL_BONE
    tissue[(bone > rng.uniform(0.8, 1.5)) & (fossa < -1)] = Tissue.MARROW
    tissue[(bone > 1) & (np.abs(plane.u) > wide + 9) & (plane.noise(40) > rng.uniform(0, 2))] = Tissue.AIR  # mastoid cells
    skin = plane.ellipse(0, 20, 75, 20 + max(rng.uniform(42, 75), 12 - np.min(plane.v[fossa > 0])))
    tissue[skin < rng.uniform(2, 8)] = Tissue.FAT
    tissue[skin < 0] = Tissue.AIR
    return tissue
