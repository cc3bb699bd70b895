"""The BIDS derivatives that a run writes: their names, their sidecars, and the description of the data set.

BIDS names of masks end in `_mask` and do not contain the contrast, so the names that are usual in the field are taken
(`sub-01_T2w_label-SC_seg.nii.gz`). BIDS has no names for tables of measures. `.bidsignore` lists exactly the files that BIDS
has no names for, as its validator recommends.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from spineseg_cli import __version__
from spineseg_cli.cohort.bids import Scan
from spineseg_cli.core.files import file_sha256, write_json, write_text
from spineseg_cli.core.image.file_names import is_nifti_name, stem_of
from spineseg_cli.core.provenance import sidecar_path

BIDS_VERSION = "1.10.0"

# End of the file name of each kind of derivative, after the name of the scan.
ENDINGS = {
    "centerline": "_desc-centerline.nii.gz",
    "centerline_table": "_desc-centerline.csv",
    "cord": "_label-SC_seg.nii.gz",
    "gray": "_label-GM_seg.nii.gz",
    "white": "_label-WM_seg.nii.gz",
    "measures": "_desc-morphometry.tsv",
    "measures_dictionary": "_desc-morphometry.json",
    "cord_surface_gifti": "_label-SC_surf.surf.gii",
    "gray_surface_gifti": "_label-GM_surf.surf.gii",
    "cord_surface_stl": "_label-SC_surf.stl",
    "gray_surface_stl": "_label-GM_surf.stl",
}

# Files and folders of the whole cohort.
GROUP_FILES = (
    "group_measures.tsv", "group_measures.json", "group_summary.tsv", "group_summary.json", "group_metrics_cord.tsv",
    "group_metrics_cord.json", "group_metrics_gm.tsv", "group_metrics_gm.json", "group_to_correct.txt",
)  # fmt: skip
PAGE_FOLDER = "qc"

README = """# Derivatives of spineseg

Masks of the spinal cord (`label-SC`), its gray (`label-GM`) and white matter (`label-WM`), centerlines (`desc-centerline`) and
measures along the cord (`desc-morphometry`), on the grids of the scans that they were made of. The JSON file beside each image
says from what and how it was made. `group_*.tsv` are tables of the whole cohort, with their data dictionaries; open
`qc/index.html` in a browser to look at every result.
"""


def output_path(out: Path, scan: Scan, kind: str) -> Path:
    """Return the path of a derivative of a scan; `kind` is a key of `ENDINGS`."""
    return out / scan.folder / (scan.result_stem + ENDINGS[kind])


def describe_dataset(out: Path, bids: Path) -> None:
    """Write the files that describe the derivatives as a data set: `dataset_description.json`, README and `.bidsignore`."""
    made_by = {"Name": "spineseg", "Version": __version__, "Description": "Segmentation and measures of the spinal cord"}
    content = {
        "Name": "spineseg: masks and measures of the spinal cord",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [made_by],
        "DatasetLinks": {"raw": _link(out, bids)},
    }
    write_json(out / "dataset_description.json", content)
    for name, text in (("README.md", README), (".bidsignore", ignored_names())):
        write_text(out / name, text)


def ignored_names() -> str:
    """Return the text of `.bidsignore`: a line for each kind of file that BIDS has no name for."""
    images = {ending for ending in ENDINGS.values() if is_nifti_name(ending)}
    endings = sorted({*ENDINGS.values(), *(f"{stem_of(ending)}.json" for ending in images)})
    lines = ["# Names that BIDS has no place for; they keep the scan's contrast, as in the field's other tools."]
    lines += [f"sub-*{ending}" for ending in endings]
    lines += ["# Of the whole cohort.", *(f"/{name}" for name in (*GROUP_FILES, PAGE_FOLDER))]
    return "\n".join(lines) + "\n"


def write_derivative_sidecar(image: Path, scan: Scan, sources: Iterable[Path], out: Path, details: Mapping[str, Any]) -> None:
    """Write the JSON sidecar of a derivative: its sources as BIDS URIs, their sha256, GeneratedBy, and `details`.

    It does not contain the time, the machine or the number of processes, so that equal runs write equal files.
    """
    uris = {bids_uri(path, scan.root, out): file_sha256(path) for path in sources}
    made_by = {"Name": "spineseg", "Version": __version__, "Python": platform.python_version()}
    content = {"Sources": list(uris), "SourcesSHA256": uris, "GeneratedBy": [made_by], "SpatialReference": "orig", **details}
    write_json(sidecar_path(image), content)


def bids_uri(path: Path, bids: Path, out: Path) -> str:
    """Return the BIDS URI of a file: `bids:raw:sub-01/...` in the raw data set, `bids::sub-01/...` among the derivatives."""
    for root, name in ((out, ""), (bids, "raw")):
        if path.is_relative_to(root):
            return f"bids:{name}:{path.relative_to(root).as_posix()}"
    return path.name


def _link(out: Path, bids: Path) -> str:
    """Return the path of the raw data set relative to the derivatives, so that both can be moved together."""
    try:
        return Path(os.path.relpath(bids.resolve(), out.resolve())).as_posix()
    except ValueError:  # on another drive
        return bids.resolve().as_uri()
