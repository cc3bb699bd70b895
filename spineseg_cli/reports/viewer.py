"""The 3-D viewer beside a report's page."""

from __future__ import annotations

import importlib.util
import logging
import re
from pathlib import Path

from spineseg_cli.core.files import atomic_path, file_sha256

log = logging.getLogger(__name__)

VIEWER = "niivue.js"


def write_viewer(folder: Path) -> None:
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
    with atomic_path(target) as temporary:
        temporary.write_text(f"{stamp}(()=>{{{script}\n}})();\n", encoding="utf-8")
