"""What a task's results are measured by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spineseg_cli.metrics.agreement import METRICS
from spineseg_cli.metrics.path import PATH_METRICS


@dataclass(frozen=True)
class Measures:
    """What results are measured by.

    Parameters
    ----------
    names : tuple of str
        Columns of the tables of metrics.
    boxes : tuple of str
        Those that are shown as box plots.
    decisive : mapping of str to (str, bool)
        Those that the verdict is on, the first the most: what each is called, and whether less of it is better.
    """

    names: tuple[str, ...]
    boxes: tuple[str, ...]
    decisive: Mapping[str, tuple[str, bool]]


# The box plots are of the measures of the published studies.
OF_MASKS = Measures(
    METRICS,
    ("DSC", "JI", "CC_pct", "MSD_mm", "HSD_mm", "TPR_pct", "TNR_pct", "PPV_pct"),
    {"DSC": ("Dice", False)},
)
OF_PATHS = Measures(
    PATH_METRICS,
    PATH_METRICS,
    {"inside_pct": ("share of slices with the path in the cord (%)", False), "median_mm": ("median distance (mm)", True)},
)
