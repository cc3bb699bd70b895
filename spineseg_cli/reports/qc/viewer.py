"""The 3-D viewer of the page of a report."""

from __future__ import annotations

import importlib.util
import logging
import re
from pathlib import Path

from spineseg_cli.core.files import atomic_path, file_sha256

log = logging.getLogger(__name__)

VIEWER = "niivue.js"


def write_viewer(folder: Path) -> None:
    """Copy the 3-D viewer from the installed package ipyniivue to the folder of the page. Without it there is no 3-D view.

    The package contains NiiVue as a JavaScript module, which browsers do not load from local files. It is therefore converted
    to a plain script, in which the class that the module creates for notebooks is made global.
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
