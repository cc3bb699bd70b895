"""Files: whether one is there with its content, and writing so that a reader never sees half of one, on any file system.

Data sets under git-annex (DataLad, OpenNeuro) or Git LFS hold stand-ins in the place of files whose content was not fetched:
a link to nowhere, or a line of text.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shlex
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from spineseg_cli.errors import InputError, SpinesegError

# How a file system says that it renames nothing, or not this file: one that is mounted on its own, or open elsewhere.
RENAME_REFUSED = {errno.EXDEV, errno.EBUSY, errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP}

# How a disk says that what was written is lost; some say so only when they are asked to settle it.
LOST = {errno.EIO, errno.ENOSPC, errno.EDQUOT}

# The permissions to write to a file; one that nobody may write to is one that somebody keeps.
WRITE_BITS = 0o222

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
            raise InputError(f"no such file: {path}{_what_is_there(path)}")
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


def _what_is_there(path: Path) -> str:
    """Return what is there instead of a file: the same one with or without .gz, or not even its folder; "" if neither."""
    other = path.with_suffix("") if path.suffix == ".gz" else path.with_name(path.name + ".gz")
    if other.is_file():
        return f"; there is {other}"
    return "" if path.parent.is_dir() else f", nor a folder {path.parent}"


def _not_fetched(path: Path, command: str) -> InputError:
    return InputError(f"the content of {path} was not fetched: run {command} {shlex.quote(str(path))}")


def check_writable(path: str | Path) -> None:
    """Raise InputError if no file can be made at `path`, whose folders need not exist yet, or what is there is write-protected.

    Touches nothing on disk.
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
    """Raise InputError if fewer than `needed` bytes are free where `folder` is, or will be."""
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise InputError(
            f"expected {needed / 1e6:.0f} MB of free space in {existing} for this run; there are {free / 1e6:.0f}: choose "
            "another output folder"
        )


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` with the same suffixes; rename it to `path` on success, else remove it.

    On a file system that refuses to rename it, it is copied.

    Raises
    ------
    InputError
        If the folder of `path` does not exist and cannot be made, or cannot be written to.
    SpinesegError
        If writing fails half-way.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _new_file_for(target)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror}; choose another output path") from error
    try:
        yield temporary
        _settle(temporary)
        _move(temporary, target)
    except OSError as error:
        advice = "free some space, or write to another disk" if error.errno in LOST else "choose another output path"
        raise SpinesegError(f"cannot write {target}: {error.strerror or error}; {advice}") from error
    finally:
        with contextlib.suppress(OSError):  # a disk that has gone: the error on its way says so
            temporary.unlink(missing_ok=True)


def _new_file_for(target: Path) -> Path:
    """Make an empty file beside `target`, whose name keeps its end; return its path.

    It is made with the user's usual permissions: some file systems refuse to change them later.
    """
    temporary = target.with_name(f".partial-{os.urandom(4).hex()}-{target.name[-40:]}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return temporary


def _settle(path: Path) -> None:
    """Have a file's content on the disk, so that a machine that goes down leaves no empty file under a good name."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno in LOST:
            raise
        # Else the file system has no such request.
    finally:
        os.close(handle)


def _move(temporary: Path, target: Path) -> None:
    try:
        os.replace(temporary, target)
    except OSError as error:
        if error.errno not in RENAME_REFUSED:
            raise
        _copy(temporary, target)


def _copy(source: Path, target: Path) -> None:
    """Write the content of `source` to `target`; leave no half of it."""
    with open(source, "rb") as whole, open(target, "wb") as copy:
        try:
            shutil.copyfileobj(whole, copy)
            copy.flush()
        except OSError:
            target.unlink(missing_ok=True)
            raise


def file_sha256(path: str | Path) -> str:
    """Return the hexadecimal sha256 of a file's bytes, which are read once while the file does not change."""
    status = os.stat(path)
    return _sha256(Path(path).absolute(), (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@lru_cache(maxsize=64)
def _sha256(path: Path, _version: tuple[int, ...]) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_text(path: str | Path, text: str) -> None:
    """Write a text in UTF-8, in one step."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write `content` as indented JSON, in one step."""
    write_text(path, json.dumps(content, indent=2) + "\n")
