"""Advice for options of the Spinal Cord Toolbox that the commands here do not have."""

from __future__ import annotations

from collections.abc import Sequence

_NO_FILES_LEFT = "leave it out, since no temporary file is left"
_QC = "leave it out, since the page names each scan"
_VIEWER = "there is no viewer: draw points along the cord in one, and name their image by --file-centerline"
_WEIGHTS = "leave -m out, or name a published weights file by --custom"
_ANGLES = "leave it out, since all measures are perpendicular to the cord, and its angles are columns of the table"
_NO_MESH = "leave it out, since the only output is a mask"
_ONE_CORD = "leave it out, since the mask is one cord"
_JUNCTION = "no distance from the pontomedullary junction is measured; --levels, --discs or -z choose slices"

# By command and option, or by command, option and unsupported value.
ADVICE = {
    "seg_cord": {
        "-ofolder": "the folder is part of -o",
        "-r": _NO_FILES_LEFT,
        "-qc-dataset": _QC,
        "-igt": "compute_metrics compares masks",
        "-init": "leave it out, since the cord is searched for in every slice",
        "-init-centerline": "it is --file-centerline",
        "-init-mask": "it is --file-centerline",
        "-mesh": _NO_MESH,
        "-low-resolution-mesh": _NO_MESH,
        "-centerline-binary": "get_centerline writes the centerline",
        "-CSF": "leave it out, since the fluid is not segmented",
        "-largest": _ONE_CORD,
        "--centerline viewer": _VIEWER,
        "--centerline svm": "leave it out, since the networks find the cord without",
    },
    "seg_gm": {
        "-t": "it is --tta",
        "-r": _NO_FILES_LEFT,
        "-qc-dataset": _QC,
        "-igt": "compute_metrics compares masks",
        "-c": "leave it out, since no contrast needs to be named",
        "-largest": _ONE_CORD,
        "--model challenge": _WEIGHTS,
        "--model large": _WEIGHTS,
    },
    "get_centerline": {
        "-gap": "leave it out, since points are set in no viewer",
        "-r": _NO_FILES_LEFT,
        "-qc-dataset": _QC,
        "--method viewer": "there is no viewer: draw points along the cord in one, and give their image with --method fitseg",
    },
    "measure_cord": {
        "-r": _NO_FILES_LEFT,
        "-angle-corr": _ANGLES,
        "-angle-corr-centerline": "it is --centerline",
        "-pmj": _JUNCTION,
        "-pmj-distance": _JUNCTION,
        "-pmj-extent": _JUNCTION,
        "-normalize": "--norms compares with healthy adults",
        "-normalize-PAM50": "--norms compares with healthy adults",
        "-qc-image": "it is --image",
        "-qc-seg": _QC,
    },
    "compute_metrics": {"-d": "it is --ref", "-s": "the mask is named by -i, its reference by -r"},
}


def find_advice(command: str, names: Sequence[str], value: str | None = None) -> str:
    """Return the advice for an option, by one of its `names`, or for a `value` of it; "" if there is none."""
    known = ADVICE.get(command, {})
    keys = [name if value is None else f"{name} {value}" for name in names]
    return next((known[key] for key in keys if key in known), "")
