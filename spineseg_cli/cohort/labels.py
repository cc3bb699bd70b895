"""Masks and labels that were made or corrected by hand, in `derivatives/labels` of a BIDS folder.

Several habits of naming are read: BIDS-like ones (`..._label-SC_seg`), and those of the field's older data sets
(`..._seg-manual`, `..._gmseg-manual`, `..._labels-disc-manual`).
"""

from __future__ import annotations

from pathlib import Path

from spineseg_cli.cohort.bids import Scan
from spineseg_cli.core.image.names import is_nifti_name, stem_of

FOLDER = Path("derivatives") / "labels"

# What follows the scan's name in the name of a label, by the kind of label: the first that is there counts.
ENDINGS = {
    "cord": ("_label-SC_seg", "_label-SC_mask", "_seg"),
    "gray": ("_label-GM_seg", "_label-GM_mask", "_gmseg"),
    "centerline": ("_label-centerline", "_desc-centerline", "_centerline"),
    "discs": ("_label-discs_dlabel", "_label-disc", "_labels-disc"),
    "levels": ("_label-vertebrae_dseg", "_label-levels", "_levels"),
}


def label_path(scan: Scan, kind: str) -> Path:
    """Return where a label of a kind (a key of `ENDINGS`) goes that is yet to be made."""
    return scan.root / FOLDER / scan.folder / f"{scan.stem}{ENDINGS[kind][0]}.nii.gz"


def find_label(scan: Scan, kind: str) -> Path | None:
    """Return the label of a kind (a key of `ENDINGS`) for a scan; None if nobody has made one."""
    folder = scan.root / FOLDER / scan.folder
    if not folder.is_dir():
        return None
    names = sorted(path.name for path in folder.iterdir() if is_nifti_name(path.name) and not path.name.startswith("."))
    for ending in ENDINGS[kind]:
        for name in names:
            rest = name.removeprefix(scan.stem + ending)
            if rest != name and (rest.startswith(("-", "_")) or stem_of(rest) == ""):
                return folder / name
    return None
