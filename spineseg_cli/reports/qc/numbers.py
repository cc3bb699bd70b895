"""The numbers in an entry of a report, which the page shows beside the pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli.core.image.orientation import to_rpi, view_in_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.tables import read_rows

# The largest number of points of a profile.
PROFILE_POINTS = 60


def confidence_points(mask: Volume, confidence: Mapping[str, Any]) -> list[list[float]]:
    """Return [number of the slice from below, confidence] for each slice with a mask."""
    inside = view_in_rpi(mask.data, mask) > 0.5
    return [[int(k), confidence["Slices"][k]] for k in np.flatnonzero(inside.any(axis=(0, 1)))]


def mean_area_mm2(masks: Mapping[str, Volume]) -> float | None:
    """Return the mean area in mm2 of the cord in the axial slices that contain it, None without a cord."""
    if "cord" not in masks:
        return None
    cord = to_rpi(masks["cord"])
    counts = (cord.data > 0.5).sum(axis=(0, 1))
    return round(float(counts[counts > 0].mean() * np.prod(cord.spacing_mm[:2])), 1) if counts.any() else None


def read_measures(table: Path | None) -> dict[str, Any]:
    """Return the parts of a table of measures for the page: the row of the whole cord, the mean area, the area along the cord."""
    nothing: dict[str, Any] = {"whole": {}, "area_mm2": None, "profile": []}
    if table is None or not table.is_file():
        return nothing
    rows = read_rows(table)
    whole = next((row for row in rows if row["scope"] == "whole" and row["area_mm2"]), None)
    if whole is None:
        return nothing
    slices = [row for row in rows if row["scope"] == "slice" and row["area_mm2"]]
    step = max(1, -(-len(slices) // PROFILE_POINTS))
    profile = [[float(row["distance_from_top_mm"]), float(row["area_mm2"]), row["level"]] for row in slices[::step]]
    shown = {name: value for name, value in whole.items() if value and not name.endswith(("_se", "_sd"))}
    return {"whole": shown, "area_mm2": float(whole["area_mm2"]), "profile": profile}
