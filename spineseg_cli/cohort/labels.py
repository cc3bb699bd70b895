"""Masks and labels that were made or corrected by hand, in `derivatives/labels` of a BIDS folder.

Several naming conventions are recognized: BIDS-like names (`..._label-SC_seg`), and those of older data sets of the field
(`..._seg-manual`, `..._gmseg-manual`, `..._labels-disc-manual`).
"""

from __future__ import annotations

from pathlib import Path

from spineseg_cli.cohort.bids import Scan
from spineseg_cli.core.image.file_names import is_nifti_name, stem_of

LABELS_FOLDER = Path("derivatives") / "labels"

# Endings of the file name of each kind of label, after the name of the scan, in order of preference.
ENDINGS = {
    "cord": ("_label-SC_seg", "_label-SC_mask", "_seg"),
    "gray": ("_label-GM_seg", "_label-GM_mask", "_gmseg"),
    "centerline": ("_label-centerline", "_desc-centerline", "_centerline"),
    "discs": ("_label-discs_dlabel", "_label-disc", "_labels-disc"),
    "levels": ("_label-vertebrae_dseg", "_label-levels", "_levels"),
}


def label_path(scan: Scan, kind: str) -> Path:
    """Return the path for a new label of a scan; `kind` is a key of `ENDINGS`."""
    return scan.root / LABELS_FOLDER / scan.folder / f"{scan.stem}{ENDINGS[kind][0]}.nii.gz"


def find_label(scan: Scan, kind: str) -> Path | None:
    """Return the path of the label of a scan, or None if there is none; `kind` is a key of `ENDINGS`."""
    folder = scan.root / LABELS_FOLDER / scan.folder
    if not folder.is_dir():
        return None
    names = sorted(path.name for path in folder.iterdir() if is_nifti_name(path.name) and not path.name.startswith("."))
    return next((folder / name for ending in ENDINGS[kind] for name in names if _has_ending(name, scan, ending)), None)


def is_label_of(name: str, scan: Scan, kind: str) -> bool:
    """Return whether a file name is that of a label of a scan; `kind` is a key of `ENDINGS`."""
    return any(_has_ending(name, scan, ending) for ending in ENDINGS[kind])


def _has_ending(name: str, scan: Scan, ending: str) -> bool:
    rest = name.removeprefix(scan.stem + ending)
    return rest != name and (rest.startswith(("-", "_")) or stem_of(rest) == "")
