"""The page of a report, which is made from its entries."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spineseg_cli.core.files import write_text
from spineseg_cli.reports.qc.bands import OUTLIER_Z, area_bands, robust_z
from spineseg_cli.reports.qc.doubt import LOOK_AT
from spineseg_cli.reports.qc.reading import read_entry
from spineseg_cli.reports.qc.viewer import VIEWER, write_viewer

log = logging.getLogger(__name__)

HERE = Path(__file__).parent

# Fields of an entry that are not part of the page's list; the page loads details when an entry is chosen.
HEAVY = ("profile", "form", "details")

# States of scans that have to be processed again.
UNFINISHED = ("failed", "not done")


@dataclass(frozen=True)
class ScanInfo:
    """A scan, as the page names it."""

    title: str  # the path of the scan
    # Empty if they are not known; the date is that of the acquisition.
    subject: str = ""
    session: str = ""
    contrast: str = ""
    date: str = ""


@dataclass(frozen=True)
class ScanState:
    """A scan of a cohort and its state. The page also lists scans without pictures."""

    scan: ScanInfo
    state: str  # "done", "corrected", "empty", "failed" or "not done"
    message: str = ""  # the reason of a failure


def write_page(folder: Path, command: str = "", states: Sequence[ScanState] = ()) -> Path:
    """Write the page of a report from all its entries, and return its path.

    If entries have changed while the page was written, because of another run, it is written again.

    `states` are those of the scans of a cohort, and `command` is the command of their entries.
    """
    page = folder / "index.html"
    write_viewer(folder)
    written = None
    while (content := read_entries(folder)) != written:
        entries, faults = content
        write_text(page, _page_text(entries, command, states, (folder / VIEWER).is_file()))
        written = content
    for path, fault in faults.items():
        log.warning("%s is no entry of a report (%s), and was left out: delete it, or repeat its run", path, fault)
    return page


def listed_rows(entries: Sequence[Mapping[str, Any]], command: str = "", states: Sequence[ScanState] = ()) -> list[dict]:
    """Return the rows of the page's list: the entries, compared with their cohort, and unfinished scans without an entry."""
    rows = []
    for entry, z in zip(entries, robust_z(entries), strict=True):
        row = {key: value for key, value in entry.items() if key not in HEAVY} | {"z": z, "pictured": True}
        if z is not None and abs(z) > OUTLIER_Z:
            row["doubt"] = max(row["doubt"] or 0.0, LOOK_AT, min(0.9, abs(z) / (2 * OUTLIER_Z)))
            row["reasons"] = [*row["reasons"], f"the mean area is {z:+.1f} robust standard deviations off the cohort's median"]
        rows.append(row)
    of_cohort = {row["title"]: row for row in rows if row["command"] == command}
    for state in states:
        if state.scan.title in of_cohort:
            row = of_cohort[state.scan.title]
        elif state.state in UNFINISHED:
            row = _row_without_pictures(state.scan, command)
            rows.append(row)
        else:
            continue  # finished without pictures, as the settings asked
        row["state"] = state.state
        if state.state in UNFINISHED:
            row["doubt"], row["reasons"] = 1.0, [state.message or state.state, *row["reasons"]]
    return rows


def _row_without_pictures(scan: ScanInfo, command: str) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(("version", "date", "digest"), "")
    row |= dict.fromkeys(("reasons", "masks", "views", "outlined"), [])
    row |= {"title": scan.title, "subject": scan.subject, "session": scan.session, "contrast": scan.contrast}
    return row | {"name": scan.title, "command": command, "step": command, "area_mm2": None, "z": None, "pictured": False}


def read_entries(folder: Path) -> tuple[list[dict], dict[Path, str]]:
    """Return the entries of a report, and the errors of files that are no valid entries."""
    entries, faults = {}, {}
    for path in sorted((folder / "entries").rglob("[!.]*.json")):
        try:
            entry = read_entry(path)
            entries[entry["title"], entry["command"]] = entry
        except FileNotFoundError:  # another run is replacing it, or it is a dead link
            continue
        except (OSError, ValueError) as error:
            faults[path] = str(error)
    return [entries[key] for key in sorted(entries)], faults


def _page_text(entries: list[dict], command: str, states: Sequence[ScanState], with_viewer: bool) -> str:
    data = {
        "entries": listed_rows(entries, command, states),
        "bands": area_bands(entries),
        "viewer": with_viewer,
        "lookAt": LOOK_AT,
        "outlierZ": OUTLIER_Z,
    }
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")  # so that no text can end the script element
    parts = {name: (HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js")}
    page = (HERE / "page.html").read_text(encoding="utf-8")
    for mark, part in (("{{STYLE}}", parts["page.css"]), ("{{SCRIPT}}", parts["page.js"]), ("{{ENTRIES}}", text)):
        page = page.replace(mark, part)
    return page
