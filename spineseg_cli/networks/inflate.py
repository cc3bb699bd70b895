"""Initialization of a 3-D network with the weights of its 2-D counterpart.

Carreira, Zisserman. Quo vadis, action recognition? A new model and the Kinetics dataset. CVPR 2017 (arXiv:1705.07750).
"""

from __future__ import annotations

import numpy as np

from spineseg_cli.errors import WeightsError


def inflate_from_2d(network2d, network3d, spread: str = "center") -> None:
    """Set the weights of a 3-D network, which reads slices along its third axis, from its 2-D counterpart.

    Each 2-D kernel is spread over a 3-D kernel of `depth` slices, with weights w that sum to 1::

        W3(x, y, k) = w(k) W2(x, y)

    so that a stack of equal slices gets the 2-D prediction in every slice. All other weights are copied.

    Raises WeightsError if the networks differ in more than their dimensions, and ValueError if `spread` is something else.

    The networks have the same layers in the same order, as from `build_unet3d` with `dimensions` 2 and 3. A `spread` of
    "center" puts the kernel into the central slice; "even" spreads it over all slices, as in the paper, and predictions then
    differ near the ends of the stack because of the zero padding.
    """
    if spread not in ("center", "even"):
        raise ValueError(f"expected spread 'center' or 'even'; got {spread!r}")
    flat, solid = network2d.get_weights(), network3d.get_weights()
    inflated = [_inflate(w, v.shape[2], spread) if (w.ndim, v.ndim) == (4, 5) else w for w, v in zip(flat, solid, strict=False)]
    expected, shapes = [v.shape for v in solid], [w.shape for w in inflated]
    if len(flat) != len(solid) or expected != shapes:
        raise WeightsError(f"{network2d.name} is not the 2-D counterpart of {network3d.name}: build both with the same options")
    network3d.set_weights(inflated)


def _inflate(kernel: np.ndarray, depth: int, spread: str) -> np.ndarray:
    """Return a kernel of shape (x, y, in, out) as (x, y, depth, in, out)."""
    weights = np.full(depth, 1 / depth) if spread == "even" else np.arange(depth) == depth // 2
    return kernel[:, :, None] * weights[:, None, None].astype(kernel.dtype)
