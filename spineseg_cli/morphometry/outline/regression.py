"""The most likely smooth outline between the voxels of a binary mask: logistic regression by Newton's method.

The log-odds that a voxel is inside are the distance of its center from the outline over a small width s. The outline is linear in
its parameters, the products of waves around the cord and splines along it, so the optimum is unique (McCullagh & Nelder,
Generalized Linear Models, 1989). As s decreases, it approaches the outline of the widest margin between the voxels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spineseg_cli.morphometry.smoothing import make_basis

# Highest harmonic of the outline around the bent ellipse with the mask's moments, and shortest wavelength along the cord, mm.
HARMONICS = 8
CUTOFF_MM = 30.0

# Prior standard deviation of waves of k periods, in voxels, times (2 / k) to a power. With the first power, the outline is a bent
# ellipse where the voxels do not determine it; with the second, high waves are suppressed more. Shift and size have a weak prior.
WAVE_SD_VX = 3.0
STIFF, FREE = 7.0, 3.0
SHIFT_SD_VX = 30.0

# A bent ellipse explains a mask whose negative log-likelihood per slice is at most this: manual masks have 6 to 30, simulated
# ellipses and beans 0 to 2.
EXPLAINED = 3.0

# Widths s of the regression, in voxels: from one that converges from a poor start to one at which the voxels are almost certain.
# The width of the highest likelihood is used, so that a smooth outline is not forced through an irregular mask.
WIDTHS_VX = (0.5, 0.25, 0.1, 0.05, 0.02)
FIRST_USED = 0.25
ROUNDS = 5
ENOUGH_VX = 0.01

# Number of splines in a block of the regression's matrix; a cubic spline overlaps this number on either side.
BLOCK = 3


@dataclass(frozen=True)
class Voxels:
    """Voxels near the outline, padded to m in each of n slices.

    `radius` and `angle` are polar coordinates in the unit disc, and `side` is the side of a voxel there, all of shape (n, m).
    """

    inside: np.ndarray
    weight: np.ndarray
    offset_mm: np.ndarray
    radius: np.ndarray
    angle: np.ndarray
    side: np.ndarray


@dataclass(frozen=True)
class Outline:
    """Radii in the unit disc, by coefficients (splines, waves) of splines (n, splines) along the cord and waves around it."""

    splines: np.ndarray
    coefficients: np.ndarray
    width_vx: float

    def radius(self, waves: np.ndarray) -> np.ndarray:
        """Return the radius in each slice, shape (n, m), at angles whose waves are given, shape (n, m, waves) or (m, waves)."""
        amplitudes = (self.splines @ self.coefficients).astype(waves.dtype)
        return np.matmul(waves, amplitudes[..., None])[..., 0]

    def probability(self, voxels: Voxels) -> np.ndarray:
        return _logistic(self, voxels, make_waves(voxels.angle))


def make_waves(angle: np.ndarray) -> np.ndarray:
    """Return cosines and sines of the angles' multiples, shape (..., 2 HARMONICS + 1), float32; by recurrence, for speed."""
    turn = np.cos(angle) + 1j * np.sin(angle)
    powers = [np.ones_like(turn)]
    for _ in range(HARMONICS):
        powers.append(powers[-1] * turn)
    return np.stack([power.real for power in powers] + [power.imag for power in powers[1:]], axis=-1)


def _logistic(outline: Outline, voxels: Voxels, waves: np.ndarray) -> np.ndarray:
    """Return the probability that each voxel is inside, shape (n, m)."""
    return 0.5 + 0.5 * np.tanh(0.5 * (outline.radius(waves) - voxels.radius) / (outline.width_vx * voxels.side))


def fit_outline(voxels: Voxels, position_mm: np.ndarray, known: np.ndarray) -> Outline:
    """Return the outline with the highest likelihood of the voxels near it, nearly a bent ellipse if that explains them.

    Parameters
    ----------
    position_mm : ndarray, shape (n,)
        Position of each slice along the cord.
    known : ndarray of bool, shape (n,)
        Whether the slice has voxels.
    """
    waves = make_waves(voxels.angle)
    outline, likelihood = _fit_with(STIFF, voxels, position_mm, known, waves)
    if likelihood < -EXPLAINED * known.sum():
        outline, _ = _fit_with(FREE, voxels, position_mm, known, waves)
    return outline


