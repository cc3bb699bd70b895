"""What a command does with the process that it is started in, before it imports anything of others.

An interpreter takes its streams and its search path from whoever starts it. `install_sct_like.sh` makes the commands
ignore Python's variables altogether (`python -I`); this is for all other ways to start one.
"""

from __future__ import annotations

import io
import os
import site
import sys


def prepare_process() -> None:
    """Open the streams that are closed, let this environment's packages come first, and let Ctrl-C end without a traceback."""
    _open_streams()
    _own_packages_first()
    sys.excepthook = _report_uncaught


def _report_uncaught(kind, error, trace) -> None:
    """Report an error that nothing catches as Python does, but Ctrl-C while modules are imported: Python ends by that signal."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


def _open_streams() -> None:
    """Put the null device in the place of each standard stream that is closed (`2>&-`), and let stdout take any name.

    Otherwise the first file that is opened takes the stream's number, and gets what libraries write to the stream.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - to the end of the process
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may hold bytes that are no text


def _own_packages_first() -> None:
    """Move the folders of PYTHONPATH, of the user's own packages and of `python -m` to the end of the search path.

    They may hold packages for another Python, or files that are called like a package.
    """
    others = os.environ["PYTHONPATH"].split(os.pathsep) if os.environ.get("PYTHONPATH") else []
    if site.ENABLE_USER_SITE:
        others.append(site.getusersitepackages())
    if sys.argv[:1] == ["-m"]:  # while the module is searched for; its folder is the first
        others.append(sys.path[0])
    last = {os.path.abspath(folder) for folder in others}
    sys.path.sort(key=lambda folder: os.path.abspath(folder) in last)
