"""The report's page, made of its entries."""

from __future__ import annotations

import importlib.util
import json
import logging
import re
from pathlib import Path

from spineseg_cli.core.files import file_sha256, write_text
from spineseg_cli.reports.bands import OUTLIER_Z, area_bands, robust_z
from spineseg_cli.reports.doubt import LOOK_AT
from spineseg_cli.reports.entry import read_entry

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
VIEWER = "niivue.js"

# The page's list shows these of an entry; the rest comes when an entry is chosen.
HEAVY = ("profile", "form", "details")


def write_page(folder: Path) -> Path:
    """Write a report's page from all its entries, and return its path.

    If another run has added an entry meanwhile, it may have written the page before: it is written again.
    """
    page = folder / "index.html"
    _write_viewer(folder)
    written = None
    while (content := read_entries(folder)) != written:
        entries, faults = content
        write_text(page, _page_text(entries, (folder / VIEWER).is_file()))
        written = content
    for path, fault in faults.items():
        log.warning("%s is no entry of a report (%s), and was left out: delete it, or repeat its run", path, fault)
    return page


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


def _page_text(entries: list[dict], with_viewer: bool) -> str:
    scores = robust_z(entries)
    listed = []
    for entry, z in zip(entries, scores, strict=True):
        row = {key: value for key, value in entry.items() if key not in HEAVY} | {"z": z}
        if z is not None and abs(z) > OUTLIER_Z:
            row["doubt"] = max(row["doubt"] or 0.0, LOOK_AT, min(0.9, abs(z) / (2 * OUTLIER_Z)))
            row["reasons"] = [*row["reasons"], f"the mean area is {z:+.1f} robust standard deviations off the cohort's median"]
        listed.append(row)
    data = {"entries": listed, "bands": area_bands(entries), "viewer": with_viewer, "lookAt": LOOK_AT, "outlierZ": OUTLIER_Z}
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")  # no path or command may end the script element
    parts = {name: (HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js")}
    page = (HERE / "page.html").read_text(encoding="utf-8")
    for mark, part in (("{{STYLE}}", parts["page.css"]), ("{{SCRIPT}}", parts["page.js"]), ("{{ENTRIES}}", text)):
        page = page.replace(mark, part)
    return page


def _write_viewer(folder: Path) -> None:
    """Put the 3-D viewer beside the page, from the installed package ipyniivue; without that, the page has no 3-D view.

    The package holds NiiVue as a module of JavaScript, which a browser does not load from a file. As a plain script it does; what
    the module creates for a notebook is named for the page.
    """
    spec = importlib.util.find_spec("ipyniivue")
    source = Path(spec.origin).with_name("static") / "widget.js" if spec and spec.origin else None
    if source is None or not source.is_file():
        return
    target = folder / VIEWER
    stamp = f"// {file_sha256(source)}\n"
    if target.is_file():
        with open(target, encoding="utf-8") as file:
            if file.readline() == stamp:
                return
    text = source.read_text(encoding="utf-8")
    made = re.search(r"=new ([\w$]+)\(\w+\)\}return", text)
    export = re.search(r"export\s*\{[^}]*\};?\s*$", text)
    if not made or not export:
        log.warning("this version of ipyniivue holds NiiVue in a form that is not known: the page has no 3-D view")
        return
    script = text[: export.start()] + f"globalThis.Niivue={made[1]};"
    write_text(target, f"{stamp}(()=>{{{script}\n}})();\n")
