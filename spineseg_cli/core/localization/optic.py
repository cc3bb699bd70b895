"""The globally optimal path of one point a slice, in time linear in the pixels, whatever the field of view."""

from __future__ import annotations

import numpy as np

# Two parabolas that meet this close to a sample, in samples, meet on it: rounding must not decide a tie.
TIE = 1e-9


def best_path(heatmap: np.ndarray, penalty: float | tuple[float, float], gaps: np.ndarray | None = None) -> np.ndarray:
    """Return the path of one point a slice that maximizes the sum of heatmap minus the penalty of its displacements.

    The optimum is global, by dynamic programming over slices as in OptiC (Gros et al., Medical Image Analysis 44:215, 2018)::

        best_0(p) = heatmap_0(p),    best_k(p) = heatmap_k(p) + max_q [best_{k-1}(q) - penalty |p - q|^2 / gap_k]

    whose maximum over q is a distance transform. Of paths worth the same, the one with the lowest index, from the last slice on.

    Parameters
    ----------
    heatmap : ndarray, shape (nz, nx, ny)
        nz is at least 1. A pixel that the path must not take has -inf.
    penalty : float or pair of float
        Per squared sample of displacement, along both axes or along x and y; at least 0.
    gaps : ndarray, shape (nz - 1,), optional
        Distance from each slice to the next, in any unit, above 0. A step over twice the distance costs half, so that the
        penalty of a slant does not depend on where slices lie. 1 by default.

    Returns
    -------
    ndarray of int, shape (nz, 2)

    Raises
    ------
    ValueError
        If a slice has a NaN, an infinite maximum or no pixel left to take, or if `penalty` is not at least 0 and finite.
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
    """Return the generalized distance transform of a slice, and the pixel that each pixel's minimum comes from::

        value(x, y) = min over (x', y') of cost(x', y') + penalty_x (x - x')^2 + penalty_y (y - y')^2

    One axis after the other (Felzenszwalb & Huttenlocher, Theory of Computing 8:415, 2012).

    Parameters
    ----------
    cost : ndarray, shape (nx, ny), float
        May hold inf, but neither -inf nor NaN.
    penalty : float or pair of float
        Per squared sample, along both axes or along x and y; at least 0.

    Returns
    -------
    value : ndarray, shape (nx, ny), float
    source : ndarray, shape (nx, ny), int32
        Index into `cost.ravel()`; of pixels that give the same value, the first. Pixels that cannot be reached have 0.

    Raises
    ------
    ValueError
        If `penalty` is negative, infinite or NaN.
    """
    penalty_x, penalty_y = np.broadcast_to(penalty, 2)
    if not (0 <= penalty_x < np.inf and 0 <= penalty_y < np.inf):
        raise ValueError(f"the displacement penalty must be at least 0 and finite; got {penalty}")
    value, from_y = _transform_lines(cost.T, penalty_y)
    value, from_x = _transform_lines(value.T, penalty_x)
    from_y = np.take_along_axis(from_y.T, from_x, axis=0)
    return value, (from_x * cost.shape[1] + from_y).astype(np.int32)


def _transform_lines(cost: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the transform along the first axis of `cost`, shape (n, lines), and where it comes from, shape (n, lines), int.

    Each sample q carries the parabola cost(q) + penalty (x - q)^2, and the transform is their lower envelope. It is kept as a
    stack a line: parabolas from left to right, and the first sample at which each is the lowest. In every round each line
    either takes its topmost parabola off the stack or moves on to its next sample, so that 2n rounds are enough.
    """
    n, lines = cost.shape
    column = np.arange(lines)
    x = np.arange(n + 2)[:, None]  # from 1 to n; infinite parabolas at 0 and n + 1 end the stack below and the line
    lifted = np.full((n + 2, lines), np.inf)
    lifted[1:-1] = cost + penalty * x[1:-1] ** 2
    parabola = np.zeros((n + 1, lines), int)
    first = np.zeros((n + 1, lines))
    top = np.zeros(lines, int)
    q = np.ones(lines, int)
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(2 * n):
            under = parabola[top, column]
            meet = (lifted[q, column] - lifted[under, column]) / (2 * penalty * (q - under))
            start = np.maximum(np.floor(meet + TIE) + 1, 1)  # NaN, which is never put on the stack, for two infinite ones
            hidden = start <= first[top, column]
            top -= hidden
            on = np.flatnonzero(~hidden & (start <= n))
            top[on] += 1
            parabola[top[on], on], first[top[on], on] = q[on], start[on]
            q = np.minimum(q + ~hidden, n + 1)
            if (q > n).all():
                break
    source = np.zeros((n + 1, lines), int)
    kept = np.arange(n + 1)[:, None] <= top
    source[first[kept].astype(int), np.broadcast_to(column, kept.shape)[kept]] = parabola[kept]
    source = np.maximum(np.maximum.accumulate(source[1:], axis=0) - 1, 0)
    return np.take_along_axis(cost, source, axis=0) + penalty * (x[:n] - source) ** 2, source
