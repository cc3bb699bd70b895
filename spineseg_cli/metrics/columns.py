"""What the columns of a table of metrics mean, as a BIDS data dictionary."""

from __future__ import annotations

from spineseg_cli.metrics.table import COLUMNS

MEANING: dict[str, tuple[str, str]] = {
    "level": ("volume: of whole masks; slice: of one axial slice", ""),
    "statistic": ("value: of one mask; else a statistic of all masks, or how many values are undefined or infinite", ""),
    "prediction": ("The mask that is judged", ""),
    "reference": ("The mask that it is compared with", ""),
    "rater": ("Which of the references: 1 for the first, majority for the majority of all", ""),
    "slice": ("Axial slice, 0 for the most inferior", ""),
    "DSC": ("Dice similarity coefficient", ""),
    "JI": ("Jaccard index", ""),
    "CC_pct": ("Conformity coefficient, which may be negative", "%"),
    "MSD_mm": ("Mean distance of the two surfaces, both ways", "mm"),
    "HSD_mm": ("Hausdorff distance of the surfaces: the largest", "mm"),
    "HD95_mm": ("95th percentile of the distances of the surfaces", "mm"),
    "SHD_mm": ("Hausdorff distance of the skeletons", "mm"),
    "SMD_mm": ("Median distance of the skeletons", "mm"),
    "TPR_pct": ("True positive rate: share of the reference that is in the mask", "%"),
    "TNR_pct": ("True negative rate: share of what is outside the reference that is outside the mask", "%"),
    "PPV_pct": ("Positive predictive value: share of the mask that is in the reference", "%"),
    "ACC_pct": ("Accuracy: share of all voxels on which the two agree", "%"),
    "MCC": ("Matthews correlation coefficient", ""),
    "VD_mm3": ("Volume of the mask less that of the reference", "mm^3"),
    "VD_pct": ("The same, in percent of the reference", "%"),
    "prediction_mm3": ("Volume of the mask", "mm^3"),
    "reference_mm3": ("Volume of the reference", "mm^3"),
}


def data_dictionary() -> dict[str, dict[str, str]]:
    """Return `{name: {"Description": ..., "Units": ...}}` for each column of `table.COLUMNS`."""
    meanings = {name: MEANING[name] for name in COLUMNS}
    return {name: {"Description": said} | ({"Units": units} if units else {}) for name, (said, units) in meanings.items()}
