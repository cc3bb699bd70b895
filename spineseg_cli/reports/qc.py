"""Writing the report of `-qc DIR` and of a cohort: pictures of every result, for an offline page in a browser.

=================================  ==========================================================================
DIR/index.html                     the page, which every run of a command writes again from all entries
DIR/entries/NAME.json              one result, as the page lists it
DIR/entries/NAME.js                the details and the 3-D view, which the page loads when a result is chosen
DIR/entries/NAME_VIEW.webp         a picture of the scan
DIR/entries/NAME_VIEW.png          the outlines of the masks, as a transparent layer over the picture
DIR/niivue.js                      the viewer for the 3-D view, if the package ipyniivue is installed
=================================  ==========================================================================

Several runs, on a cluster for instance, may write to one folder at the same time, since their entries have different names.
NAME is made from the input and the command, so that a repeated run replaces its entry. Files do not contain times: equal runs
give equal files. Damaged entries and other files are left out with a warning.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli import __version__
from spineseg_cli.core.extras import is_installed
from spineseg_cli.core.files import atomic_path, check_writable, write_json
from spineseg_cli.core.image.names import stem_of
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.reports.doubt import judge
from spineseg_cli.reports.encoding import encode_gray, encode_overlay
from spineseg_cli.reports.entry import FORM
from spineseg_cli.reports.entry_numbers import confidence_points, mean_area_mm2, read_measures
from spineseg_cli.reports.page import write_page
from spineseg_cli.reports.pictures import COLORS, OTHER_COLOR, axial_mosaic, sagittal_picture

log = logging.getLogger(__name__)

VIEWS = {"axial": axial_mosaic, "sagittal": sagittal_picture}

# The largest number of bytes of the picture of each view, and of other pictures.
PICTURE_BYTES = {"axial": 40_000, "sagittal": 18_000}
OTHER_PICTURE_BYTES = 20_000


@dataclass(frozen=True)
class WrittenEntry:
    """An entry that was written: its files, and the doubt about the result with its reasons."""

    files: tuple[Path, ...]
    doubt: float
    reasons: tuple[str, ...]


def check_folder(folder: Path) -> None:
    """Raise InputError if a report cannot be written to `folder`, which need not exist yet. Nothing is written."""
    for path in (folder / "index.html", folder / "entries" / "entry.json"):
        check_writable(path)


def add_entry(folder: Path, *, title: str, command: str, **shown: Any) -> Path:
    """Add a result of a command to the report in `folder`, or replace the entry of the same title and command.

    Parameters are those of `write_entry`; subject, session and contrast are read from the title. Returns the page, `index.html`.

    Raises
    ------
    InputError
        If `folder` cannot be written to.
    GridMismatchError
        If a mask is on another grid than the image.
    """
    entities = dict(re.findall(r"(?:^|_)(sub|ses)-([A-Za-z0-9]+)", Path(title).name))
    write_entry(
        folder,
        name=_name(title, command),
        title=title,
        command=command,
        subject=entities.get("sub", ""),
        session=entities.get("ses", ""),
        contrast=stem_of(Path(title).name).split("_")[-1] if entities else "",
        **shown,
    )
    return write_page(folder)


def write_entry(
    folder: Path,
    *,
    name: str,
    image: Volume,
    masks: Mapping[str, Volume],
    title: str,
    command: str,
    details: Mapping[str, Any],
    date: str = "",
    subject: str = "",
    session: str = "",
    contrast: str = "",
    views: Sequence[str] = ("axial",),
    figures: Mapping[str, np.ndarray] | None = None,
    confidences: Mapping[str, Mapping[str, Any]] | None = None,
    table: Path | None = None,
    with_3d: bool = True,
) -> WrittenEntry:
    """Write the files of an entry. The page is written by `page.write_page`.

    Parameters
    ----------
    folder : Path
        The folder of the report, which is created if it does not exist.
    name : str
        The name of the entry, unique in the report; parts between slashes become folders.
    image : Volume
        The scan, in any orientation.
    masks : mapping of str to Volume
        Masks on the grid of `image`, possibly empty; the last is drawn on top.
    title : str
        The path of the scan.
    command : str
        The command line, or "spineseg" for a cohort.
    details : mapping
        Further information that the page shows, as JSON values.
    date : str
        The date of the acquisition, if it is known.
    subject, session, contrast : str
        The subject, session and contrast of the scan, if they are known.
    views : sequence of str
        Keys of `VIEWS`.
    figures : mapping of str to ndarray, optional
        RGB pixels, uint8, of further pictures, by their names.
    confidences : mapping of str to mapping, optional
        The confidence of the masks that have one, by their names, as `Confidence.details` returns it.
    table : Path, optional
        A table of `measure_cord`, which the page shows and compares with the cohort.
    with_3d : bool
        Whether a 3-D view is added, which needs scikit-image.
    """
    figures, confidences = figures or {}, confidences or {}
    details = {key: value for key, value in details.items() if key != "Confidence"}
    measures = read_measures(table)
    on_demand = {  # what the page loads when the entry is chosen
        "details": details,
        "measures": measures["whole"],
        "profile": measures["profile"],
        "confidences": {key: confidence_points(masks[key], value) for key, value in confidences.items() if key in masks},
        "volume": _volume(image, masks) if with_3d else None,
    }
    files = _pictures(name, image, masks, views, figures)
    files[f"{name}.js"] = f"showDetails({json.dumps(name)}, {json.dumps(on_demand)});\n".encode()
    doubt = judge(masks, [str(note) for note in details.get("Notes", ())], confidences)
    entry = {
        "form": FORM,
        "name": name,
        "title": title,
        "command": command,
        "version": __version__,
        "date": date,
        "subject": subject,
        "session": session,
        "contrast": contrast,
        "step": command.split(" ")[0],
        "state": "done" if any(mask.data.any() for mask in masks.values()) else "empty",
        "area_mm2": measures["area_mm2"] if measures["area_mm2"] is not None else mean_area_mm2(masks),
        "doubt": doubt.value,
        "reasons": list(doubt.reasons),
        "masks": [_mask_row(key, mask) for key, mask in masks.items()],
        "details": details,
        "views": [*views, *figures],
        "outlined": list(views),
        "profile": measures["profile"],
        "digest": _digest(files.values()),
    }
    return WrittenEntry(_write_files(folder / "entries", name, files, entry), doubt.value, doubt.reasons)


def _mask_row(name: str, mask: Volume) -> dict[str, Any]:
    """Return what the page lists of a mask."""
    return {"name": name, "color": f"rgb{COLORS.get(name, OTHER_COLOR)}", "volume_mm3": round(mask.volume_mm3, 1)}


def _digest(contents: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()[:16]


def _write_files(folder: Path, name: str, files: Mapping[str, bytes], entry: Mapping[str, Any]) -> tuple[Path, ...]:
    """Write the files of an entry, its JSON last, so that the page never lists an entry without its pictures."""
    for file, content in files.items():
        with atomic_path(folder / file) as temporary:
            temporary.write_bytes(content)
    write_json(folder / f"{name}.json", dict(entry))
    return tuple(folder / file for file in (*files, f"{name}.json"))


def _pictures(
    name: str, image: Volume, masks: Mapping[str, Volume], views: Sequence[str], figures: Mapping[str, np.ndarray]
) -> dict[str, bytes]:
    """Return the content of the picture files of an entry, by file name."""
    files = {}
    for view in views:
        outlined, plain = VIEWS[view](image, masks)
        files[f"{name}_{view}.webp"] = encode_gray(plain, PICTURE_BYTES[view])
        files[f"{name}_{view}.png"] = encode_overlay(outlined, plain)
    for figure, pixels in figures.items():
        files[f"{name}_{figure}.webp"] = encode_gray(pixels, OTHER_PICTURE_BYTES)
    return files


def _volume(image: Volume, masks: Mapping[str, Volume]) -> dict | None:
    """Return the content of the 3-D view, None if scikit-image, which computes surfaces, is not installed."""
    if not is_installed("skimage"):
        return None
    from spineseg_cli.reports.volume_3d import volume_3d

    return volume_3d(image, masks)


def acquisition_date(sidecar: Path) -> str:
    """Return the time of acquisition from a BIDS sidecar, "" if the file is missing or unreadable, or has no such field."""
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return ""
    fields = content if isinstance(content, dict) else {}
    return str(fields.get("AcquisitionDateTime") or fields.get("AcquisitionDate") or "")


def _name(title: str, command: str) -> str:
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", stem_of(Path(title).name))
    return f"{stem[:80]}-{hashlib.sha256(json.dumps([title, command]).encode()).hexdigest()[:12]}"
