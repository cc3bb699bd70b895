"""Whether a file that was named is there, with its content.

Data sets under git-annex (DataLad, OpenNeuro) or Git LFS hold stand-ins in the place of files whose content was not fetched:
a link to nowhere, or a line of text.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from spineseg_cli.errors import InputError

# A stand-in is a line or three; the content of a scan or of weights is longer.
STAND_IN_BYTES = 1024

ANNEX = "annex/objects/"
LFS = b"version https://git-lfs.github.com/spec/"


def check_present(path: Path) -> None:
    """Raise InputError unless `path` is a file with content of its own; say how to fetch the content that lies elsewhere."""
    if path.is_dir():
        raise InputError(f"no such file: {path} (it is a folder)")
    if not path.is_file():
        if not path.is_symlink():
            raise InputError(f"no such file: {path}")
        goal = path.readlink()
        if ANNEX in goal.as_posix():
            raise _not_fetched(path, "git annex get")
        raise InputError(f"no such file: {path} is a link to {goal}, which is not there")
    try:
        with open(path, "rb") as file:
            start = file.read(STAND_IN_BYTES)
    except OSError as error:
        raise InputError(f"cannot open {path}: {error.strerror}") from error
    if start.startswith(LFS):
        raise _not_fetched(path, "git lfs pull --include")
    # An unlocked file's text is /annex/objects/KEY; where there are no links, it is the path that a link would have.
    if start.lstrip(b"./").removeprefix(b"git/").startswith(ANNEX.encode()):
        raise _not_fetched(path, "git annex get")


def _not_fetched(path: Path, command: str) -> InputError:
    return InputError(f"the content of {path} was not fetched: run {command} {shlex.quote(str(path))}")
