"""The standard error of each measure of a profile, from that of its area, of the cord's direction, and from its scatter."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spineseg_cli.morphometry.frame import CordFrame
from spineseg_cli.morphometry.uncertainty import neighborhood, scatter_sd


def standard_errors(
    values: Mapping[str, np.ndarray],
    noise: np.ndarray,
    doubt: np.ndarray,
    orientation_se: np.ndarray,
    position: np.ndarray,
    weights: np.ndarray,
    frame: CordFrame,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], float]:
    """Return the standard errors, the part of them that neighbors share, and the correlation of the rest.

    `noise`, shape (n,), is the least standard deviation of the area, mm2. That of a shape measure follows from an outline whose
    quarters err independently: a diameter's is half of the area's over itself, a ratio's about as much. `doubt`, shape (n,), mm2,
    is of the outline as a whole.
    """
    area = values["area_mm2"]
    relative, wider = noise / np.maximum(area, 1e-9), doubt / np.maximum(area, 1e-9) / 2
    depth, width = values["diameter_AP_mm"], values["diameter_RL_mm"]
    least = {
        "area_mm2": noise,
        "diameter_AP_mm": depth * relative / 2,
        "diameter_RL_mm": width * relative / 2,
        "compression_ratio": values["compression_ratio"] * relative,
    }
    common = {
        "area_mm2": np.hypot(area * frame.cosine_relative_se, doubt),
        "diameter_AP_mm": depth * np.hypot(frame.in_plane_relative_se[:, 1], wider),
        "diameter_RL_mm": width * np.hypot(frame.in_plane_relative_se[:, 0], wider),
        "compression_ratio": values["compression_ratio"] * np.hypot(*frame.in_plane_relative_se.T),
    }
    known = {
        "orientation_deg": orientation_se,
        "angle_AP_deg": frame.angles_se_deg[:, 0],
        "angle_RL_deg": frame.angles_se_deg[:, 1],
        "length_mm": values["length_mm"] * frame.cosine_relative_se,
    }
    near = neighborhood(position)
    errors, shared = dict(known), dict(known)
    correlation = 0.0
    for name in values.keys() - known.keys() - {"volume_mm3"}:
        quarter = name.startswith("area_quadrant")
        smallest = least.get(name, noise / 2 if quarter else relative / 2)
        shared[name] = common.get(name, common["area_mm2"] / 4 if quarter else np.zeros(len(area)))
        scatter, neighbors = scatter_sd(position, values[name], weights, smallest, near)
        errors[name] = np.hypot(scatter, shared[name])
        correlation = neighbors if name == "area_mm2" else correlation
    return errors, shared, correlation
