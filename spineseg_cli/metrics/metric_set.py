"""The metrics by which the results of a task are evaluated; help texts load this module, so it imports no library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Names end in the units.
METRICS = (
    "DSC", "JI", "CC_pct", "MSD_mm", "HSD_mm", "HD95_mm", "SHD_mm", "SMD_mm", "TPR_pct", "TNR_pct", "PPV_pct", "ACC_pct",
    "MCC", "VD_mm3", "VD_pct", "prediction_mm3", "reference_mm3",
)  # fmt: skip
PATH_METRICS = ("median_mm", "max_mm", "found_pct", "inside_pct")


@dataclass(frozen=True)
class Criterion:
    """A metric that results are judged by."""

    label: str  # its name in reports
    lower_is_better: bool = False  # whether a lower value is the better one


@dataclass(frozen=True)
class MetricSet:
    """The metrics of a kind of result."""

    columns: tuple[str, ...]  # the columns of its tables
    plotted: tuple[str, ...]  # the columns that are shown as box plots
    criteria: Mapping[str, Criterion]  # the columns that a verdict is based on, the primary one first

    @property
    def primary(self) -> str:
        """The column that counts the most."""
        return next(iter(self.criteria))


# The plotted metrics are those of the published studies.
MASK_METRICS = MetricSet(
    columns=METRICS,
    plotted=("DSC", "JI", "CC_pct", "MSD_mm", "HSD_mm", "TPR_pct", "TNR_pct", "PPV_pct"),
    criteria={"DSC": Criterion("Dice")},
)
CENTERLINE_METRICS = MetricSet(
    columns=PATH_METRICS,
    plotted=PATH_METRICS,
    criteria={
        "inside_pct": Criterion("share of slices with the path in the cord (%)"),
        "median_mm": Criterion("median distance (mm)", lower_is_better=True),
    },
)
