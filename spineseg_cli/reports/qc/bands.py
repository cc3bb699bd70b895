"""A result compared with its cohort: percentiles of the area along the cord for each contrast, and outliers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np

# The smallest number of scans for which percentiles are computed, and of subjects with which an area is compared.
LEAST_SCANS = LEAST_SUBJECTS = 5

# Width of the bins of the distance from the top of the mask.
BIN_MM = 5.0

# The smallest standard deviation of the area, as a fraction of the median. Healthy adults differ by more (about 10 %); in a small
# cohort, some may be alike by chance.
LEAST_SPREAD = 0.05

# The number of robust standard deviations from the median beyond which an area is an outlier (Iglewicz and Hoaglin 1993).
OUTLIER_Z = 3.5
MAD_TO_SD = 1.4826

# The limits of the band, with its middle, in percent of the scans.
CENTILES = (5, 50, 95)


def area_bands(entries: Sequence[Mapping]) -> dict[str, list[list[float]]]:
    """Return rows for each contrast: distance from the top in mm, and the 5th, 50th and 95th percentile of the area in mm2.

    `entries` have "contrast", and "profile", a list of [distance from the top in mm, area in mm2].
    """
    bins: dict[str, dict[int, list[float]]] = {}
    for entry in entries:
        of_entry: dict[int, list[float]] = {}
        for distance_mm, area, *_ in entry.get("profile", ()):
            of_entry.setdefault(int(distance_mm // BIN_MM), []).append(area)
        for number, areas in of_entry.items():
            bins.setdefault(entry["contrast"], {}).setdefault(number, []).append(sum(areas) / len(areas))
    bands = {contrast: _band(areas_by_bin) for contrast, areas_by_bin in bins.items()}
    return {contrast: rows for contrast, rows in bands.items() if rows}


def _band(areas_by_bin: Mapping[int, Sequence[float]]) -> list[list[float]]:
    """Return the rows of a contrast: see `area_bands`."""
    return [
        [(number + 0.5) * BIN_MM, *(round(area, 1) for area in np.percentile(areas, CENTILES).tolist())]
        for number, areas in sorted(areas_by_bin.items())
        if len(areas) >= LEAST_SCANS
    ]


def robust_z(entries: Sequence[Mapping]) -> list[float | None]:
    """Return the distance of the area of each entry from the median of its contrast, in robust standard deviations.

    Each subject counts once, by the median of its scans, since those of one person are alike. It is None if there is no area, or
    the contrast has fewer than `LEAST_SUBJECTS` subjects; an entry whose subject is not known is a subject by itself.
    """
    groups: dict[str, dict[str, list[float]]] = {}
    for entry in entries:
        if entry.get("area_mm2") is not None:
            subject = entry.get("subject") or entry["title"]
            groups.setdefault(entry["contrast"], {}).setdefault(subject, []).append(entry["area_mm2"])
    limits = {
        contrast: _center_and_sd(list(areas.values())) for contrast, areas in groups.items() if len(areas) >= LEAST_SUBJECTS
    }
    out: list[float | None] = []
    for entry in entries:
        center, sd = limits.get(entry["contrast"], (0.0, 0.0))
        is_compared = entry.get("area_mm2") is not None and sd > 0
        out.append(round((entry["area_mm2"] - center) / sd, 2) if is_compared else None)
    return out


def _center_and_sd(areas: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return the median and the robust standard deviation over subjects, of whom `areas` has one or more values each."""
    one_each = [median(of_subject) for of_subject in areas]
    center = median(one_each)
    return center, max(MAD_TO_SD * median(abs(area - center) for area in one_each), LEAST_SPREAD * center)
