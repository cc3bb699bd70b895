"""Checks of files before a command starts: inputs with content, outputs that can be written, and space on the disk.

Data sets under git-annex (DataLad, OpenNeuro) or Git LFS hold placeholders for files whose content was not fetched: a broken
link, or a line of text.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from pathlib import Path

from spineseg_cli.errors import InputError

# Write permissions; a file without any of them is protected on purpose.
WRITE_BITS = 0o222

# Number of bytes that are read to recognize a placeholder, which has one to three lines.
PLACEHOLDER_BYTES = 1024

# Part of the path of a file's content under git-annex, and the first line of a placeholder of Git LFS.
ANNEX = "annex/objects/"
LFS = b"version https://git-lfs.github.com/spec/"


def check_present(path: Path) -> None:
    """Raise InputError unless `path` is a file with content; for a placeholder, the message says how to fetch it."""
    if path.is_dir():
        raise InputError(f"no such file: {path} (it is a folder)")
    if not path.is_file():
        if path.exists():
            raise InputError(f"{path} is a pipe or a device: write its content to a file, and name that")
        if not path.is_symlink():
            raise InputError(f"no such file: {path}{_what_is_there(path)}")
        target = path.readlink()
        if ANNEX in target.as_posix():
            raise _not_fetched(path, "git annex get")
        raise InputError(f"no such file: {path} is a link to {target}, which is not there")
    try:
        with open(path, "rb") as file:
            start = file.read(PLACEHOLDER_BYTES)
    except OSError as error:
        raise InputError(f"cannot open {path}: {error.strerror}") from error
    if start.startswith(LFS):
        raise _not_fetched(path, "git lfs pull --include")
    # The text of an unlocked file is /annex/objects/KEY; on file systems without links, it is the target of the link.
    if start.lstrip(b"./").removeprefix(b"git/").startswith(ANNEX.encode()):
        raise _not_fetched(path, "git annex get")


def _what_is_there(path: Path) -> str:
    """Return a phrase on what exists instead of a missing file: the file with or without .gz, or no folder; else ""."""
    other = path.with_suffix("") if path.suffix == ".gz" else path.with_name(path.name + ".gz")
    if other.is_file():
        return f"; there is {other}"
    return "" if path.parent.is_dir() else f", nor a folder {path.parent}"


def _not_fetched(path: Path, command: str) -> InputError:
    """Return the error for a placeholder, with the command that fetches its content."""
    return InputError(f"the content of {path} was not fetched: run {command} {shlex.quote(str(path))}")


def check_writable(path: str | Path) -> None:
    """Raise InputError if no file can be created at `path`, whose folders need not exist, or if it is write-protected.

    Nothing on disk is changed.
    """
    folder = next(parent for parent in Path(path).absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"cannot write {path}: {folder} is not a folder that you may write to; choose another output path")
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:  # a name that is too long for the disk, say
        raise InputError(f"cannot write {path}: {error.strerror}; choose another output path") from error
    if stat.S_ISREG(mode) and not mode & WRITE_BITS:
        raise InputError(f"cannot write {path}: it is write-protected; lift that (chmod u+w), or choose another output path")


def check_space(folder: Path, needed: float) -> None:
    """Raise InputError if fewer than `needed` bytes are free on the disk of `folder`, which need not exist."""
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise InputError(
            f"expected {needed / 1e6:.0f} MB of free space in {existing} for this run; there are {free / 1e6:.0f}: choose "
            "another output folder"
        )