def _fit_with(
    power: float, voxels: Voxels, position_mm: np.ndarray, known: np.ndarray, waves: np.ndarray
) -> tuple[Outline, float]:
    """Return the most likely outline with a prior by a power of the waves' number of periods, and its log-likelihood."""
    used = known.astype(float)
    splines, _, along = make_basis(position_mm, used, CUTOFF_MM)
    side = float(np.median(voxels.side[voxels.weight > 0]))
    order = np.concatenate([np.arange(HARMONICS + 1), np.arange(1, HARMONICS + 1)])
    sd_vx = np.where(order < 2, SHIFT_SD_VX, WAVE_SD_VX * (2 / np.maximum(order, 2)) ** power)
    penalty = along * len(used) / used.sum() / side**2, (sd_vx * side) ** -2.0
    start = np.zeros((splines.shape[1], waves.shape[-1]))
    start[:, 0] = 1
    best, best_likelihood = None, -np.inf
    outline = Outline(splines, start, WIDTHS_VX[0])
    for width in WIDTHS_VX:
        outline = replace(outline, width_vx=width)
        for _ in range(ROUNDS):
            step = _newton_step(outline, voxels, waves, penalty, outline.coefficients - start)
            moved = np.sqrt(((splines @ step) ** 2).sum(axis=1)).max() / side
            outline = replace(outline, coefficients=outline.coefficients + step * min(1, 1 / max(moved, 1e-9)))
            if moved < ENOUGH_VX:
                break
        likelihood = _log_likelihood(outline, voxels, waves)
        if width <= FIRST_USED and likelihood > best_likelihood:
            best, best_likelihood = outline, likelihood
    assert best is not None  # the last width is used
    return best, best_likelihood


def _log_likelihood(outline: Outline, voxels: Voxels, waves: np.ndarray) -> float:
    probability = np.clip(_logistic(outline, voxels, waves), 1e-7, 1 - 1e-7)
    return float((voxels.weight * np.log(np.where(voxels.inside > 0, probability, 1 - probability))).sum())


def _newton_step(outline: Outline, voxels: Voxels, waves: np.ndarray, penalty, deviation: np.ndarray) -> np.ndarray:
    """Return a step of the coefficients, in the shape of `deviation`, their difference from the prior mean."""
    probability = _logistic(outline, voxels, waves)
    slope = voxels.weight / (outline.width_vx * voxels.side)
    gradient = outline.splines.T @ np.matmul(((voxels.inside - probability) * slope)[:, None], waves)[:, 0]
    curvature = probability * (1 - probability) * slope**2
    hessian = np.matmul((waves * curvature[..., None]).swapaxes(1, 2), waves)
    along, held = penalty
    return _solve(outline.splines, hessian, gradient, along, held, deviation)


def _solve(splines, hessian, gradient, along, held, deviation) -> np.ndarray:
    """Return the Newton step of the penalized regression, shape of `deviation` (splines, waves).

    The penalty is `along`, shape (splines, splines), for each wave, and `held`, shape (waves,), for each slice. A cubic spline
    overlaps three neighbors on either side, so that in blocks of three, the matrix is block tridiagonal, and solved as such.
    """
    count, q = deviation.shape
    pull = along @ deviation + (splines.T @ (splines @ deviation)) * held
    blocks = -(-count // BLOCK)
    more = BLOCK * (blocks + 1) - count
    splines, along = np.pad(splines, ((0, 0), (0, more))), np.pad(along, ((0, more), (0, more)))
    right = np.pad(gradient - pull, ((0, more), (0, 0))).reshape(blocks + 1, BLOCK * q)
    flat = (hessian + np.diag(held)).reshape(len(hessian), q * q)
    diagonal, above = [], []
    for block in range(blocks):
        here, both = slice(BLOCK * block, BLOCK * (block + 1)), slice(BLOCK * block, BLOCK * (block + 2))
        rows = splines[:, here].any(axis=1)
        products = splines[rows][:, here, None] * splines[rows][:, None, both]
        part = (products.reshape(-1, 2 * BLOCK**2).T @ flat[rows]).reshape(BLOCK, 2 * BLOCK, q, q)
        part[:, :, np.arange(q), np.arange(q)] += along[here, both, None]
        part = part.transpose(0, 2, 1, 3).reshape(BLOCK * q, 2 * BLOCK * q)
        diagonal.append(part[:, : BLOCK * q])
        above.append(part[:, BLOCK * q :])
    unused = np.repeat(np.arange(BLOCK * blocks) >= count, q)[-BLOCK * q :]
    diagonal[-1] = diagonal[-1] + np.diag(unused.astype(float))
    for block in range(1, blocks):
        factor = np.linalg.solve(diagonal[block - 1], above[block - 1]).T
        diagonal[block] = diagonal[block] - factor @ above[block - 1]
        right[block] -= factor @ right[block - 1]
    steps = np.zeros_like(right)
    for block in range(blocks - 1, -1, -1):
        steps[block] = np.linalg.solve(diagonal[block], right[block] - above[block] @ steps[block + 1])
    return steps.reshape(-1, q)[:count]
