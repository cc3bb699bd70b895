"""The report of `-qc DIR` and of a cohort: pictures of every result, and one page to judge them by in a browser, offline.

=================================  ==========================================================================
DIR/index.html                     the page; every run of a command makes it anew from all entries
DIR/entries/NAME.json              one result: what the page lists of it
DIR/entries/NAME.js                what it shows of it once it is chosen: details, 3-D view
DIR/entries/NAME_VIEW.webp         a picture of the scan
DIR/entries/NAME_VIEW.png          the outlines of the masks, transparent, to lie over it
DIR/niivue.js                      the viewer of the 3-D view, if the package ipyniivue is installed
=================================  ==========================================================================

Runs of a cluster may write to one folder at the same time: each writes entries of its own name. NAME is made from the
input and the command, so that a run that is repeated replaces its entry. No file holds a time: equal runs give equal files.
What is among the entries and is none, or is damaged, is left out with a warning.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
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
from spineseg_cli.reports.numbers import confidence_points, mean_area_mm2, read_measures
from spineseg_cli.reports.page import write_page
from spineseg_cli.reports.pictures import COLORS, OTHER_COLOR, axial_mosaic, sagittal_picture

log = logging.getLogger(__name__)

VIEWS = {"axial": axial_mosaic, "sagittal": sagittal_picture}

# Bytes of the picture of each view at most; of others, and of what an entry takes in all, see testing/reports/test_qc.py.
PICTURE_BYTES = {"axial": 40_000, "sagittal": 18_000}
OTHER_PICTURE_BYTES = 20_000


@dataclass(frozen=True)
class WrittenEntry:
    """An entry that was written: its files, and how much the result should be doubted, with the reasons."""

    files: tuple[Path, ...]
    doubt: float
    reasons: tuple[str, ...]


def check_folder(folder: Path) -> None:
    """Raise InputError if a report cannot be written to `folder`, which need not exist yet. Touches nothing on disk."""
    for path in (folder / "index.html", folder / "entries" / "entry.json"):
        check_writable(path)


def add_entry(folder: Path, *, title: str, command: str, **shown: Any) -> Path:
    """Add a run of a command to the report in `folder`, or replace the entry of the same title and command.

    Parameters are those of `write_entry`; what the scan is of is read from its name. Returns the page, `index.html`.

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
    """Write an entry's files; the page is written by `page.write_page`.

    Parameters
    ----------
    folder : Path
        The report's, made if it is not there.
    name : str
        The entry's, unique in the report; its parts between slashes are folders.
    image : Volume
        The scan, in any orientation.
    masks : mapping of str to Volume
        Masks on the grid of `image`, possibly empty; the last is drawn on top.
    title : str
        Path of the scan.
    command : str
        The command line, or the step of a cohort.
    details : mapping
        What else to show beside the pictures; JSON values.
    date : str
        When the scan was acquired, if known.
    subject, session, contrast : str
        What the scan is of, if known.
    views : sequence of str
        Keys of `VIEWS`.
    figures : mapping of str to ndarray, optional
        RGB pixels, uint8, of other pictures to show after those, by their names.
    confidences : mapping of str to mapping, optional
        The confidence of the masks that have one, by their names, as `Confidence.details` returns it.
    table : Path, optional
        A table of `measure_cord`, which the page shows and places in the cohort.
    with_3d : bool
        Whether the page can show the result in 3-D, which takes scikit-image.
    """
    confidences, details = confidences or {}, {key: value for key, value in details.items() if key != "Confidence"}
    measures = read_measures(table)
    shown = {
        "details": details,
        "measures": measures["whole"],
        "profile": measures["profile"],
        "confidences": {key: confidence_points(masks[key], value) for key, value in confidences.items() if key in masks},
        "volume": _volume(image, masks) if with_3d else None,
    }
    files = _pictures(name, image, masks, views, figures or {})
    files[f"{name}.js"] = f"showDetails({json.dumps(name)}, {json.dumps(shown)});\n".encode()
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
        "masks": [
            {"name": key, "color": f"rgb{COLORS.get(key, OTHER_COLOR)}", "volume_mm3": round(mask.volume_mm3, 1)}
            for key, mask in masks.items()
        ],
        "details": details,
        "views": [*views, *(figures or {})],
        "outlined": list(views),
        "profile": measures["profile"],
        "digest": hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in files.values())).hexdigest()[:16],
    }
    entries = folder / "entries"
    for file, content in files.items():
        with atomic_path(entries / file) as temporary:
            temporary.write_bytes(content)
    write_json(entries / f"{name}.json", entry)
    written = tuple(entries / file for file in (*files, f"{name}.json"))
    return WrittenEntry(written, doubt.value, doubt.reasons)


def _pictures(
    name: str, image: Volume, masks: Mapping[str, Volume], views: Sequence[str], figures: Mapping[str, np.ndarray]
) -> dict[str, bytes]:
    """Return the files of an entry's pictures, by their names."""
    files = {}
    for view in views:
        outlined, plain = VIEWS[view](image, masks)
        files[f"{name}_{view}.webp"] = encode_gray(plain, PICTURE_BYTES[view])
        files[f"{name}_{view}.png"] = encode_overlay(outlined, plain)
    for figure, pixels in figures.items():
        files[f"{name}_{figure}.webp"] = encode_gray(pixels, OTHER_PICTURE_BYTES)
    return files


def _volume(image: Volume, masks: Mapping[str, Volume]) -> dict | None:
    """Return what the page's 3-D view shows; None without scikit-image, which finds its surfaces."""
    if not is_installed("skimage"):
        return None
    from spineseg_cli.reports.volume_3d import volume_3d

    return volume_3d(image, masks)


def acquisition_date(sidecar: Path) -> str:
    """Return when a scan was acquired, from its BIDS sidecar; "" if that is not there, not readable, or does not say."""
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return ""
    fields = content if isinstance(content, dict) else {}
    return str(fields.get("AcquisitionDateTime") or fields.get("AcquisitionDate") or "")


def _name(title: str, command: str) -> str:
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", stem_of(Path(title).name))
    return f"{stem[:80]}-{hashlib.sha256(json.dumps([title, command]).encode()).hexdigest()[:12]}"
