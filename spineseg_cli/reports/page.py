"""The report's page, made of its entries."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spineseg_cli.core.files import atomic_path
from spineseg_cli.reports.bands import OUTLIER_Z, area_bands, robust_z
from spineseg_cli.reports.doubt import LOOK_AT
from spineseg_cli.reports.entry import read_entry
from spineseg_cli.reports.viewer import VIEWER, write_viewer

log = logging.getLogger(__name__)

HERE = Path(__file__).parent

# The page's list shows these of an entry; the rest comes when an entry is chosen.
HEAVY = ("profile", "form", "details")

# States of scans that are to be worked on again.
UNFINISHED = ("failed", "not done")


@dataclass(frozen=True)
class ScanState:
    """A scan of a cohort, and what came of it: the page shows those without pictures, too.

    Parameters
    ----------
    title, subject, session, contrast : str
        As in `qc.write_entry`.
    state : str
        "done", "corrected", "empty", "failed" or "not done".
    message : str
        Why it failed.
    """

    title: str
    subject: str
    session: str
    contrast: str
    state: str
    message: str = ""


def write_page(folder: Path, command: str = "", scans: Sequence[ScanState] = ()) -> Path:
    """Write a report's page from all its entries, and return its path.

    If another run has added an entry meanwhile, it may have written the page before: it is written again.

    Parameters
    ----------
    folder : Path
        The report's.
    command : str
        The command of the entries of `scans`.
    scans : sequence of ScanState
        What came of the scans of a cohort.
    """
    page = folder / "index.html"
    write_viewer(folder)
    written = None
    while (content := read_entries(folder)) != written:
        entries, faults = content
        with atomic_path(page) as temporary:
            temporary.write_text(_page_text(entries, command, scans, (folder / VIEWER).is_file()), encoding="utf-8")
        written = content
    for path, fault in faults.items():
        log.warning("%s is no entry of a report (%s), and was left out: delete it, or repeat its run", path, fault)
    return page


def listed_rows(entries: Sequence[Mapping[str, Any]], command: str = "", scans: Sequence[ScanState] = ()) -> list[dict[str, Any]]:
    """Return the rows of the page's list: entries, beside their cohort, and scans of `command` that have none."""
    rows = []
    for entry, z in zip(entries, robust_z(entries), strict=True):
        row = {key: value for key, value in entry.items() if key not in HEAVY} | {"z": z, "pictured": True}
        if z is not None and abs(z) > OUTLIER_Z:
            row["doubt"] = max(row["doubt"] or 0.0, LOOK_AT, min(0.9, abs(z) / (2 * OUTLIER_Z)))
            row["reasons"] = [*row["reasons"], f"the mean area is {z:+.1f} robust standard deviations off the cohort's median"]
        rows.append(row)
    of_cohort = {row["title"]: row for row in rows if row["command"] == command}
    for scan in scans:
        row = of_cohort.get(scan.title)
        if row is None:
            if scan.state not in UNFINISHED:
                continue  # no pictures were asked for
            row = _row_without_pictures(scan, command)
            rows.append(row)
        row["state"] = scan.state
        if scan.state in UNFINISHED:
            row["doubt"], row["reasons"] = 1.0, [scan.message or scan.state, *row["reasons"]]
    return rows


def _row_without_pictures(scan: ScanState, command: str) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(("version", "date", "digest"), "")
    row |= dict.fromkeys(("reasons", "masks", "views", "outlined"), [])
    row |= {"title": scan.title, "subject": scan.subject, "session": scan.session, "contrast": scan.contrast}
    return row | {
        "name": scan.title, "command": command, "step": command, "area_mm2": None, "z": None, "pictured": False,
    }  # fmt: skip


def read_entries(folder: Path) -> tuple[list[dict], dict[Path, str]]:
    """Return a report's entries, and what is wrong with the files that are none."""
    entries, faults = {}, {}
    for path in sorted((folder / "entries").rglob("[!.]*.json")):
        try:
            entry = read_entry(path)
            entries[entry["title"], entry["command"]] = entry
        except FileNotFoundError:  # another run was replacing it, or a dead link
            continue
        except (OSError, ValueError) as error:
            faults[path] = str(error)
    return [entries[key] for key in sorted(entries)], faults


def _page_text(entries: list[dict], command: str, scans: Sequence[ScanState], with_viewer: bool) -> str:
    data = {
        "entries": listed_rows(entries, command, scans),
        "bands": area_bands(entries),
        "viewer": with_viewer,
        "lookAt": LOOK_AT,
        "outlierZ": OUTLIER_Z,
    }
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")  # no path or command may end the script element
    parts = {name: (HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js")}
    page = (HERE / "page.html").read_text(encoding="utf-8")
    for mark, part in (("{{STYLE}}", parts["page.css"]), ("{{SCRIPT}}", parts["page.js"]), ("{{ENTRIES}}", text)):
        page = page.replace(mark, part)
    return page
