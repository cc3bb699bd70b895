"""Where in a long voxel the part lies that the cord fills, for soft masks of sagittal or coronal slices.

The fraction of a voxel of 4 mm, a third of the cord's width, is how much of it is cord, but not where in it. A bent ellipse that
is fitted to the fractions of an axial slice tells where. Of sections of other shapes, the fractions keep their weight; only the
places within the voxels are those of the ellipse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spineseg_cli.morphometry.uncertainty import FRACTION_SD

# Ratio of in-plane voxel sizes from which a scan was acquired in slices of another plane.
COARSE = 2.0

# Number of chords from back to front whose mean is the fraction of a voxel, if the voxel is long from right to left, and if not.
CHORDS_LONG, CHORDS_SHORT = 16, 4

# Rounds of the fit (Levenberg, Quarterly of Applied Mathematics 2:164, 1944; Marquardt, SIAM Journal 11:431, 1963), its first
# damping, and the factors by which this changes after a good and a bad step.
ROUNDS = 4
DAMPING, BETTER, WORSE = 1e-3, 0.2, 10.0

# Prior standard deviation of how far a section differs from a bent ellipse: by a twist (voxels) and a skew, as of a bean that is
# rolled about the cord's axis, and by being more square.
TWIST_SD_VX, SKEW_SD, SQUARE_SD = 0.1, 0.1, 0.1

# Largest step of the logarithm of the half-axes, and the least half-axis, in voxels.
MOST_GROWTH, LEAST_AXIS_VX = 0.5, 0.1

# Least ratio of a chord to that of the ellipse.
LEAST_RATIO = 0.1

# Least height of a chord, in units of the middle one, for its slope, which is infinite at the ends of the ellipse.
LEAST_HEIGHT = 0.05

# Least fraction at which a voxel is in the ellipse.
LEAST_FRACTION = 1e-6

# Number of slices that are fitted at once; more exceed the CPU's caches.
SLICES_AT_ONCE = 64

# Number of parameters of a bent ellipse, and the weight of each one's prior in the fit; the last term avoids a singular matrix.
COUNT = 9
PRIOR = FRACTION_SD**2 / np.array([np.inf] * 6 + [TWIST_SD_VX, SKEW_SD, SQUARE_SD]) ** 2 + 1e-9


def is_coarse(sides_mm: np.ndarray) -> np.ndarray:
    """Return, for each axis of the plane, whether voxels with these sides, shape (2,), are more than `COARSE` times as long."""
    return sides_mm > COARSE * sides_mm[::-1]


def place_parts(fractions: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the filled part of each voxel lies along its long axis, and how far it extends.

    Parameters
    ----------
    fractions : ndarray, shape (nx, ny, n)
        Share of each voxel that is cord.
    axis : {0, 1}
        The long axis: 0 in sagittal slices, 1 in coronal ones.

    Returns
    -------
    lean, variance : ndarray, shape (nx, ny, n)
        Distance of the part's center from that of the voxel, and variance of its points about their center, in voxels and their
        square. Voxels beyond the ellipse are assumed to be filled from the side of their fuller neighbor.
    """
    lean, variance = _against_fuller(fractions, axis)
    for first in range(0, fractions.shape[2], SLICES_AT_ONCE):
        some = slice(first, first + SLICES_AT_ONCE)
        ellipses = _fit(fractions[:, :, some], axis, lean[:, :, some], variance[:, :, some])
        share, first_moment, second_moment = ellipses.moments(axis)
        inside = share > LEAST_FRACTION
        center = first_moment[inside] / share[inside]
        lean[:, :, some][inside] = center
        variance[:, :, some][inside] = np.maximum(second_moment[inside] / share[inside] - center**2, 0)
    return lean, variance


