"""The report of `-qc DIR`: pictures of every result, and one page to look through them in a browser, offline.

=================================  ==========================================================================
DIR/index.html                     the page; every run makes it anew from all entries
DIR/entries/NAME.json              one run: what was segmented, and how
DIR/entries/NAME_VIEW.png          its picture with the outlines of the masks
DIR/entries/NAME_VIEW_plain.png    the same picture without
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
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spineseg_cli import __version__
from spineseg_cli.core.files import atomic_path, check_writable, file_sha256, write_json
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.reports.entry import read_entry
from spineseg_cli.reports.pictures import COLORS, OTHER_COLOR, axial_mosaic, sagittal_picture

log = logging.getLogger(__name__)

PAGE = Path(__file__).with_name("page.html")
VIEWS = {"axial": axial_mosaic, "sagittal": sagittal_picture}


def check_folder(folder: Path) -> None:
    """Raise InputError if a report cannot be written to `folder`, which need not exist yet. Touches nothing on disk."""
    for path in (folder / "index.html", folder / "entries" / "entry.json"):
        check_writable(path)


def add_entry(
    folder: Path,
    *,
    image: Volume,
    masks: Mapping[str, Volume],
    title: str,
    command: str,
    details: Mapping[str, Any],
    date: str = "",
    views: Sequence[str] = ("axial",),
    figures: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Add a run to the report in `folder`, or replace the entry of the same title and command.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    image : Volume
        The scan, in any orientation.
    masks : mapping of str to Volume
        Masks on the grid of `image`, possibly empty; the last is drawn on top, and the page lists its volume.
    title : str
        Path of the scan.
    command : str
        The command line.
    details : mapping
        What else to show beside the pictures; JSON values.
    date : str
        When the scan was acquired, if known.
    views : sequence of str
        Keys of `VIEWS`.
    figures : mapping of str to ndarray, optional
        RGB pixels, uint8, of other pictures to show after those, by their names.

    Returns
    -------
    Path
        The page, `index.html`.

    Raises
    ------
    InputError
        If `folder` cannot be written to.
    GridMismatchError
        If a mask is on another grid than the image.
    """
    entries = folder / "entries"
    name = _name(title, command)
    sums = []
    pairs = {view: VIEWS[view](image, masks) for view in views}
    pairs |= {name: (pixels, pixels) for name, pixels in (figures or {}).items()}
    for view, pictures in pairs.items():
        for suffix, picture in zip(("", "_plain"), pictures, strict=True):
            path = entries / f"{name}_{view}{suffix}.png"
            with atomic_path(path) as temporary:
                Image.fromarray(picture).save(temporary, format="PNG")
            sums.append(file_sha256(path))
    entry = {
        "name": name,
        "title": title,
        "command": command,
        "version": __version__,
        "date": date,
        "masks": [
            {"name": key, "colour": f"rgb{COLORS.get(key, OTHER_COLOR)}", "volume_mm3": round(mask.volume_mm3, 1)}
            for key, mask in masks.items()
        ],
        "details": dict(details),
        "views": list(pairs),
        "digest": hashlib.sha256("".join(sums).encode()).hexdigest()[:16],
    }
    write_json(entries / f"{name}.json", entry)
    return _write_page(folder)


def acquisition_date(sidecar: Path) -> str:
    """Return when a scan was acquired, from its BIDS sidecar; "" if that is not there, not readable, or does not say."""
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return ""
    fields = content if isinstance(content, dict) else {}
    return str(fields.get("AcquisitionDateTime") or fields.get("AcquisitionDate") or "")


def _name(title: str, command: str) -> str:
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", Path(title).name.removesuffix(".gz").removesuffix(".nii"))
    return f"{stem[:80]}-{hashlib.sha256(json.dumps([title, command]).encode()).hexdigest()[:12]}"


def _write_page(folder: Path) -> Path:
    """Write the page from all entries; again, if another run has added one meanwhile and may have written the page before."""
    page = folder / "index.html"
    written = None
    while (found := _read_entries(folder)) != written:
        entries, faults = found
        data = json.dumps(entries).replace("<", "\\u003c")  # no path or command may end the script element
        with atomic_path(page) as temporary:
            temporary.write_text(PAGE.read_text(encoding="utf-8").replace("{{ENTRIES}}", data), encoding="utf-8")
        written = found
    for path, fault in faults.items():
        log.warning("%s is no entry of a report (%s), and was left out: delete it, or repeat its run", path, fault)
    return page


def _read_entries(folder: Path) -> tuple[list[dict], dict[Path, str]]:
    """Return the report's entries, and what is wrong with the files that are none."""
    entries, faults = {}, {}
    for path in sorted(folder.glob("entries/[!.]*.json")):
        try:
            entry = read_entry(path)
            entries[entry["title"], entry["command"]] = entry
        except FileNotFoundError:  # another run was replacing it, or a dead link
            continue
        except (OSError, ValueError) as error:
            faults[path] = str(error)
    return [entries[key] for key in sorted(entries)], faults
