"""The globally optimal path of one point per slice."""

from __future__ import annotations

import numpy as np

# Extra cost per sample along a line, in units of the penalty, which breaks ties: far above rounding, and far below a step.
TIE = 1e-9

# Number of pairs of samples that are compared at a time.
MOST_COMPARED = 1 << 16


def best_path(heatmap: np.ndarray, penalty: float | tuple[float, float], gaps: np.ndarray | None = None) -> np.ndarray:
    """Return the path of one point per slice that maximizes the sum of the heatmap minus the penalty of its displacements.

    The optimum is global, by dynamic programming over slices as in OptiC (Gros et al., Medical Image Analysis 44:215, 2018)::

        best_0(p) = heatmap_0(p),    best_k(p) = heatmap_k(p) + max_q [best_{k-1}(q) - penalty |p - q|^2 / gap_k]

    whose maximum over q is a distance transform. Of paths with equal sums, the one with the lowest index is taken, starting from
    the last slice.

    `heatmap` has shape (nz, nx, ny), nz at least 1, with -inf in pixels that the path must avoid. `penalty`, at least 0, is
    that of a squared sample of displacement, along both axes or along x and y. `gaps`, shape (nz - 1,), 1 by default, are the
    distances from each slice to the next, above 0 and in any unit: the same displacement over twice the distance costs half,
    so that the penalty of a slant does not depend on the positions of the slices. The path is int, shape (nz, 2).

    Raises ValueError if a slice has a NaN, an infinite maximum or only -inf, or if `penalty` is not finite and at least 0.
    """
    if not np.isfinite(heatmap.max(axis=(1, 2))).all():
        raise ValueError("every slice of the heatmap needs a finite maximum and no NaN")
    gaps = np.ones(len(heatmap) - 1) if gaps is None else gaps
    cost, sources = -heatmap[0].astype(float), []
    for now, gap in zip(heatmap[1:], gaps, strict=True):
        reached, source = distance_transform(cost, np.divide(penalty, gap))
        sources.append(source)
        cost = reached - now
    path = [cost.argmin()]
    for source in reversed(sources):
        path.append(source.flat[path[-1]])
    return np.stack(np.unravel_index(path[::-1], heatmap.shape[1:]), axis=-1)


def distance_transform(cost: np.ndarray, penalty: float | tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the generalized distance transform of a slice, and the pixel at which each minimum is attained::

        value(x, y) = min over (x', y') of cost(x', y') + penalty_x (x - x')^2 + penalty_y (y - y')^2

    It is computed one axis after the other (Felzenszwalb & Huttenlocher, Theory of Computing 8:415, 2012).

    `cost`, shape (nx, ny), may hold inf, but neither -inf nor NaN. `penalty`, at least 0, is that of a squared sample, along
    both axes or along x and y. Returns the minimum at each pixel, and its index into `cost.ravel()`, int32, both of shape
    (nx, ny): the first one in a tie, and 0 for pixels that cannot be reached.

    Raises ValueError if `penalty` is negative, infinite or NaN.
    """
    penalty_x, penalty_y = np.broadcast_to(penalty, 2)
    if not (0 <= penalty_x < np.inf and 0 <= penalty_y < np.inf):
        raise ValueError(f"the displacement penalty must be at least 0 and finite; got {penalty}")
    value, from_y = _transform_lines(cost.T, penalty_y)
    value, from_x = _transform_lines(value.T, penalty_x)
    from_y = np.take_along_axis(from_y.T, from_x, axis=0)
    return value, (from_x * cost.shape[1] + from_y).astype(np.int32)


def _transform_lines(cost: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the transform along the first axis of `cost` and the indices of the minima, int, each of shape (n, lines).

    Every sample of a line is compared with every other. For lines as short as here, NumPy does this faster than the linear-time
    algorithm, which follows the lower envelope of the parabolas.
    """
    n, lines = cost.shape
    sample = np.arange(n)
    # In a tie, the first sample is taken, whatever the rounding.
    steps = penalty * ((sample[:, None] - sample) ** 2 + TIE * sample)
    source = np.empty((lines, n), np.intp)
    at_a_time = max(1, MOST_COMPARED // n**2)
    for first in range(0, lines, at_a_time):
        part = np.ascontiguousarray(cost[:, first : first + at_a_time].T)
        source[first : first + at_a_time] = (part[:, None, :] + steps).argmin(axis=2)
    source = source.T
    return np.take_along_axis(cost, source, axis=0) + penalty * (sample[:, None] - source) ** 2, source