def _against_fuller(fractions: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return lean and variance of parts that lie next to the voxel's fuller neighbor, and are as wide as the voxel."""
    padded = np.pad(fractions, [(1, 1) if i == axis else (0, 0) for i in range(3)])
    count = fractions.shape[axis]
    before, after = padded.take(np.arange(count), axis), padded.take(np.arange(2, count + 2), axis)
    return np.sign(after - before) * (1 - fractions) / 2, fractions**2 / 12


@dataclass(frozen=True)
class _Ellipses:
    """Bent ellipses in n slices, as chords from back to front, in voxels.

    At a distance t from the center, in half-axes along x, the middle of a chord lies at y + shear t + bend (t^2 - 1/4) + twist
    (t^3 - t/2), and its half-length is that of an ellipse times 1 + skew t + square t^2.

    Attributes
    ----------
    parameters : ndarray, shape (COUNT, n)
        Center along x and y, logarithms of the half-axis along x and of half the middle chord; shear, bend, twist, skew, square.
    shape : (int, int)
        Voxels of a slice along x and y.
    chords : int
        Number of chords in a voxel.
    """

    parameters: np.ndarray
    shape: tuple[int, int]
    chords: int

    def distances(self) -> np.ndarray:
        """Return the chords' distances t from the center, shape (nx chords, n)."""
        x_vx = (np.arange(self.shape[0] * self.chords) + 0.5) / self.chords - 0.5
        return (x_vx[:, None] - self.parameters[0]) / np.exp(self.parameters[2])

    def halves(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the middle and the half-length of each chord, shape (nx chords, n)."""
        _, y, _, log_b, shear, bend, twist, skew, square = self.parameters
        t = self.distances()
        half = np.exp(log_b) * np.sqrt(np.maximum(1 - t**2, 0)) * np.maximum(1 + skew * t + square * t**2, LEAST_RATIO)
        return y + shear * t + bend * (t**2 - 0.25) + twist * (t**3 - t / 2), half

    def parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of each chord in each voxel, from the voxel's center, shape (nx, chords, ny, n)."""
        middle, half = self.halves()
        centers = np.arange(self.shape[1])[:, None]
        shape = (self.shape[0], self.chords, self.shape[1], -1)
        low, high = (np.clip(end[:, None] - centers, -0.5, 0.5) for end in (middle - half, middle + half))
        return low.reshape(shape), high.reshape(shape)

    def fractions(self) -> np.ndarray:
        """Return the share of each voxel in the ellipse, shape (nx, ny, n)."""
        low, high = self.parts()
        return (high - low).mean(axis=1)

    def moments(self, axis: int) -> tuple[np.ndarray, ...]:
        """Return the fractions, and the integrals of the distance from the voxel's center along an axis and of its square."""
        low, high = self.parts()
        if axis == 1:
            return tuple((high**power - low**power).mean(axis=1) / power for power in (1, 2, 3))
        across = ((np.arange(self.chords) + 0.5) / self.chords - 0.5)[:, None, None]
        return tuple(((high - low) * across**power).mean(axis=1) for power in (0, 1, 2))

    def derivatives(self) -> np.ndarray:
        """Return the change of the fractions with each parameter, shape (COUNT, nx ny, n): that of the voxels at chords' ends."""
        _, _, log_a, log_b, shear, bend, twist, skew, square = self.parameters
        t, a, b = self.distances(), np.exp(log_a), np.exp(log_b)
        middle, half = self.halves()
        height = np.sqrt(np.maximum(1 - t**2, LEAST_HEIGHT**2))
        nothing, one = np.zeros_like(t), np.ones_like(t)
        middle_slope = shear + 2 * bend * t + twist * (3 * t**2 - 0.5)
        half_slope = b * ((skew + 2 * square * t) * height - (1 + skew * t + square * t**2) * t / height)
        of_middle = -middle_slope / a, one, -middle_slope * t, nothing, t, t**2 - 0.25, t**3 - t / 2, nothing, nothing
        of_half = -half_slope / a, nothing, -half_slope * t, half, nothing, nothing, nothing, b * height * t, b * height * t**2
        nx, ny, n = *self.shape, len(log_a)
        column = np.arange(nx).repeat(self.chords)[:, None] * ny
        out = np.zeros((COUNT, nx * ny * n))
        for sign in (1, -1):
            row = np.floor(middle + sign * half + 0.5).astype(int)
            used = (row >= 0) & (row < ny) & (half > 0)
            index = ((column + row) * n + np.arange(n))[used]
            for change, middle_change, half_change in zip(out, of_middle, of_half, strict=True):
                change += np.bincount(index, (sign * middle_change + half_change)[used], len(change)) / self.chords
        return out.reshape(COUNT, nx * ny, n)


def _fit(fractions: np.ndarray, axis: int, lean: np.ndarray, variance: np.ndarray) -> _Ellipses:
    """Return the bent ellipses with the least squared differences from the fractions, starting from moments of the parts."""
    nx, ny, n = fractions.shape
    start = _start(fractions, axis, lean, variance)
    ellipses = _Ellipses(start, (nx, ny), CHORDS_LONG if axis == 0 else CHORDS_SHORT)
    left = fractions - ellipses.fractions()
    damping = np.full(n, DAMPING)
    for _ in range(ROUNDS):
        slopes = ellipses.derivatives()
        normal = np.einsum("acn,bcn->nab", slopes, slopes, optimize=True)
        normal += np.eye(COUNT) * (damping[:, None] * np.einsum("naa->na", normal) + PRIOR)[:, None, :]
        right = np.einsum("acn,cn->na", slopes, left.reshape(-1, n), optimize=True) - PRIOR * ellipses.parameters.T
        step = np.linalg.solve(normal, right[..., None])[..., 0].T
        step[2:4] = np.clip(step[2:4], -MOST_GROWTH, MOST_GROWTH)
        moved = ellipses.parameters + step
        moved[2:4] = np.maximum(moved[2:4], np.log(LEAST_AXIS_VX))
        other = replace(ellipses, parameters=moved)
        other_left = fractions - other.fractions()
        better = _loss(other, other_left) < _loss(ellipses, left)
        ellipses = replace(ellipses, parameters=np.where(better, moved, ellipses.parameters))
        left = np.where(better, other_left, left)
        damping *= np.where(better, BETTER, WORSE)
    return ellipses


def _loss(ellipses: _Ellipses, left: np.ndarray) -> np.ndarray:
    return (left**2).sum(axis=(0, 1)) + PRIOR @ ellipses.parameters**2


def _start(fractions: np.ndarray, axis: int, lean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return the parameters of bent ellipses with the moments of parts at these places, shape (COUNT, n)."""
    total = np.maximum(fractions.sum(axis=(0, 1)), LEAST_FRACTION)

    def mean(values: np.ndarray) -> np.ndarray:
        return (fractions * values).sum(axis=(0, 1)) / total

    leans, variances = ((part, 0) if axis == 0 else (0, part) for part in (lean, variance))
    x, y = np.arange(fractions.shape[0])[:, None, None] + leans[0], np.arange(fractions.shape[1])[:, None] + leans[1]
    center = mean(x), mean(y)
    x, y = x - center[0], y - center[1]
    square = x**2 + variances[0]
    least = (LEAST_AXIS_VX / 2) ** 2
    wide = np.maximum(mean(square), least)
    shear, bend = mean(x * y) / wide, mean(y * square) / wide**2
    deep = np.maximum(mean(y**2 + variances[1]) - shear**2 * wide - (bend * wide) ** 2, least)
    a, b, nothing = 2 * np.sqrt(wide), 2 * np.sqrt(deep), np.zeros_like(wide)
    return np.stack([*center, np.log(a), np.log(b), shear * a, bend * a**2, nothing, nothing, nothing])
