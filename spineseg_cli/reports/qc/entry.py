"""Writing an entry of the page: the pictures and the numbers of one result, see `reports.qc`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli import __version__
from spineseg_cli.core.extras import is_installed
from spineseg_cli.core.file_checks import check_writable
from spineseg_cli.core.files import atomic_path, read_json, write_json
from spineseg_cli.core.image.file_names import stem_of
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.reports.pictures.encoding import encode_gray, encode_overlay
from spineseg_cli.reports.pictures.scan import COLORS, OTHER_COLOR, axial_mosaic, sagittal_picture
from spineseg_cli.reports.qc.doubt import Doubt, judge
from spineseg_cli.reports.qc.numbers import confidence_points, mean_area_mm2, read_measures
from spineseg_cli.reports.qc.page import ScanInfo, write_page
from spineseg_cli.reports.qc.reading import FORM
from spineseg_cli.reports.qc.volume_3d import volume_3d

VIEWS = {"axial": axial_mosaic, "sagittal": sagittal_picture}

# The largest number of bytes of the picture of each view, and of other pictures.
PICTURE_BYTES = {"axial": 40_000, "sagittal": 18_000}
OTHER_PICTURE_BYTES = 20_000

# What follows the contrast in the name of a mask: sub-01_T2w_seg, sub-01_T2w_label-SC_seg.
MASK_SUFFIX = re.compile(r"(_label-[A-Za-z0-9]+)?_([a-z]*seg|mask|centerline)(-manual)?$")


@dataclass(frozen=True)
class Result:
    """A result that the page shows."""

    image: Volume
    masks: Mapping[str, Volume]  # masks on the grid of `image`, possibly empty; the last is drawn on top
    details: Mapping[str, Any]  # further information, as JSON values
    views: Sequence[str] = ("axial",)  # keys of `VIEWS`
    figures: Mapping[str, np.ndarray] = field(default_factory=dict)  # RGB pixels, uint8, of further pictures, by their names
    # The confidence of the masks that have one, by their names, as `Confidence.details` returns it.
    confidences: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    table: Path | None = None  # a table of `measure_cord`, which is compared with the cohort


def check_folder(folder: Path) -> None:
    """Raise InputError if a report cannot be written to `folder`, which need not exist yet. Nothing is written."""
    for path in (folder / "index.html", folder / "entries" / "entry.json"):
        check_writable(path)


def add_entry(folder: Path, title: str, command: str, result: Result, date: str = "", subject: str = "") -> Path:
    """Add a result to the report in `folder`, or replace the entry of the same scan and command; return the page's path.

    Subject, session and contrast are read from the path of the scan or its mask, `title`; a `subject`, such as "01", "sub-01" or
    "sub-01/ses-2", has precedence. Raises what `write_entry` raises.
    """
    entities = _entities(Path(title).name) | (_entities(subject) or ({"sub": subject} if subject else {}))
    contrast = MASK_SUFFIX.sub("", stem_of(Path(title).name)).split("_")[-1] if entities else ""
    scan = ScanInfo(title, entities.get("sub", ""), entities.get("ses", ""), contrast, date)
    write_entry(folder, _name(title, command), scan, command, result)
    return write_page(folder)


def write_entry(
    folder: Path, name: str, scan: ScanInfo, command: str, result: Result, *, with_3d: bool = True
) -> tuple[tuple[Path, ...], Doubt]:
    """Write the files of an entry, and return them, and the doubt about the result. The page is written by `page.write_page`.

    Raises InputError if `folder` cannot be written to, and GridMismatchError if a mask is on another grid than the image.

    `folder` is created if it does not exist. `name` is unique in the report; its parts between slashes become folders.
    `command` is the command line, or "spineseg" for a cohort. `with_3d` adds a 3-D view, which needs scikit-image.
    """
    masks = result.masks
    details = {key: value for key, value in result.details.items() if key != "Confidence"}
    measures = read_measures(result.table)
    confidences = {key: confidence_points(masks[key], value) for key, value in result.confidences.items() if key in masks}
    on_demand = {  # what the page loads when the entry is chosen
        "details": details,
        "measures": measures["whole"],
        "profile": measures["profile"],
        "confidences": confidences,
        "volume": volume_3d(result.image, masks) if with_3d and is_installed("skimage") else None,
    }
    files = _pictures(name, result)
    files[f"{name}.js"] = f"showDetails({json.dumps(name)}, {json.dumps(on_demand)});\n".encode()
    doubt = judge(masks, [str(note) for note in details.get("Notes", ())], result.confidences)
    entry = {
        "form": FORM,
        "name": name,
        "title": scan.title,
        "command": command,
        "version": __version__,
        "date": scan.date,
        "subject": scan.subject,
        "session": scan.session,
        "contrast": scan.contrast,
        "step": command.split(" ")[0],
        "state": "done" if any(mask.data.any() for mask in masks.values()) else "empty",
        "area_mm2": measures["area_mm2"] if measures["area_mm2"] is not None else mean_area_mm2(masks),
        "doubt": doubt.value,
        "reasons": list(doubt.reasons),
        "masks": [_mask_row(key, mask) for key, mask in masks.items()],
        "details": details,
        "views": [*result.views, *result.figures],
        "outlined": list(result.views),
        "profile": measures["profile"],
        "digest": _digest(files.values()),
    }
    return _write_files(folder / "entries", name, files, entry), doubt


def _entities(text: str) -> dict[str, str]:
    """Return the names of the subject ("sub") and the session ("ses") in the name of a file, as BIDS has them, or of a folder."""
    return dict(re.findall(r"(?:^|[_/])(sub|ses)-([A-Za-z0-9]+)", text))


def _mask_row(name: str, mask: Volume) -> dict[str, Any]:
    """Return what the page lists of a mask."""
    return {"name": name, "color": f"rgb{COLORS.get(name, OTHER_COLOR)}", "volume_mm3": round(mask.volume_mm3, 1)}


def _digest(contents: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()[:16]


def _write_files(folder: Path, name: str, files: Mapping[str, bytes], entry: Mapping[str, Any]) -> tuple[Path, ...]:
    """Write the files of an entry, its JSON last, so that the page never lists an entry without its pictures.

    If that fails, on a full disk for instance, none of the new files stays.
    """
    paths = {folder / file: content for file, content in files.items()}
    index = folder / f"{name}.json"
    new = [] if index.exists() else list(paths)  # files of an entry that is replaced are still listed
    try:
        for path, content in paths.items():
            with atomic_path(path) as temporary:
                temporary.write_bytes(content)
        write_json(index, entry)
    except BaseException:
        for path in new:
            path.unlink(missing_ok=True)
        raise
    return (*paths, index)


def _pictures(name: str, result: Result) -> dict[str, bytes]:
    """Return the content of the picture files of an entry, by file name."""
    files = {}
    for view in result.views:
        outlined, plain = VIEWS[view](result.image, result.masks)
        files[f"{name}_{view}.webp"] = encode_gray(plain, PICTURE_BYTES[view])
        files[f"{name}_{view}.png"] = encode_overlay(outlined, plain)
    for figure, pixels in result.figures.items():
        files[f"{name}_{figure}.webp"] = encode_gray(pixels, OTHER_PICTURE_BYTES)
    return files


def acquisition_date(sidecar: Path) -> str:
    """Return the time of acquisition from a BIDS sidecar, "" if the file is missing or unreadable, or has no such field."""
    fields = read_json(sidecar)
    return str(fields.get("AcquisitionDateTime") or fields.get("AcquisitionDate") or "")


def _name(title: str, command: str) -> str:
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", stem_of(Path(title).name))
    return f"{stem[:80]}-{hashlib.sha256(json.dumps([title, command]).encode()).hexdigest()[:12]}"
