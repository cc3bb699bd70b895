"""Preparation of the process of a command, before other packages are imported.

Python inherits its streams and its search path from the parent process. Commands of `install_sct_like.sh` ignore Python's
environment variables (`python -I`); this module is for commands that are started in other ways.
"""

from __future__ import annotations

import io
import os
import site
import sys


def prepare_process() -> None:
    """Open closed streams, give priority to the packages of this environment, and let Ctrl-C end without a traceback."""
    _open_streams()
    _own_packages_first()
    sys.excepthook = _report_uncaught


def _report_uncaught(kind, error, trace) -> None:
    """Print the traceback of an uncaught error as Python does, but not of Ctrl-C while modules are imported."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


def _open_streams() -> None:
    """Replace each closed standard stream (`2>&-`) by the null device, and let stdout accept any file name.

    Otherwise the first file that is opened would get the stream's number, and with it what libraries write to the stream.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - open until the process ends
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may contain bytes that are not valid text


def _own_packages_first() -> None:
    """Move PYTHONPATH, the user's site packages and the folder of `python -m` to the end of the search path.

    They may contain packages for another Python, or files with the name of a package.
    """
    others = os.environ["PYTHONPATH"].split(os.pathsep) if os.environ.get("PYTHONPATH") else []
    if site.ENABLE_USER_SITE:
        others.append(site.getusersitepackages())
    if sys.argv[:1] == ["-m"]:  # while Python looks up the module; its folder is the first
        others.append(sys.path[0])
    last = {os.path.abspath(folder) for folder in others}
    sys.path.sort(key=lambda folder: os.path.abspath(folder) in last)
