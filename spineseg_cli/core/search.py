"""Finding the cord with a network that predicts it in small windows: a grid of windows, then one path through the slices."""

from __future__ import annotations

import itertools

import numpy as np
from scipy import ndimage

from spineseg_cli.core.inference import Runtime
from spineseg_cli.core.preprocessing import Preprocessing
from spineseg_cli.core.volume import Volume

# Windows reach this far from the image's centre; a cord further out needs a centerline.
REACH_MM = 35.0

# Distance of neighbouring windows' centres, at most, as a share of their side.
STRIDE = 0.75

# The cord is looked for in at most this many slices, and interpolated between them.
SLICES = 12

# The heat map: cord probability pooled over this many samples a side, then blurred over about the cord's own radius.
POOL = 4
HEAT_SIGMA_MM = 3.0

# Price of a step of 1 mm between neighbouring samples, in units of heat: a cord bends by a few millimetres a slice.
STEP_PRICE = 0.002

# A slice with less heat than this on the path is without cord (brain, cauda equina, or beyond the coil), and a scan whose other
# slices have less than this on average is without any. Cords have 0.5 to 0.8, noise less than 0.1.
LEAST_SLICE_HEAT = 0.2
LEAST_HEAT = 0.35


def search_cord(scan: Volume, steps: Preprocessing, runtime: Runtime, channel: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the rough centre of the cord in each axial slice of an RPI scan, and the slices that have one.

    Parameters
    ----------
    scan : Volume
        Shape (nx, ny, nz).
    steps : Preprocessing
        Of the network in `runtime`.
    runtime : Runtime
    channel : int
        The network's cord channel.

    Returns
    -------
    (centres_vx, slices) or None
        Voxel coordinates along x and y, shape (nz, 2), and indices of the slices with cord; None if no cord was found.
    """
    looked_at = np.unique(np.linspace(0, scan.shape[2] - 1, min(SLICES, scan.shape[2])).round().astype(int))
    heat = _heat_map(Volume(scan.data[:, :, looked_at], scan.affine), steps, runtime, channel)
    cell_mm = POOL * steps.spacing_mm
    heat = ndimage.gaussian_filter(heat, (0, HEAT_SIGMA_MM / cell_mm, HEAT_SIGMA_MM / cell_mm))
    if not heat.any():
        return None
    reached = [np.flatnonzero(heat.any(axis=axes)) for axes in ((0, 2), (0, 1))]
    x, y = (slice(cells[0], cells[-1] + 1) for cells in reached)
    path = best_path(heat[:, x, y], STEP_PRICE * cell_mm**2) + (x.start, y.start)
    slices = np.arange(scan.shape[2])
    on_path = np.interp(slices, looked_at, [heat[k, x, y] for k, (x, y) in enumerate(path)])
    with_cord = np.flatnonzero(on_path >= LEAST_SLICE_HEAT)
    if len(with_cord) == 0 or on_path[with_cord].mean() < LEAST_HEAT:
        return None
    native = (path + 0.5) * cell_mm / np.array(scan.spacing_mm[:2]) - 0.5
    return np.stack([np.interp(slices, looked_at, native[:, axis]) for axis in (0, 1)], axis=-1), with_cord


def best_path(heat: np.ndarray, price: float) -> np.ndarray:
    """Return the path of one point a slice that maximises the sum of heat minus `price` times the sum of squared steps.

    The optimum is global, by dynamic programming over slices as in OptiC (Gros et al., Medical Image Analysis 44:215, 2018); the
    minimum over all steps is separable in x and y.

    Parameters
    ----------
    heat : ndarray, shape (nz, nx, ny)
    price : float
        Per squared sample of displacement.

    Returns
    -------
    ndarray of int, shape (nz, 2)
    """
    steps = [price * (np.arange(n)[:, None] - np.arange(n)[None, :]) ** 2 for n in heat.shape[1:]]
    best, came_x, came_y = -heat[0], [], []
    for now in heat[1:]:
        over_y = best[:, None, :] + steps[1][None]  # (x, y now, y before)
        from_y = over_y.argmin(axis=2)
        over_x = over_y.min(axis=2).T[:, None, :] + steps[0][None]  # (y now, x now, x before)
        came_x.append(over_x.argmin(axis=2).T)
        came_y.append(from_y)
        best = over_x.min(axis=2).T - now
    x, y = np.unravel_index(best.argmin(), best.shape)
    path = [(x, y)]
    for from_x, from_y in zip(reversed(came_x), reversed(came_y), strict=True):
        x = from_x[x, y]
        y = from_y[x, y]
        path.append((x, y))
    return np.array(path[::-1])


def _heat_map(scan: Volume, steps: Preprocessing, runtime: Runtime, channel: int) -> np.ndarray:
    """Return the highest mean probability of cord that any window gives each cell of `POOL` samples, shape (nz, cx, cy)."""
    slices = range(scan.shape[2])
    side_mm = steps.window * steps.spacing_mm
    centres = []
    for n, spacing in zip(scan.shape[:2], scan.spacing_mm[:2], strict=True):
        reach_mm = max(min(REACH_MM, n * spacing / 2) - side_mm / 2, 0)
        count = int(np.ceil(reach_mm / (STRIDE * side_mm)))
        centres.append((n - 1) / 2 + np.linspace(-reach_mm, reach_mm, 2 * count + 1) / spacing)
    heat = None
    for centre in itertools.product(*centres):
        windows = steps.windows(scan, np.tile(centre, (scan.shape[2], 1)))
        inputs = steps.standardise(windows.extract(scan.data, slices), windows.inside(slices))
        whole = steps.window // POOL * POOL
        cord = runtime.predict(inputs)[:, :whole, :whole, channel]
        cells = cord.reshape(len(cord), cord.shape[1] // POOL, POOL, cord.shape[2] // POOL, POOL).mean(axis=(2, 4))
        if heat is None:
            heat = np.zeros((scan.shape[2], *(-(-n // POOL) for n in windows.fine_shape)), np.float32)
        x, y = (windows.starts[0] + POOL // 2) // POOL
        into, taken = zip(
            *(_overlap(start, n, size) for start, n, size in zip((x, y), cells.shape[1:], heat.shape[1:], strict=True)),
            strict=True,
        )
        target = heat[:, into[0], into[1]]
        np.maximum(target, cells[:, taken[0], taken[1]], out=target)
    return heat


def _overlap(start: int, length: int, size: int) -> tuple[slice, slice]:
    """Return the part of [start, start + length) inside [0, size), seen from there and from `start`."""
    first, last = max(start, 0), min(start + length, size)
    return slice(first, last), slice(first - start, last - start)
