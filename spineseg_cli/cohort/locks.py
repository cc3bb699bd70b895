"""Locks that prevent two runs from processing the same session at the same time.

The operating system releases a lock when its process ends, for whatever reason. On file systems without locks none is held; files
are still written atomically, and two runs write the same bytes.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spineseg_cli.errors import SpinesegError

# How long to wait for a lock: a worker that was just killed may hold it for a moment.
PATIENCE_S = 5.0
PAUSE_S = 0.05

# Errors of file systems that do not support locks.
UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


class BusyError(SpinesegError):
    """Another run is writing the same results."""


@contextmanager
def locked(path: Path, what: str, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the lock of a file, which is created if necessary. Raises BusyError, which names `what`, if another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        _acquire(file, what, time.monotonic() + patience_s)
        yield


def _acquire(file, what: str, deadline: float) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno in UNSUPPORTED:
                return
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN):
                raise
        if time.monotonic() > deadline:
            raise BusyError(f"another run is at work on {what}; wait until it has ended, then run this command again")
        time.sleep(PAUSE_S)
