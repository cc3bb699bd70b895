"""The names of the metrics, which end in their units. It imports nothing, so that help texts load quickly."""

from __future__ import annotations

METRICS = (
    "DSC", "JI", "CC_pct", "MSD_mm", "HSD_mm", "HD95_mm", "SHD_mm", "SMD_mm", "TPR_pct", "TNR_pct", "PPV_pct", "ACC_pct",
    "MCC", "VD_mm3", "VD_pct", "prediction_mm3", "reference_mm3",
)  # fmt: skip

PATH_METRICS = ("median_mm", "max_mm", "found_pct", "inside_pct")
