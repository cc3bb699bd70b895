"""Atomic writing, so that a reader never sees a partial file, on any file system; JSON files, and checksums."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from spineseg_cli.errors import InputError, SpinesegError

# Errors of file systems that cannot rename files, or not this one, which may be a mount point, or open elsewhere.
RENAME_REFUSED = {errno.EXDEV, errno.EBUSY, errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP}

# Errors that mean that written data is lost; some disks report them only on fsync.
LOST = {errno.EIO, errno.ENOSPC, errno.EDQUOT}


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` with the same suffixes; rename it to `path` on success, else remove it.

    On a file system that cannot rename it, it is copied.

    Raises InputError if the folder of `path` does not exist and cannot be created, or is not writable; SpinesegError if writing
    fails.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _new_file_for(target)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror}; choose another output path") from error
    try:
        yield temporary
        _flush_to_disk(temporary)
        _move(temporary, target)
    except OSError as error:
        advice = "free some space, or write to another disk" if error.errno in LOST else "choose another output path"
        raise SpinesegError(f"cannot write {target}: {error.strerror or error}; {advice}") from error
    finally:
        with contextlib.suppress(OSError):  # if the disk is unavailable, another error is already raised
            temporary.unlink(missing_ok=True)


def _new_file_for(target: Path) -> Path:
    """Create an empty file beside `target`, whose name has the same end, and return its path.

    It has the user's default permissions, since some file systems cannot change them later.
    """
    temporary = target.with_name(f".partial-{os.urandom(4).hex()}-{target.name[-40:]}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return temporary


def _flush_to_disk(path: Path) -> None:
    """Flush a file's content to the disk, so that a crash of the machine leaves no empty file under the final name."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno in LOST:
            raise
        # Other errors: the file system does not support fsync.
    finally:
        os.close(handle)


def _move(temporary: Path, target: Path) -> None:
    """Rename a file to `target`, or copy it if the file system refuses that."""
    try:
        os.replace(temporary, target)
    except OSError as error:
        if error.errno not in RENAME_REFUSED:
            raise
        _copy(temporary, target)


def _copy(source: Path, target: Path) -> None:
    """Write the content of `source` to `target`, and remove it if that fails."""
    with open(source, "rb") as whole, open(target, "wb") as copy:
        try:
            shutil.copyfileobj(whole, copy)
            copy.flush()
        except OSError:
            target.unlink(missing_ok=True)
            raise


def file_sha256(path: str | Path) -> str:
    """Return the hexadecimal sha256 of a file's bytes; it is cached while the file does not change."""
    status = os.stat(path)
    return _sha256(Path(path).absolute(), (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@lru_cache(maxsize=64)
def _sha256(path: Path, _version: tuple[int, ...]) -> str:
    """Return the checksum of one version of a file; a changed version is another entry of the cache."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_text(path: str | Path, text: str) -> None:
    """Write a text in UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Return the fields of a JSON file; empty if the file is missing or holds no JSON object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig", errors="replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write `content` as indented JSON, atomically."""
    write_text(path, json.dumps(content, indent=2) + "\n")
